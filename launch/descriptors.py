"""How many descriptors this process may have open: each client is one, and each call to a provider."""

import resource
from contextlib import suppress
from typing import Final

import structlog

_LOG = structlog.get_logger("trunkline.launch")

ENOUGH: Final = 8192
"""For four thousand requests at once, each with a connection to its provider. Many systems give 1,024."""


def raise_limit() -> int:
    """Raise the soft limit to the hard one, as far as the system lets us; return it.

    The soft limit is low for the sake of programs that use `select`, which fails beyond 1,024; we do not.
    Source: https://0pointer.net/blog/file-descriptor-limits.html
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS calls its hard limit infinite, and refuses to go beyond the kernel's own.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft != resource.RLIM_INFINITY and soft < ENOUGH:
        _LOG.warning("descriptor_limit_low", limit=soft, enough=ENOUGH)
    return soft
