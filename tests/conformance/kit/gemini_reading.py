"""What a recorded answer of Gemini's says, read plainly and apart from the gateway's own code."""

import json
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

Json = dict[str, Any]

FINISH: Final = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "NO_IMAGE": "stop",
    "UNEXPECTED_TOOL_CALL": "tool_calls",
    1: "stop",
}
"""OpenAI's word for each reason among the recordings, where no tool is called."""

BESIDE: Final = (
    "groundingMetadata", "citationMetadata", "urlContextMetadata", "safetyRatings", "avgLogprobs",
    "finishMessage",
)  # fmt: skip


@dataclass
class Reading:
    """What one answer says. `parts` is the turn as it is to be sent back."""

    id: str = ""
    model: str = ""
    text: str = ""
    reasoning: str = ""
    calls: list[Json] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    audio: list[str] = field(default_factory=list)
    others: list[Json] = field(default_factory=list)
    parts: list[Json] = field(default_factory=list)
    reason: Any = None
    usage: Json = field(default_factory=dict)
    beside: list[tuple[str, Any]] = field(default_factory=list)
    logprobs: list[tuple[str, float, list[str]]] = field(default_factory=list)

    @property
    def finish_reason(self) -> str:
        told = FINISH[self.reason]
        return "tool_calls" if self.calls and told == "stop" else told

    @property
    def told_usage(self) -> Json | None:
        used = self.usage
        names = (
            "promptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "totalTokenCount",
        )
        if not any(name in used for name in names):
            return None
        prompt = used.get("promptTokenCount", 0) + used.get("toolUsePromptTokenCount", 0)
        completion = used.get("candidatesTokenCount", 0) + used.get("thoughtsTokenCount", 0)
        return {
            "prompt": prompt,
            "completion": completion,
            "total": used.get("totalTokenCount", prompt + completion),
            "cached": used.get("cachedContentTokenCount"),
            "reasoning": used.get("thoughtsTokenCount"),
        }


def chunks_of(body: bytes) -> list[Json]:
    """Return the chunks of a recorded stream: events, or the elements of an array."""
    if body.lstrip()[:1] in (b"[", b"{"):
        found = json.loads(body)
        return found if isinstance(found, list) else [found]
    return [json.loads(line[5:]) for line in body.decode().splitlines() if line[:5] == "data:"]


def read(chunks: list[Json]) -> Reading:
    """Read the one candidate that each recording has."""
    reading = Reading(chunks[0].get("responseId", ""), chunks[0].get("modelVersion", ""))
    for chunk in chunks:
        if "totalTokenCount" in chunk.get("usageMetadata", {}) or not reading.usage:
            reading.usage = chunk.get("usageMetadata", {})
        for candidate in chunk.get("candidates", []):
            assert candidate.get("index", 0) == 0
            reading.reason = candidate.get("finishReason", reading.reason)
            reading.beside += [(key, candidate[key]) for key in BESIDE if candidate.get(key)]
            _read_logprobs(candidate.get("logprobsResult", {}), reading)
            for part in (candidate.get("content") or {}).get("parts", []):
                _read_part(part, reading)
    return reading


def _read_part(part: Json, reading: Reading) -> None:
    if "functionCall" in part:
        _read_call(part, reading)
        return
    reading.parts.append(part)
    if part.get("thought"):
        reading.reasoning += part.get("text", "")
    elif "text" in part:
        reading.text += part["text"]
    elif part.get("inlineData", {}).get("mimeType", "").startswith("image/"):
        reading.images.append(part["inlineData"]["data"])
    elif part.get("inlineData", {}).get("mimeType", "").startswith("audio/"):
        reading.audio.append(part["inlineData"]["data"])
    else:
        reading.others.append(part)


def _read_call(part: Json, reading: Reading) -> None:
    call = part["functionCall"]
    if call.get("name"):
        own = {"name": call["name"], "args": call.get("args") or {}}
        own |= {"id": call["id"]} if call.get("id") else {}
        reading.calls.append(own)
        reading.parts.append({**part, "functionCall": own})
    for piece in call.get("partialArgs", []):
        _fill(reading.calls[-1]["args"], piece)


def _fill(args: Json, piece: Json) -> None:
    """Put one of Vertex AI's pieces of arguments where its path says."""
    steps = [int(i) if i else n for n, i in re.findall(r"\.(\w+)|\[(\d+)\]", piece["jsonPath"])]
    holder: Any = args
    for step, after in pairwise(steps):
        new: Any = [] if isinstance(after, int) else {}
        if isinstance(step, int) and step == len(holder):
            holder.append(new)
        holder = holder[step] if isinstance(step, int) else holder.setdefault(step, new)
    last = steps[-1]
    if isinstance(last, int) and last == len(holder):
        holder.append("")
    elif isinstance(last, str):
        holder.setdefault(last, "")
    holder[last] += piece["stringValue"]


def _read_logprobs(result: Json, reading: Reading) -> None:
    tops = result.get("topCandidates", [])
    for i, chosen in enumerate(result.get("chosenCandidates", [])):
        others = [c["token"] for c in tops[i]["candidates"]] if i < len(tops) else []
        reading.logprobs.append((chosen["token"], chosen["logProbability"], others))


def replayable(parts: list[Json]) -> list[Json]:
    """Return a turn's parts in the one form that all of the same meaning have.

    Unsigned texts that follow each other are one, so are thoughts, which stand first; an empty text
    without signature says nothing.
    """
    thoughts = [p for p in parts if p.get("thought") and "inlineData" not in p]
    spoken = [p for p in parts if not p.get("thought") or "inlineData" in p]
    return _merged(thoughts) + _merged(spoken)


def _merged(parts: list[Json]) -> list[Json]:
    found: list[Json] = []
    for each in parts:
        is_empty = each.get("thought") and not each.get("text", "-")
        part = {key: v for key, v in each.items() if key != "text"} if is_empty else each
        is_plain = set(part) <= {"text", "thought"}
        if is_plain and not part.get("text"):
            continue
        if is_plain and found and set(found[-1]) <= {"text", "thought"}:
            found[-1] = {**found[-1], "text": found[-1]["text"] + part["text"]}
        else:
            found.append(part)
    return found
