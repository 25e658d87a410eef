import pytest

from router.providers.anthropic.families import (
    FAMILIES,
    UNKNOWN,
    UNKNOWN_CLAUDE,
    Sampling,
    Thinking,
    family_of,
)


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("claude-3-haiku-20240307", "claude-3-haiku"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-sonnet-4-0", "claude-sonnet-4-0"),
        ("claude-opus-4-1-20250805", "claude-opus-4-1"),
        ("claude-opus-4-8", "claude-opus-4-8"),
        ("claude-sonnet-5", "claude-sonnet-5"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1"),
        ("claude-opus-4-5@20251101", "claude-opus-4-5"),
        ("anthropic/claude-opus-4.5", "claude-opus-4-5"),
    ],
)
def test_a_model_belongs_to_the_family_of_its_name_and_version(model: str, row: str) -> None:
    assert family_of(model) is FAMILIES[row]


@pytest.mark.parametrize("model", ["claude-opus-4-9", "claude-opus-7", "claude-next"])
def test_a_claude_newer_than_the_table_is_taken_for_a_new_one(model: str) -> None:
    assert family_of(model) is UNKNOWN_CLAUDE


def test_another_vendors_model_can_do_what_the_api_could_at_first() -> None:
    assert family_of("kimi-k2") is UNKNOWN


@pytest.mark.parametrize("family", [*FAMILIES.values(), UNKNOWN, UNKNOWN_CLAUDE])
def test_families_that_think_adaptively_have_the_efforts_that_every_effort_falls_back_to(
    family: object,
) -> None:
    rows = [f for f in (*FAMILIES.values(), UNKNOWN, UNKNOWN_CLAUDE) if f is family]
    for row in rows:
        if row.thinking in (Thinking.ADAPTIVE, Thinking.ALWAYS):
            assert {"low", "medium", "high"} <= set(row.efforts)
        else:
            assert row.efforts == ()
            assert row.sampling is not Sampling.FIXED
