"""What the built-in provider reads of a request, checked by types."""

import re
from typing import Annotated, Any, Final

import msgspec

MAX_CHOICES: Final = 8
"""Each choice is a whole answer; OpenAI allows 128, a demonstration needs few."""


class DemoError(Exception):
    """A failure as OpenAI words it."""

    def __init__(
        self,
        status: int,
        message: str,
        kind: str,
        *,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def invalid(message: str, param: str | None) -> DemoError:
    """Return the failure for a request that is at fault."""
    return DemoError(400, message, "invalid_request_error", param=param)


class Function(msgspec.Struct, frozen=True):
    """A function that is offered."""

    name: str
    parameters: dict[str, Any] | None = None


class Tool(msgspec.Struct, frozen=True):
    """A tool that is offered; those that are no functions are never called."""

    type: str = "function"
    function: Function | None = None


class Message(msgspec.Struct, frozen=True):
    """A turn of the conversation."""

    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The turn's text: its content, or its text parts, one a line."""
        if isinstance(self.content, str):
            return self.content
        parts = [part.get("text") for part in self.content or []]
        return "\n".join(part for part in parts if isinstance(part, str))


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream carries besides its chunks."""

    include_usage: bool | None = None


class JsonSchema(msgspec.Struct, frozen=True):
    """The schema that an answer is to follow."""

    schema: dict[str, Any] | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    """The form of the answer."""

    type: str
    json_schema: JsonSchema | None = None


_Count = Annotated[int, msgspec.Meta(ge=1)]


class Request(msgspec.Struct, frozen=True):
    """A chat completion request; fields that the built-in provider does not heed are not read."""

    model: str
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=MAX_CHOICES)] | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    stop: str | list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None

    @property
    def includes_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def functions(self) -> list[Function]:
        return [tool.function for tool in self.tools or [] if tool.function]

    @property
    def user_text(self) -> str:
        """The text of the last user message, empty if there is none."""
        users = (m.text for m in reversed(self.messages) if m.role == "user")
        return next(users, "")


_DECODER: Final = msgspec.json.Decoder(Request)
_FIELD: Final = re.compile(r"`\$\.([^`]+)`")


def parse(body: bytes) -> Request:
    """Return the request in `body`.

    Raises:
        DemoError: 400, with the field at fault as `param`.

    """
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as exc:
        found = _FIELD.search(str(exc))
        raise invalid(f"Invalid request: {exc}.", found[1] if found else None) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise invalid("We could not parse the JSON body of your request.", None) from exc
