"""The callers: each kind of call, and what it must be answered with."""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, Final, Protocol

import aiohttp
import grpc

from tests.soak.ledger import FAILURES, Ledger, is_error
from tests.support.typed import Stubs, streamed, unary
from tests.support.typed import read as read_failure

MODELS: Final = ("solid", "mixed", "mixed", "broken")
"""`solid` runs at providers that always answer, `broken` at none that does."""

CALL_SECONDS: Final = 90.0
"""A call that takes longer hangs."""

_TOLD: Final = frozenset({
    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED,
})  # fmt: skip

_BAD: Final[tuple[tuple[bytes, int], ...]] = (
    (b"{", 400),
    (b'{"model": "mixed"}', 400),
    (b'{"model": "no-such-model", "messages": []}', 404),
    (b'{"model": "mixed", "messages": "no list"}', 400),
    (b'{"model": "embed", "messages": []}', 400),
)


class Kind(Protocol):
    """One kind of call: told its id and the model to ask for."""

    __name__: str

    def __call__(self, call: str, model: str) -> Coroutine[Any, Any, None]: ...


@dataclass
class Callers:
    """All callers of one gateway."""

    url: str
    http: aiohttp.ClientSession
    typed: Stubs
    ledger: Ledger
    random: Random
    stop: asyncio.Event

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self._kinds: dict[Kind, int] = {
            self.unary: 24, self.stream: 30, self.embedding: 10, self.typed_unary: 10,
            self.typed_stream: 10, self.leaver: 8, self.slow_reader: 4, self.hurried: 4,
            self.bad: 6, self.models: 2,
        }  # fmt: skip

    async def call_on(self) -> None:
        """Call until told to stop."""
        while not self.stop.is_set():
            (kind,) = self.random.choices(list(self._kinds), list(self._kinds.values()))
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await kind(f"call-{next(self._numbers)}", self.random.choice(MODELS))
            except TimeoutError:
                self.ledger.must_not_be("a call that hangs", kind.__name__)
            except aiohttp.ClientError as exc:
                self.ledger.must_not_be("a connection that broke", f"{kind.__name__} {exc!r}")
            await asyncio.sleep(self.random.uniform(0.0, 0.3))

    def _chat(self, call: str, model: str, **fields: object) -> dict[str, object]:
        return {"model": model, "messages": [{"role": "user", "content": call}], **fields}

    def _post(self, body: object, path: str = "chat/completions", **headers: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(f"{self.url}/v1/{path}", data=data, headers=sent)

    def _refused(self, kind: str, model: str, status: int, body: bytes) -> None:
        self.ledger.saw(kind, f"told {status}")
        self.ledger.refused(model, status, body, frozenset() if model == "solid" else FAILURES)

    async def unary(self, call: str, model: str, **headers: str) -> None:
        async with self._post(self._chat(call, model), **headers) as response:
            body = await response.read()
        if response.status != 200:
            allowed_late = model == "solid" and headers and response.status == 504
            self._refused("unary", "mixed" if allowed_late else model, response.status, body)
            return
        text = json.loads(body)["choices"][0]["message"]["content"]
        self.ledger.answered(call, [text])
        self.ledger.saw("unary", "answered")

    async def hurried(self, call: str, model: str) -> None:
        await self.unary(call, model, x_trunkline_timeout="0.5")

    async def stream(self, call: str, model: str, pause: float = 0.0) -> None:
        async with self._post(self._chat(call, model, stream=True)) as response:
            if response.status != 200:
                self._refused("stream", model, response.status, await response.read())
                return
            texts: list[str] = []
            error, is_done = None, False
            async for payload in frames(response):
                if payload == b"[DONE]":
                    is_done = True
                    continue
                if is_done:
                    self.ledger.must_not_be("something after [DONE]", payload)
                fields = json.loads(payload)
                error = fields.get("error") or error
                texts += texts_of(fields)
                if pause:
                    await asyncio.sleep(pause)
        if error is not None and not is_error(error):
            self.ledger.must_not_be("an error frame that is not in OpenAI's shape", error)
        if error and model == "solid":
            self.ledger.must_not_be("a solid stream that broke", error)
        self.ledger.streamed(call, texts, is_done=is_done, error=error)
        self.ledger.saw("stream", "broke off and said so" if error else "whole")

    async def slow_reader(self, call: str, model: str) -> None:
        await self.stream(call, model, pause=0.2)

    async def leaver(self, call: str, model: str) -> None:
        """Leave after so many frames, or before any."""
        wanted = self.random.randint(0, 3)
        async with self._post(self._chat(call, model, stream=True)) as response:
            texts: list[str] = []
            if response.status == 200 and wanted:
                async for payload in frames(response):
                    if payload != b"[DONE]":
                        texts += texts_of(json.loads(payload))
                    if len(texts) >= wanted:
                        break
            response.close()
        if texts:
            self.ledger.answered(call, texts)
        self.ledger.saw("leaver", "left")

    async def embedding(self, call: str, model: str) -> None:
        async with self._post({"model": "embed", "input": call}, "embeddings") as response:
            body = await response.read()
        if response.status != 200:
            self._refused("embedding", "embed", response.status, body)
            return
        number, attempt = json.loads(body)["data"][0]["embedding"]
        if number != float(call.removeprefix("call-")):
            self.ledger.must_not_be("an answer to another call", (call, number))
        self.ledger.first_time(f"embedding-{attempt}")
        self.ledger.saw("embedding", "answered")

    async def typed_unary(self, call: str, model: str) -> None:
        try:
            answer = await self.typed.chat.CreateChatCompletion(unary(call, model))
        except grpc.aio.AioRpcError as exc:
            self._typed_failure("typed unary", model, exc)
            return
        self.ledger.answered(call, [answer.completion.choices[0].message.content])
        self.ledger.saw("typed unary", "answered")

    async def typed_stream(self, call: str, model: str) -> None:
        texts: list[str] = []
        failure: grpc.aio.AioRpcError | None = None
        try:
            async for message in self.typed.chat.StreamChatCompletion(streamed(call, model)):
                choices = message.chunk.choices
                texts += [c.delta.content for c in choices if c.delta.content]
        except grpc.aio.AioRpcError as exc:
            failure = exc
            self._typed_failure("typed stream", model, exc)
        if texts:
            # An OK status is what `[DONE]` is over HTTP: the stream is complete, mark or not.
            self.ledger.typed_streamed(call, texts, is_ok=failure is None)
        if failure is None:
            self.ledger.saw("typed stream", "whole")

    def _typed_failure(self, kind: str, model: str, exc: grpc.aio.AioRpcError) -> None:
        self.ledger.saw(kind, f"told {exc.code().name}")
        if exc.code() not in _TOLD or model == "solid":
            self.ledger.must_not_be(
                "an unexpected status", (kind, model, exc.code(), exc.details())
            )
        if not read_failure(exc).info.reason:
            self.ledger.must_not_be("a typed failure without its reason", exc.details())

    async def bad(self, call: str, model: str) -> None:
        body, expected = self.random.choice(_BAD)
        async with self._post(body) as response:
            self.ledger.refused(
                "bad", response.status, await response.read(), frozenset({expected})
            )
        self.ledger.saw("bad", f"told {response.status}")

    async def models(self, call: str, model: str) -> None:
        async with self.http.get(f"{self.url}/v1/models") as response:
            listed = {entry["id"] for entry in (await response.json())["data"]}
        if not listed >= {"solid", "mixed", "broken", "embed"}:
            self.ledger.must_not_be("a list that lacks models", listed)
        self.ledger.saw("models", "listed")


async def frames(response: aiohttp.ClientResponse) -> Any:
    """Yield the payloads of an event stream; what stands at its end without a blank line too."""
    left = b""
    async for data in response.content.iter_any():
        *whole, left = (left + data).split(b"\n\n")
        for event in whole:
            if event.startswith(b"data: "):
                yield event.removeprefix(b"data: ")
    if left:
        yield left


def texts_of(fields: dict[str, Any]) -> list[str]:
    deltas = [choice["delta"].get("content") for choice in fields.get("choices", ())]
    return [text for text in deltas if text]
