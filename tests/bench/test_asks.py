import json

import pytest

from bench.asks import Ask, Orders, orders, request


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (Ask(answer=5000, delay=30), Orders(size=5000, delay=30)),
        (Ask(chunks=203, gap=20), Orders(size=1300, chunks=203, gap=20)),
        (Ask(embeds=True), Orders()),
    ],
)
def test_the_mock_reads_what_the_load_asks_for(ask: Ask, told: Orders) -> None:
    head, _, body = request(ask, 8080, {"x-more": "1"}).partition(b"\r\n\r\n")

    assert orders(body) == told
    assert f"content-length: {len(body)}".encode() in head
    assert b"x-more: 1" in head


def test_gateways_may_write_the_body_anew() -> None:
    body = request(Ask(chunks=7, gap=5), 8080, {}).partition(b"\r\n\r\n")[2]

    assert orders(json.dumps(json.loads(body), indent=2).encode()) == Orders(chunks=7, gap=5)


def test_a_body_has_the_size_that_is_asked_for() -> None:
    small, large = (len(request(Ask(size=size), 8080, {})) for size in (1000, 101_000))

    assert large - small == pytest.approx(100_000, abs=10)
