"""The tree of our errors, for tests that must miss none."""

from router.errors import TrunklineError


def kinds_of(root: type[TrunklineError]) -> list[type[TrunklineError]]:
    """Every error below `root` that can be raised: those that have a class of failure."""
    below = [kind for child in root.__subclasses__() for kind in (child, *kinds_of(child))]
    return [kind for kind in below if hasattr(kind, "failure_class")]
