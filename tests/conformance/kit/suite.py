"""What a dialect's suite is, and how a verdict comes about."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.conformance.kit.split import Make, assert_split
from tests.support.corpus import Exchange


class Check(StrEnum):
    """What is checked of an exchange."""

    DECODE = "decode"
    ROUND_TRIP = "round trip"
    SPLIT = "split"
    TYPED = "typed parity"


NOT_STREAMED: Final = "not a stream"
NO_REQUEST: Final = "only the answer was recorded"
NO_BODY: Final = "the recorded request has no JSON body"
NO_TYPED_FACE: Final = "a refusal of embeddings: refusals are compared for chat, by the same code"
REFUSED: Final = "the provider refused this request, so there is nothing that it was to mean"


@dataclass(frozen=True)
class Suite:
    """How one dialect is checked. `decode` and `round_trip` raise, `AssertionError` mostly, where they fail.

    `decoder_of` gives what makes decoders for an exchange's stream: the split check is the same for all.
    `why_not` gives the reason why a check does not apply to an exchange, None where it does. It reads the
    recording alone, so that the reasons are data: docs/fidelity.md counts them without running a check.
    """

    title: str
    decode: Callable[[Exchange], None]
    round_trip: Callable[[Exchange], None]
    decoder_of: Callable[[Exchange], Make]
    why_not: Callable[[Exchange, Check], str | None]

    def run(self, check: Check, exchange: Exchange) -> None:
        """Run one check that applies."""
        match check:
            case Check.DECODE:
                self.decode(exchange)
            case Check.ROUND_TRIP:
                self.round_trip(exchange)
            case Check.SPLIT:
                assert_split(self.decoder_of(exchange), exchange.body)
            case Check.TYPED:
                msg = "needs a running gateway: see test_typed_parity.py"
                raise NotImplementedError(msg)


def general_reason(exchange: Exchange, check: Check) -> str | None:
    """Return why a check applies to no exchange of this kind, whatever the dialect."""
    match check:
        case Check.SPLIT:
            return None if exchange.status == 200 and is_streamed(exchange) else NOT_STREAMED
        case Check.ROUND_TRIP:
            if exchange.fidelity in ("response-only", "reported"):
                return NO_REQUEST
            if exchange.status != 200:
                return REFUSED
            return None if exchange.asked else NO_BODY
        case Check.TYPED:
            is_refused = exchange.kind == "embeddings" and exchange.status != 200
            return NO_TYPED_FACE if is_refused else None
        case Check.DECODE:
            return None


def is_streamed(exchange: Exchange) -> bool:
    """Whether the recorded answer is a stream, whatever the request said: of events, or Gemini's array."""
    start = exchange.body.lstrip()[:8]
    is_sse = start.startswith((b"data:", b"event:", b":", b"id:", b"retry:"))
    is_array = exchange.kind == "generate_content" and start[:1] == b"["
    return is_sse or is_array or (exchange.body[:2] == b"\0\0" and exchange.kind == "converse")
