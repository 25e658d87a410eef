"""Answers over TLS come whole, however fast they come and whatever becomes of their connection.

In processes of their own: which certificates are trusted is settled when aiohttp is imported.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tls import certificate

SIZE = 1_500_000
"""Bytes: more than we keep for a reader who is away, and TLS. The socket takes all of it, where the system
lets it, so that the provider is gone before it is read."""

PROGRAM = """
import asyncio, os, socket, ssl, sys, threading, uvloop
from router.errors import UpstreamError
from router.transport.http import AiohttpTransport
from router.wire.http import HttpRequest

framing, end, reader, size = sys.argv[1:4] + [int(sys.argv[4])]
body = b"x" * size
heads = {
    "lasting": b"connection: close\\r\\n\\r\\n",
    "sized": b"content-length: %d\\r\\n\\r\\n" % size,
    "chunked": b"transfer-encoding: chunked\\r\\n\\r\\n",
}
sent = body if framing != "chunked" else b"%x\\r\\n%b\\r\\n0\\r\\n\\r\\n" % (size, body)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.environ["BOTH"])
listening = socket.create_server(("127.0.0.1", 0))

def serve():
    connection = context.wrap_socket(listening.accept()[0], server_side=True)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * size)
    asked = b""
    while not asked.endswith(b"{}"):
        asked += connection.recv(65536)
    try:
        connection.sendall(b"HTTP/1.1 200 OK\\r\\n" + heads[framing] + sent)
        if end == "told":
            connection.unwrap()
    except OSError:
        pass
    os.close(connection.detach())

async def ask():
    transport = AiohttpTransport()
    url = f"https://localhost:{listening.getsockname()[1]}/"
    read = 0
    async with transport.send(HttpRequest("POST", url, body=b"{}"), connect_timeout=20) as answer:
        while piece := await answer.read_some():
            read += len(piece)
            if reader == "slow":
                await asyncio.sleep(0.02)
    print(read)
    await transport.close()

serving = threading.Thread(target=serve, daemon=True)
serving.start()
uvloop.run(ask())
serving.join(20)
"""


@pytest.mark.parametrize("reader", ["quick", "slow"])
@pytest.mark.parametrize("end", ["told", "not told"])
@pytest.mark.parametrize("framing", ["lasting", "sized", "chunked"])
def test_an_answer_comes_whole(tmp_path: Path, framing: str, end: str, reader: str) -> None:
    both, alone = certificate(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, framing, end, reader, str(SIZE)],
        env={**os.environ, "SSL_CERT_FILE": str(alone), "BOTH": str(both)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.stdout.strip(), done.stderr) == (str(SIZE), "")
