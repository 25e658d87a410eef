"""The floor: the least that can stand between a client and a provider with the libraries of the gateway.

Tornado's server, aiohttp's client, uvloop, one process, no feature: what the gateway costs beyond this is
what it does. Prints its port.
"""

import argparse
import asyncio
import sys

import aiohttp
import uvloop
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

_LARGEST = 64 * 1024 * 1024


class _Relay(RequestHandler):
    def initialize(self, session: aiohttp.ClientSession, upstream: str) -> None:
        self._session = session
        self._upstream = upstream

    async def post(self) -> None:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        url = self._upstream + self.request.path
        async with self._session.post(url, data=self.request.body, headers=headers) as answer:
            self.set_status(answer.status)
            kind = answer.headers.get("content-type", "")
            self.set_header("content-type", kind)
            if not kind.startswith("text/event-stream"):
                await self.finish(await answer.read())
                return
            try:
                async for data in answer.content.iter_any():
                    self.write(data)
                    await self.flush()
            except StreamClosedError:
                return


async def _serve(port: int, upstream: str) -> None:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
    )
    routes = [("/v1/.*", _Relay, {"session": session, "upstream": upstream})]
    server = HTTPServer(
        Application(routes, log_function=lambda _: None),
        max_buffer_size=2 * _LARGEST,
        no_keep_alive=False,
    )
    sockets = bind_sockets(port, "127.0.0.1", backlog=4096)
    server.add_sockets(sockets)
    sys.stdout.write(f"http://127.0.0.1:{sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("upstream", help="the provider's address, without a path")
    arguments = parser.parse_args()
    uvloop.run(_serve(arguments.port, arguments.upstream))


if __name__ == "__main__":
    main()
