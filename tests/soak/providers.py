"""Scripted providers in a process of their own: `python -m tests.soak.providers` prints their addresses.

`solid` ones answer, some of them slowly. `flaky` ones do all that providers are known to do wrong. What
comes is drawn by a seeded generator; the process ends with its standard input.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import count
from random import Random
from typing import Any, Final

from tests.soak.marks import Ending, Mark
from tests.support.upstream import (
    Connection,
    Request,
    Script,
    garbage,
    hang,
    reply,
    reset,
    truncated,
    upstream,
)

_OUT_OF_ORDER: Final = {
    "error": {"message": "out of order", "type": "server_error", "param": None, "code": None}
}

_FAILURES: Final[dict[str, Script]] = {
    "500": reply(_OUT_OF_ORDER, 500),
    "503": reply(_OUT_OF_ORDER, 503, retry_after="1"),
    "529": reply(b"<html>overloaded</html>", 529, content_type="text/html"),
    "429": reply(_OUT_OF_ORDER, 429, retry_after="1"),
    "reset": reset,
    "hang": hang,
    "garbage": garbage(),
    "truncated": truncated(b'{"id": "half', 500),
}

WEIGHTS: Final[dict[str, dict[str, float]]] = {
    "solid": {"whole": 8},
    "slow": {"whole": 2, "slowly": 8},
    "flaky": {
        "whole": 40, "slowly": 10, "500": 5, "503": 3, "529": 2, "429": 2, "reset": 4, "hang": 0.5,
        "garbage": 3, "truncated": 3, "unmarked": 4, "cut": 5, "broken": 4, "error": 4, "garbled": 3,
    },
}  # fmt: skip
WEIGHTS["shaky"] = WEIGHTS["flaky"]

_ENDINGS: Final = {
    "unmarked": Ending.UNMARKED,
    "cut": Ending.CUT,
    "broken": Ending.RESET,
    "error": Ending.ERROR,
    "garbled": Ending.GARBLED,
}


class Provider:
    """Answers as it is drawn."""

    def __init__(self, name: str, attempts: Callable[[], int]) -> None:
        self._name = name
        self._random = Random(name)
        self._attempts = attempts

    async def script(self, request: Request, connection: Connection) -> None:
        weights = WEIGHTS[self._name]
        (drawn,) = self._random.choices(list(weights), list(weights.values()))
        if drawn in _FAILURES:
            await _FAILURES[drawn](request, connection)
            return
        fields = request.fields
        pause = self._random.uniform(0.01, 0.1) if drawn == "slowly" else 0.0
        attempt = f"{self._name}-{self._attempts()}"
        if "input" in fields:
            await asyncio.sleep(pause)
            await reply(_embedding(fields, int(attempt.rpartition("-")[2])))(request, connection)
            return
        call = fields["messages"][-1]["content"]
        ending = _ENDINGS.get(drawn, Ending.WHOLE)
        if fields.get("stream"):
            await self._stream(connection, call, attempt, ending, pause)
        elif ending in {Ending.WHOLE, Ending.UNMARKED}:
            await asyncio.sleep(pause)
            mark = Mark(call, attempt, 0, 1, Ending.WHOLE)
            await reply(_completion(mark.text()))(request, connection)
        else:
            await reset(request, connection)

    async def _stream(
        self, connection: Connection, call: str, attempt: str, ending: Ending, pause: float
    ) -> None:
        parts = self._random.randint(2, 20)
        until = (
            parts
            if ending in {Ending.WHOLE, Ending.UNMARKED}
            else self._random.randint(1, parts - 1)
        )
        padding = self._random.choice((0, 0, 50, 4000))
        await connection.head(200, {"content-type": "text/event-stream"})
        for part in range(until):
            text = Mark(call, attempt, part, parts, ending).text(padding)
            await connection.chunk(_event(_chunk({"content": text})))
            if pause:
                await asyncio.sleep(pause)
        match ending:
            case Ending.RESET:
                connection.reset()
                return
            case Ending.ERROR:
                await connection.chunk(_event(_OUT_OF_ORDER))
            case Ending.GARBLED:
                await connection.chunk(b'data: {"choices": [{]\n\n')
            case Ending.WHOLE:
                await connection.chunk(_event(_chunk({}, "stop")) + b"data: [DONE]\n\n")
            case Ending.UNMARKED:
                await connection.chunk(_event(_chunk({}, "stop")))
        await connection.end()


def _chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }


def _completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def _embedding(fields: dict[str, Any], attempt: int) -> dict[str, Any]:
    vector = [float(fields["input"].removeprefix("call-")), float(attempt)]
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    return {
        "object": "list",
        "data": data,
        "model": "m",
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }


def _event(fields: object) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


async def main() -> None:
    attempts = count(1)
    async with AsyncExitStack() as stack:
        addresses = {}
        for name in WEIGHTS:
            provider = await stack.enter_async_context(upstream(hang))
            provider.script = Provider(name, lambda: next(attempts)).script
            provider.requests = _Forgetful()
            addresses[name] = provider.url
        sys.stdout.write(json.dumps(addresses) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


class _Forgetful(list[Request]):
    """Keeps nothing: a soak is long."""

    def append(self, item: Request, /) -> None:
        """Do nothing."""


if __name__ == "__main__":
    asyncio.run(main())
