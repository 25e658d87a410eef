"""What each model of the built-in provider says."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Final

from router.providers.demo import wire
from router.providers.demo.request import DemoError, Function, Request, invalid, parse
from router.providers.demo.samples import sample
from router.providers.demo.wire import DemoAnswer, Script, Token

MAX_TOKENS: Final = 16_384
"""Words of an answer where the caller sets no limit; the bundled model list states the same."""

SLOW_FIRST: Final = 1.0
"""Seconds that `demo/slow` waits before its first word."""

SLOW_NEXT: Final = 0.2
"""Seconds between its words."""

MAX_SCALE: Final = 60.0
"""How much slower than that a caller can make it."""

RETRY_AFTER: Final = 1
"""Seconds that `demo/error` asks to wait."""


@dataclass(frozen=True, slots=True)
class _Model:
    """How one model speaks: its own words, and how they are delivered."""

    text: Callable[[str], str]
    reasoning: Callable[[str], str] | None = None
    calls_all: bool = False
    is_slow: bool = False
    is_cut: bool = False


def _echo(said: str) -> str:
    return said


_MODELS: Final[Mapping[str, _Model]] = MappingProxyType(
    {
        "echo": _Model(_echo),
        "tools": _Model(
            lambda said: f"You offered no tools, so here is your message: {said}", calls_all=True
        ),
        "reasoning": _Model(
            lambda said: f"After some thought: {said}",
            reasoning=lambda said: f"The user wrote {len(said.split())} words. I repeat them.",
        ),
        "slow": _Model(
            lambda said: f"This answer takes its time, one word after the other: {said}",
            is_slow=True,
        ),
        "truncated": _Model(
            lambda said: f"This answer breaks off halfway, so you will not see its end: {said}",
            is_cut=True,
        ),
    }
)

_ERRORS: Final[Mapping[int, tuple[str, str | None, str]]] = MappingProxyType(
    {
        400: ("invalid_request_error", None, "The request is invalid."),
        401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
        403: ("invalid_request_error", "unsupported_country_region_territory", "Not allowed."),
        404: ("invalid_request_error", "model_not_found", "The model does not exist."),
        429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again in 1s."),
        500: ("server_error", None, "The server had an error while processing your request."),
        503: ("server_error", None, "The server is overloaded or not ready yet."),
    }
)
"""OpenAI's type, code and words for a status; others are worded like 400 or 500."""

_ASKS_TO_WAIT: Final = frozenset({429, 503})
_STATUS: Final = re.compile(r"(?<!\d)[45]\d\d(?!\d)")
_SCALE: Final = re.compile(r"(?i)\bslow\s+(\d{1,6}(?:\.\d{1,6})?)")
_WORD: Final = re.compile(r"\s{0,32}\S{1,64}|\s{1,32}")
"""A token: a word with the space before it. Bounded, so that no token is large."""

_PIECE: Final = 12
"""Characters of a tool call's arguments that are streamed at a time."""


def answer(body: bytes, created: int) -> DemoAnswer:
    """Return the answer to a chat completion request; `created` is Unix time in seconds.

    Never raises: a request at fault gets OpenAI's error.
    """
    try:
        request = parse(body)
        if request.model.removeprefix("demo/") == "error":
            return _failure(request.user_text)
        script = _script(request, hashlib.sha256(body).hexdigest(), created)
    except DemoError as exc:
        return wire.failed(exc)
    if request.stream:
        return wire.streamed(script, include_usage=request.includes_usage)
    return wire.whole(script)


def _model_of(request: Request) -> _Model:
    model = _MODELS.get(request.model.removeprefix("demo/"))
    if model is None:
        msg = f"The model '{request.model[:200]}' does not exist."
        raise DemoError(404, msg, "invalid_request_error", param="model", code="model_not_found")
    return model


