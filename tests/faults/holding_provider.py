"""A provider in a process of its own: begins streams, holds all of them, and ends them when it is told to.

Prints its port, then reads its standard input: a line lets all streams go on to their end. Each connection
ends with its stream, so that a gateway has none to keep for later.
"""

import asyncio
import sys
from contextlib import suppress

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"%d "}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
)
CHUNKS = 4


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def main() -> None:
    """Serve until standard input ends."""
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            _, _, rest = head.lower().partition(b"content-length:")
            await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
            writer.write(HEAD + _framed(CHUNK % 0))
            await go_on.wait()
            for number in range(1, CHUNKS):
                writer.write(_framed(CHUNK % number))
                await writer.drain()
            writer.write(_framed(FINISH + b"data: [DONE]\n\n") + b"0\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        go_on.set()


if __name__ == "__main__":
    asyncio.run(main())
