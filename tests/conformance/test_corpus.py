"""Every recorded exchange under every check that applies; `make conformance` prints the same verdicts."""

from typing import Any

import pytest

from tests.conformance.kit import split
from tests.conformance.kit.suite import Check, Suite, is_streamed
from tests.conformance.kit.suites import applicable, suite_of
from tests.support.corpus import WHY_SKIPPED, Exchange, everything

pytestmark = pytest.mark.skipif(not everything(), reason=WHY_SKIPPED)


def cases(check: Check) -> list[Any]:
    return [pytest.param(e, id=f"{e.provider}/{e.kind}/{e}") for e in applicable(check)]


def its_suite(exchange: Exchange) -> Suite:
    suite = suite_of(exchange)
    assert suite is not None
    return suite


@pytest.mark.parametrize("exchange", cases(Check.DECODE))
def test_an_answer_says_the_same_in_openai_words(exchange: Exchange) -> None:
    its_suite(exchange).decode(exchange)


@pytest.mark.parametrize("exchange", cases(Check.ROUND_TRIP))
def test_a_request_asks_the_provider_for_the_same(exchange: Exchange) -> None:
    its_suite(exchange).round_trip(exchange)


@pytest.mark.parametrize("exchange", cases(Check.SPLIT))
def test_a_stream_gives_the_same_however_its_bytes_arrive(exchange: Exchange) -> None:
    its_suite(exchange).run(Check.SPLIT, exchange)


def test_the_corpus_is_as_large_as_its_index_says() -> None:
    assert len(everything()) >= 2588


def long_streams() -> list[Any]:
    found = []
    for exchange in applicable(Check.SPLIT):
        assert is_streamed(exchange)
        if len(exchange.body) > split.ALL_SPLITS_UP_TO:
            for cuts in split.portions(exchange.body):
                name = f"{exchange.provider}/{exchange.kind}/{exchange}-{cuts.start}"
                found.append(pytest.param(exchange, cuts, id=name))
    return found


@pytest.mark.full
@pytest.mark.parametrize(("exchange", "cuts"), long_streams())
def test_a_long_stream_may_be_cut_anywhere(exchange: Exchange, cuts: range) -> None:
    split.assert_cuts(its_suite(exchange).decoder_of(exchange), exchange.body, cuts)
