import pytest

from bench.events import Events


def chunk(sent: int) -> bytes:
    return b'data: {"choices":[{"delta":{"content":"t=%019d word"}}]}\n\n' % sent


STREAM = (
    b'data: {"role":"assistant"}\n\n' + chunk(100) + chunk(200) + chunk(300) + b"data: [DONE]\n\n"
)


@pytest.mark.parametrize("size", [1, 7, 61, 1000])
def test_chunks_are_counted_however_they_arrive(size: int) -> None:
    events = Events(is_timed=False)

    for at in range(0, len(STREAM), size):
        events.take(STREAM[at : at + size], 1000)

    assert (events.count, events.is_done) == (4, True)


def test_delays_are_from_sending_to_arrival_and_gaps_what_is_added_between() -> None:
    events = Events(is_timed=True)

    events.take(chunk(100), 110)
    events.take(chunk(200) + chunk(300), 350)

    assert events.first == 110
    assert events.delays == [10, 150, 50]
    assert events.gaps == [140, -100]
    assert events.times == [110, 350, 350]


def test_a_stream_without_its_end_mark_is_not_done() -> None:
    events = Events(is_timed=False)

    events.take(chunk(1), 5)

    assert not events.is_done
