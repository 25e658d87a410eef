"""Log lines leave in their order, off the event loop, and none is lost when a process ends by itself."""

import select
import subprocess
import sys
import threading

import pytest

from launch.lines import MAX_LINES, LineWriter, together


class Pipe:
    """A stream whose reader may be away."""

    def __init__(self) -> None:
        self.text = ""
        self.open = threading.Event()
        self.open.set()

    def write(self, text: str) -> int:
        self.open.wait()
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def test_lines_leave_in_their_order() -> None:
    pipe = Pipe()
    writer = LineWriter(pipe)  # type: ignore[arg-type]  # (as much of a stream as it uses)
    for number in range(1000):
        writer.write(f"{number}\n")
    writer.close()

    assert pipe.text == "".join(f"{number}\n" for number in range(1000))


def test_a_reader_who_is_away_keeps_nobody_waiting_and_memory_is_bounded() -> None:
    pipe = Pipe()
    pipe.open.clear()
    writer = LineWriter(pipe)  # type: ignore[arg-type]  # (as above)
    for number in range(MAX_LINES + 10):
        writer.write(f"{number}\n")
    pipe.open.set()
    writer.close()

    lines = pipe.text.splitlines()
    assert lines[-1] == f"{MAX_LINES + 9}" or "dropped" in lines[-1]
    assert len(lines) <= MAX_LINES + 11


def test_a_process_that_ends_has_said_everything() -> None:
    program = (
        "from launch.lines import STANDARD_ERROR\n"
        "for number in range(5000):\n"
        "    STANDARD_ERROR.write(f'{number}\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stderr.split() == [str(number) for number in range(5000)]


def test_a_stream_that_is_gone_is_no_failure() -> None:
    class Gone(Pipe):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    writer = LineWriter(Gone())  # type: ignore[arg-type]  # (as above)
    writer.write("x\n")
    writer.close()


def test_a_pipe_that_nobody_reads_does_not_keep_a_process_from_ending() -> None:
    program = (
        "from launch.lines import STANDARD_ERROR\n"
        "for number in range(5000):\n"
        "    STANDARD_ERROR.write('x' * 100 + '\\n')\n"
        "print('said')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.read() == "said\n"
        assert process.wait(60) == 0


@pytest.mark.parametrize("letter", ["a", "\u00e9", "\U0001f600"])
def test_lines_are_written_whole_and_as_many_at_once_as_a_pipe_takes_in_one_piece(
    letter: str,
) -> None:
    lines = [letter * (10 * number) + "\n" for number in range(40)]
    pieces = list(together(lines))

    assert "".join(pieces) == "".join(lines)
    assert all(piece.endswith("\n") for piece in pieces)
    assert all(len(piece.encode()) <= select.PIPE_BUF for piece in pieces)
    assert len(pieces) < len(lines) / 2


def test_a_line_that_is_longer_is_written_by_itself() -> None:
    long = "x" * select.PIPE_BUF + "\n"

    assert list(together(["a\n", long, "b\n"])) == ["a\n", long, "b\n"]
