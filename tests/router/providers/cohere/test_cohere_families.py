import pytest

from router.providers.cohere.families import FAMILIES, family_of


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("command-a-reasoning-08-2025", True),
        ("command-a-plus-05-2026", True),
        ("command-a-03-2025", False),
        ("command-a-vision-07-2025", False),
        ("command-r-plus-08-2024", False),
        ("Cohere.command-r-v1:0", False),
        ("acme/c4ai-aya-expanse-32b", False),
        ("command-z-2030", True),
    ],
)
def test_a_model_is_of_the_family_that_its_name_begins_with(model: str, thinks: bool) -> None:
    assert family_of(model).thinks is thinks


def test_no_family_hides_another() -> None:
    names = list(FAMILIES)
    assert not [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if b.startswith(a)]
