"""What a soak must not see is seen by its ledger."""

import json
from collections.abc import Sequence

import pytest

from tests.soak.ledger import Ledger
from tests.soak.marks import Ending, Mark

CALL = "call-1"


def texts(
    parts: Sequence[int], ending: Ending, *, of: int = 3, call: str = CALL, attempt: str = "a-1"
) -> list[str]:
    return [Mark(call, attempt, part, of, ending).text() for part in parts]


def streamed(given: Sequence[str], *, is_done: bool, error: object = None) -> list[str]:
    ledger = Ledger()
    ledger.streamed(CALL, given, is_done=is_done, error=error)
    return list(ledger.violations)


@pytest.mark.parametrize(
    ("given", "is_done", "error"),
    [
        (texts([0, 1, 2], Ending.WHOLE), True, None),
        (texts([0, 1, 2], Ending.UNMARKED), False, None),
        (texts([0, 1], Ending.CUT), False, "cut"),
        (texts([0], Ending.ERROR), False, "error"),
    ],
)
def test_what_the_provider_meant_is_no_violation(
    given: list[str], is_done: bool, error: object
) -> None:
    assert streamed(given, is_done=is_done, error=error) == []


@pytest.mark.parametrize(
    ("given", "is_done", "error", "violation"),
    [
        (texts([0, 2], Ending.WHOLE), True, None, "parts lost, doubled or out of order"),
        (texts([0, 1, 1, 2], Ending.WHOLE), True, None, "parts lost, doubled or out of order"),
        (texts([1, 0, 2], Ending.WHOLE), True, None, "parts lost, doubled or out of order"),
        (texts([0, 1], Ending.WHOLE), True, None, "a whole stream that arrived in part"),
        (texts([0, 1, 2], Ending.WHOLE), False, None, "a [DONE] that was lost"),
        (texts([0, 1, 2], Ending.WHOLE), True, "error", "a whole stream that arrived in part"),
        (texts([0, 1], Ending.CUT), True, "cut", "a forged [DONE]"),
        (texts([0, 1, 2], Ending.UNMARKED), True, None, "a forged [DONE]"),
        (texts([0, 1], Ending.RESET), False, None, "a broken stream that nobody was told of"),
        (texts([0, 1, 2], Ending.WHOLE, call="call-2"), True, None, "an answer to another call"),
        (
            texts([0], Ending.WHOLE) + texts([1, 2], Ending.WHOLE, attempt="b-2"),
            True,
            None,
            "an answer put together from two attempts",
        ),
        (["made up"], True, None, "an answer that no provider gave"),
        ([], True, None, "an answer without content"),
    ],
)
def test_what_must_not_be_is_a_violation(
    given: list[str], is_done: bool, error: object, violation: str
) -> None:
    assert violation in streamed(given, is_done=is_done, error=error)


def test_one_attempt_answers_one_call() -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.answered(CALL, texts([0], Ending.WHOLE, of=1))

    assert list(ledger.violations) == ["one answer for two calls"]


@pytest.mark.parametrize(
    ("is_ok", "given"),
    [
        (True, texts([0, 1], Ending.CUT)),
        (True, texts([0, 1], Ending.WHOLE)),
        (False, texts([0, 1, 2], Ending.WHOLE)),
    ],
)
def test_a_typed_stream_that_ends_otherwise_than_meant_is_a_violation(
    is_ok: bool, given: list[str]
) -> None:
    ledger = Ledger()
    ledger.typed_streamed(CALL, given, is_ok=is_ok)

    assert ledger.violations


@pytest.mark.parametrize(
    ("status", "body", "violations"),
    [
        (502, {"error": {"message": "m", "type": "t", "param": None, "code": None}}, []),
        (500, {"error": {"message": "m", "type": "t", "param": None, "code": None}}, 1),
        (502, {"detail": "m"}, 1),
        (502, {"error": "m"}, 1),
    ],
)
def test_failures_have_their_status_and_shape(
    status: int, body: object, violations: int | list[str]
) -> None:
    ledger = Ledger()
    ledger.refused("m", status, json.dumps(body).encode(), frozenset({502}))

    assert len(ledger.violations) == (violations or 0)
