"""The recorded exchanges of `../shared/corpus`, which the project tests against where they are present."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

CORPUS: Final = Path(__file__).resolve().parents[3] / "shared" / "corpus"

WHY_SKIPPED: Final = "the recorded exchanges are not here: ../shared/corpus"


@dataclass(frozen=True)
class Exchange:
    """One recorded exchange. `body` is the response's, as bytes that the provider could have sent."""

    id: str
    name: str
    provider: str
    request: dict[str, Any] = field(repr=False)
    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    features: tuple[str, ...]

    @property
    def is_stream(self) -> bool:
        body = self.request.get("body")
        return isinstance(body, dict) and body.get("stream") is True

    def __str__(self) -> str:
        return self.name


@cache
def exchanges(provider: str, kind: str) -> tuple[Exchange, ...]:
    """Return the exchanges of `provider`, in the order of their names; none where the corpus is absent."""
    return tuple(_read(CORPUS / provider / kind))


def _read(folder: Path) -> Iterator[Exchange]:
    for file in sorted(folder.glob("*.json")):
        recorded = json.loads(file.read_text(encoding="utf-8"))
        response = recorded["response"]
        body = response["body"]
        yield Exchange(
            id=recorded["id"],
            name=file.stem,
            provider=recorded["provider"],
            request=recorded["request"],
            status=response["status"],
            headers=response["headers"],
            body=body.encode() if isinstance(body, str) else json.dumps(body).encode(),
            features=tuple(recorded["features"]),
        )
