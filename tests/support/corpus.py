"""The recorded exchanges of `../shared/corpus`, which the project tests against where they are present."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.support.aws_events import stream

CORPUS: Final = Path(__file__).resolve().parents[3] / "shared" / "corpus"

WHY_SKIPPED: Final = "the recorded exchanges are not here: ../shared/corpus"


@dataclass(frozen=True, eq=False)
class Exchange:
    """One recorded exchange. `body` is the response's, as bytes that the provider could have sent.

    `fidelity` says how it was recorded: at HTTP level, from an SDK's objects, or its response alone.
    """

    id: str
    name: str
    provider: str
    request: dict[str, Any] = field(repr=False)
    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    features: tuple[str, ...]
    kind: str = "chat"
    path: str = ""
    model: str = ""
    fidelity: str = "wire"

    @property
    def is_stream(self) -> bool:
        body = self.request.get("body")
        return isinstance(body, dict) and body.get("stream") is True

    @property
    def asked(self) -> dict[str, Any]:
        """The recorded request's body; empty where none was recorded."""
        body = self.request.get("body")
        return body if isinstance(body, dict) else {}

    def __str__(self) -> str:
        return self.name


@cache
def exchanges(provider: str, kind: str) -> tuple[Exchange, ...]:
    """Return the exchanges of `provider`, in the order of their names; none where the corpus is absent."""
    return tuple(_read(CORPUS / provider / kind))


@cache
def everything() -> tuple[Exchange, ...]:
    """Return all exchanges of the corpus, by provider and kind; none where the corpus is absent."""
    folders = sorted({file.parent for file in CORPUS.glob("*/*/*.json")})
    return tuple(e for folder in folders for e in exchanges(folder.parent.name, folder.name))


def _read(folder: Path) -> Iterator[Exchange]:
    for file in sorted(folder.glob("*.json")):
        recorded = json.loads(file.read_text(encoding="utf-8"))
        response = recorded["response"]
        yield Exchange(
            id=recorded["id"],
            name=file.stem,
            provider=recorded["provider"],
            request=recorded["request"] or {},
            status=response["status"],
            headers=response["headers"],
            body=_bytes_of(response["body"]),
            features=tuple(recorded["features"]),
            kind=recorded["kind"],
            path=recorded["path"],
            model=recorded["model"] or "",
            fidelity=recorded["fidelity"],
        )


def _bytes_of(body: Any) -> bytes:
    """Return a recorded body as bytes: text as it is, an AWS event stream whole, JSON written anew."""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, dict) and "decoded_events" in body:
        return base64.b64decode(body["base64"]) if "base64" in body else _framed(body)
    return json.dumps(body).encode()


def _framed(body: dict[str, Any]) -> bytes:
    """Return an AWS event stream of which only the events were recorded."""
    events = body["decoded_events"]
    named = ({e["headers"][":event-type"]: e["payload"]} if "headers" in e else e for e in events)
    return stream(list(named))
