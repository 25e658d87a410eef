"""OpenAI's messages as Gemini's `systemInstruction` and `contents`.

- The leading run of `system` and `developer` messages is hoisted into `systemInstruction`. Gemini has no
  place for a later one: it is hoisted too, and reported, since its place is lost.
- Each message becomes one content; results of tools that follow each other become one, as Gemini demands
  of calls made together.
- A result belongs to its call by id. Where Gemini gave the call none, it goes by name and order: there
  results stand in the order of their calls.

Source: https://ai.google.dev/gemini-api/docs/function-calling.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.fields import Members
from router.providers.gemini import content
from router.providers.gemini.draft import Draft, Part
from router.providers.gemini.replay import assistant_parts, call_id, is_object
from router.providers.roles import role_of

_COMMON = frozenset({"role", "content"})

_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "system": _COMMON,
    "developer": _COMMON,
    "user": _COMMON,
    # A tool's `name` repeats what its call already says.
    "tool": _COMMON | {"tool_call_id", "is_error", "name"},
    "assistant": _COMMON | {
        "refusal", "tool_calls", "reasoning_content", "reasoning", "reasoning_details", "thinking_blocks",
        "thought_signatures", "provider_blocks", "images", "audio", "extra_content",
        "provider_specific_fields", "annotations",
    },
}  # fmt: skip
"""Members of a message that are carried, or that say nothing new. Others are reported."""

_UNCARRIED = "function_call"
"""Content of an assistant that Gemini has no form for, and that must not vanish."""

_MEDIA_IN_RESULTS: Final = ("image/", "application/pdf", "text/plain")


class _Result(NamedTuple):
    """A tool's result. `order` is the place of its call; `beside` are parts that follow all results."""

    order: int
    part: Part
    beside: list[Part]


def encode_messages(draft: Draft) -> None:
    """Fill `systemInstruction` and `contents` of the draft's body.

    Raises:
        InvalidRequestError: for content that cannot be carried, or that is not as OpenAI has it.

    """
    messages = fields.objects(draft.fields.get("messages"), "messages")
    turns = _Turns(draft)
    for i, message in enumerate(messages):
        turns.add(message, f"messages.[{i}]")
    turns.end_results()
    if turns.system:
        draft.body["systemInstruction"] = {"parts": turns.system}
    draft.body["contents"] = turns.made


class _Turns:
    """Contents as they are made."""

    def __init__(self, draft: Draft) -> None:
        self.made: list[dict[str, Any]] = []
        self.system: list[Part] = []
        self._draft = draft
        self._calls: dict[str, tuple[str, int]] = {}
        self._results: list[_Result] = []

    def add(self, message: Members, param: str) -> None:
        role = role_of(message, param, _KNOWN)
        for key, value in message.items():
            if key not in _KNOWN[role] and not fields.says_nothing(value):
                self._draft.dropped.append(f"{param}.{key}")
        if role != "tool":
            self.end_results()
        self._READERS[role](self, message, param)

    def end_results(self) -> None:
        """Close a run of tools' results: one content."""
        results, self._results = self._results, []
        if any("id" not in result.part["functionResponse"] for result in results):
            results.sort(key=lambda result: result.order)
        beside = [part for result in results for part in result.beside]
        self._make("user", [*(result.part for result in results), *beside])

    def _make(self, role: str, parts: list[Part]) -> None:
        if parts:
            self.made.append({"role": role, "parts": parts})

    def _content(self, message: Members, param: str) -> list[Part]:
        found = fields.text_or_objects(message.get("content"), f"{param}.content")
        return content.parts(found, f"{param}.content", self._draft)

    def _system(self, message: Members, param: str) -> None:
        if self.made:
            self._draft.dropped.append(f"{param}.role")
        for part in self._content(message, param):
            if "text" not in part:
                msg = "Instructions for this model must be text."
                raise InvalidRequestError(msg, param=f"{param}.content")
            self.system.append(part)

    def _user(self, message: Members, param: str) -> None:
        self._make("user", self._content(message, param))

    def _assistant(self, message: Members, param: str) -> None:
        if not fields.says_nothing(message.get(_UNCARRIED)):
            msg = f"'{param}.{_UNCARRIED}' cannot be sent to this model."
            raise InvalidRequestError(msg, param=f"{param}.{_UNCARRIED}")
        self._make("model", assistant_parts(message, param, self._draft))
        for call in fields.objects(message.get("tool_calls"), f"{param}.tool_calls"):
            told = fields.text(call.get("id"), f"{param}.tool_calls")
            function = fields.members(call.get("function"), f"{param}.tool_calls")
            name = fields.text(function.get("name"), f"{param}.tool_calls")
            if told and name:
                self._calls[told] = (name, len(self._calls))

    def _tool(self, message: Members, param: str) -> None:
        """Read a tool's result. Whether it is an error is for the caller to say, never guessed."""
        called = fields.required_text(message, "tool_call_id", param)
        name, order = self._calls.get(called, (None, len(self._calls)))
        name = name or fields.text(message.get("name"), f"{param}.name")
        if not name:
            msg = f"'{param}.tool_call_id' names no call of this conversation."
            raise InvalidRequestError(msg, param=f"{param}.tool_call_id")
        sent = call_id(called)
        response: dict[str, Any] = {"id": sent} if sent else {}
        response["name"] = self._draft.names.sent(name)
        found = fields.text_or_objects(message.get("content"), f"{param}.content")
        parts = content.parts(found, f"{param}.content", self._draft)
        texts = [part["text"] for part in parts if "text" in part]
        is_error = fields.boolean(message.get("is_error"), f"{param}.is_error") or False
        said = _said("".join(texts), is_error=is_error)
        response["response"] = said if texts or is_error else {}
        media = [part for part in parts if "text" not in part]
        inside = [part for part in media if self._may_stand_inside(part)]
        if inside:
            response["parts"] = inside
        beside = [part for part in media if part not in inside]
        self._results.append(_Result(order, {"functionResponse": response}, beside))

    def _may_stand_inside(self, part: Part) -> bool:
        """Whether media may be part of a function's result itself; otherwise they stand beside it."""
        media = part.get("inlineData") or part.get("fileData") or {}
        is_kind = str(media.get("mimeType", "")).startswith(_MEDIA_IN_RESULTS)
        return self._draft.family.has_media_results and is_kind

    _READERS: Final[Mapping[str, Callable[["_Turns", Members, str], None]]] = {
        "system": _system,
        "developer": _system,
        "user": _user,
        "tool": _tool,
        "assistant": _assistant,
    }


def _said(text: str, *, is_error: bool) -> Any:
    """Return what a tool said as the object that Gemini wants: itself if it is one.

    Otherwise the key says what it is: https://ai.google.dev/api/caching#FunctionResponse.
    """
    if is_error:
        return {"error": text}
    return msgspec.Raw(text.encode()) if is_object(text) else {"output": text}
