"""docs/fidelity.md is what the tables say, and each exchange is checked or has its reason."""

import pytest

from tests.conformance.kit import fidelity
from tests.conformance.kit.results import keys_of
from tests.conformance.kit.suite import Check
from tests.conformance.kit.suites import UNCHECKED, why_not
from tests.support.corpus import WHY_SKIPPED, everything

needs_corpus = pytest.mark.skipif(not everything(), reason=WHY_SKIPPED)


@needs_corpus
def test_the_page_is_current() -> None:
    committed = fidelity.PAGE.read_text(encoding="utf-8")

    assert committed == fidelity.page(), "run `make fidelity`"


@needs_corpus
def test_every_kind_of_exchange_is_spoken_or_has_its_reason() -> None:
    assert [e for e in everything() if why_not(e, Check.DECODE) == UNCHECKED] == []


@pytest.mark.parametrize(
    ("test", "checks"),
    [
        ("test_a_recorded_answer_says_the_same", [Check.DECODE]),
        ("test_a_stream_gives_the_same_however_its_bytes_arrive", [Check.SPLIT]),
        ("test_a_request_asks_the_provider_for_the_same", [Check.ROUND_TRIP]),
        ("test_both_faces_say_the_same", [Check.TYPED]),
        ("test_every_openai_style_answer_passes_unchanged", [Check.DECODE, Check.ROUND_TRIP]),
    ],
)
def test_a_test_counts_for_the_exchange_in_its_id(test: str, checks: list[Check]) -> None:
    found = keys_of(f"tests/x.py::{test}[openai/chat/plain__0a1b2c3d4e]")

    assert found == [("0a1b2c3d4e", check) for check in checks]
    assert keys_of(f"tests/x.py::{test}") == []
