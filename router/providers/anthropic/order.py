"""The order of an answer's blocks: with it a replayed turn is the very turn that the provider made.

OpenAI's message sorts what Anthropic interleaves: text, thinking, calls, the provider's own tools and
their results. Where putting them back in the usual order (thinking, provider's blocks, text, calls) would
make another turn, the message says how they stood, in the extra field `block_order`::

    [{"type": "thinking"}, {"type": "text", "length": 21}, {"type": "provider_block"},
     {"type": "text", "length": 130, "citations": 2}, {"type": "tool_call"}]

Each entry takes the next of its list: `thinking_blocks`, `provider_blocks`, `tool_calls`, `citations`; a
text takes that many characters of `content`. Whoever continues a paused turn needs no more than to send
the message back; a caller who changed it gets the usual order.
"""

from collections.abc import Iterator
from typing import Any, Final

from router.providers.anthropic.draft import Block

FIELD: Final = "block_order"

ENTRY_SIZE: Final = 64
"""About what an entry takes in memory, in bytes."""

_THINKING, _TEXT, _PROVIDER, _CALL = "thinking", "text", "provider_block", "tool_call"

_USUAL: Final = (_THINKING, _PROVIDER, _TEXT, _CALL)


class Order:
    """The order of blocks as they come; lives as long as one answer."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._text: dict[str, Any] | None = None

    def thinking(self) -> None:
        self._add(_THINKING)

    def provider_block(self) -> None:
        self._add(_PROVIDER)

    def call(self) -> None:
        self._add(_CALL)

    def begin_text(self) -> None:
        """Begin a text; it gets its entry with what it first holds."""
        self._text = None

    def text(self, length: int) -> None:
        """Count characters of the text under way."""
        if length:
            self._open_text()["length"] += length

    def citation(self) -> None:
        """Count a citation of the text under way, which may still be empty."""
        entry = self._open_text()
        entry["citations"] = entry.get("citations", 0) + 1

    def _open_text(self) -> dict[str, Any]:
        if self._text is None:
            self._text = {"type": _TEXT, "length": 0}
            self.entries.append(self._text)
        return self._text

    def _add(self, kind: str) -> None:
        self.entries.append({"type": kind})
        self._text = None

    @property
    def is_usual(self) -> bool:
        """Whether the blocks are put back as they stood without being told how."""
        kinds = [entry["type"] for entry in self.entries]
        is_sorted = kinds == sorted(kinds, key=_USUAL.index)
        is_cited = any("citations" in entry for entry in self.entries)
        return is_sorted and not is_cited


class Parts:
    """The blocks of a replayed turn, sorted as OpenAI's message has them.

    A thinking block is None where it cannot be replayed.
    """

    def __init__(
        self,
        thinking: list[Block | None],
        provider_blocks: list[Block],
        said: list[Block],
        calls: list[Block],
        citations: Any,
    ) -> None:
        self._thinking, self._provider_blocks = thinking, provider_blocks
        self._said, self._calls = said, calls
        self._citations = [_citation(entry) for entry in citations or () if isinstance(entry, dict)]

    def in_usual_order(self) -> list[Block]:
        """Return the blocks as they nearly always stand."""
        return [*filter(None, self._thinking), *self._provider_blocks, *self._said, *self._calls]

    def woven(self, entries: Any) -> list[Block] | None:
        """Return the blocks in the order that `entries` tell; None where they do not tell it of these."""
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            return None
        if not all(block.keys() == {"type", "text"} for block in self._said):
            return None
        text = "".join(block["text"] for block in self._said)
        lists: dict[str, list[Block | None]] = {
            _THINKING: self._thinking,
            _PROVIDER: [*self._provider_blocks],
            _CALL: [*self._calls],
        }
        texts = [entry for entry in entries if entry.get("type") == _TEXT]
        kinds = [entry.get("type") for entry in entries if entry.get("type") != _TEXT]
        fits = (
            all(_counts(entry) for entry in texts)
            and sum(entry["length"] for entry in texts) == len(text)
            and sum(entry.get("citations", 0) for entry in texts) in (0, len(self._citations))
            and sorted(map(str, kinds)) == sorted(k for k, blocks in lists.items() for _ in blocks)
        )
        return [*filter(None, self._taken(text, lists, entries))] if fits else None

    def _taken(
        self, text: str, lists: dict[str, list[Block | None]], entries: list[dict[str, Any]]
    ) -> Iterator[Block | None]:
        left = {kind: iter(blocks) for kind, blocks in lists.items()}
        at = cited = 0
        for entry in entries:
            if entry["type"] != _TEXT:
                yield next(left[entry["type"]])
                continue
            block: Block = {"type": "text", "text": text[at : at + entry["length"]]}
            citations = self._citations[cited : cited + entry.get("citations", 0)]
            at += entry["length"]
            cited += len(citations)
            if block["text"]:
                yield block | ({"citations": citations} if citations else {})


def _counts(entry: dict[str, Any]) -> bool:
    """Whether the numbers of a text's entry are numbers."""
    counts = (entry.get("length"), entry.get("citations", 0))
    return all(isinstance(count, int) and count >= 0 for count in counts)


def _citation(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a citation without the `index` of a stream's list."""
    return {key: value for key, value in entry.items() if key != "index"}