def _failure(said: str) -> DemoAnswer:
    found = _STATUS.search(said)
    status = int(found[0]) if found else 500
    kind, code, message = _ERRORS.get(status) or _ERRORS[400 if status < 500 else 500]
    if status == 429 and "quota" in said:
        kind = code = "insufficient_quota"
        message = "You exceeded your current quota, please check your plan and billing details."
    error = DemoError(status, message, kind, code=code)
    return wire.failed(error, RETRY_AFTER if status in _ASKS_TO_WAIT else None)


def _script(request: Request, seed: str, created: int) -> Script:
    model = _model_of(request)
    tokens, finish_reason = _tokens(request, model)
    limit = min(request.max_completion_tokens or request.max_tokens or MAX_TOKENS, MAX_TOKENS)
    scale = _scale(request.user_text) if model.is_slow else 0.0
    return Script(
        seed=seed,
        created=created,
        model=request.model,
        tokens=tokens[:limit],
        finish_reason="length" if len(tokens) > limit else finish_reason,
        prompt_tokens=sum(len(message.text.split()) for message in request.messages),
        choices=request.n or 1,
        first_delay=SLOW_FIRST * scale,
        token_delay=SLOW_NEXT * scale,
        is_cut=model.is_cut,
    )


def _scale(said: str) -> float:
    found = _SCALE.search(said)
    return min(float(found[1]), MAX_SCALE) if found else 1.0


def _tokens(request: Request, model: _Model) -> tuple[list[Token], str]:
    """Return all that there is to say, and why it ends."""
    last = request.messages[-1]
    functions = [] if last.role == "tool" else _to_call(request, calls_all=model.calls_all)
    if functions:
        return _calls(functions), "tool_calls"
    said = request.user_text
    text = f'The tool answered: "{last.text}"' if last.role == "tool" else model.text(said)
    text = _formatted(request, text)
    reasoning = model.reasoning(said) if model.reasoning else ""
    return _words("reasoning", reasoning) + _words("content", _stopped(request, text)), "stop"


def _to_call(request: Request, *, calls_all: bool) -> Sequence[Function]:
    """Return the functions to call: the chosen one, the first, or all if that is asked for.

    Raises:
        DemoError: if a function is chosen that is not offered.

    """
    functions, choice = request.functions, request.tool_choice
    if isinstance(choice, dict):
        chosen = choice.get("function")
        name = chosen.get("name") if isinstance(chosen, dict) else None
        found = [function for function in functions if function.name == name]
        if not found and choice.get("type") == "function":
            raise invalid("Invalid value for 'tool_choice': no such function.", "tool_choice")
        functions = found or functions
    elif choice == "none":
        return []
    elif choice == "required" and not functions:
        raise invalid("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    wants_all = calls_all and not isinstance(choice, dict) and "parallel" in request.user_text
    if wants_all and request.parallel_tool_calls is not False:
        return functions if len(functions) > 1 else functions * 2
    return functions[:1]


def _calls(functions: Sequence[Function]) -> list[Token]:
    tokens = []
    for call, function in enumerate(functions):
        tokens.append(Token("call", function.name, call))
        arguments = json.dumps(sample(function.parameters or {"type": "object"}))
        pieces = (arguments[at : at + _PIECE] for at in range(0, len(arguments), _PIECE))
        tokens.extend(Token("arguments", piece, call) for piece in pieces)
    return tokens


def _formatted(request: Request, text: str) -> str:
    """Return the text in the form that the request asks for."""
    form = request.response_format
    if form is None or form.type == "text":
        return text
    schema = form.json_schema.schema if form.json_schema else None
    return json.dumps(sample(schema) if schema else {"answer": text}, ensure_ascii=False)


def _stopped(request: Request, text: str) -> str:
    """Return the text up to the first of the request's stop texts."""
    stops = [request.stop] if isinstance(request.stop, str) else request.stop or []
    found = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return text[: min(found)] if found else text


def _words_of(text: str) -> Iterator[str]:
    """Yield the words of a text, no more than an answer may have."""
    return (match[0] for match in islice(_WORD.finditer(text), MAX_TOKENS + 1))


def _words(kind: str, text: str) -> list[Token]:
    return [Token("reasoning" if kind == "reasoning" else "content", t) for t in _words_of(text)]
