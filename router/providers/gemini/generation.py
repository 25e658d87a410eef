"""How the answer is to be made: `generationConfig`, apart from its form.

Thinking follows the family's row. `thinking_config` (and `extra_body.google.thinking_config`, Google's own
spelling for OpenAI's API) is Gemini's own and comes before `reasoning_effort`; `thinking` in Anthropic's
words, which LiteLLM's callers use, is understood too. Whoever asks for effort is told the thoughts.

Sources: https://ai.google.dev/api/generate-content#generationconfig,
https://ai.google.dev/gemini-api/docs/openai#thinking.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from router.errors import InvalidRequestError
from router.providers import fields
from router.providers.gemini.draft import Draft

Read = Callable[[Any, str], Any]

_PASSED: Final[Mapping[str, tuple[str, Read]]] = {
    "temperature": ("temperature", fields.number),
    "top_p": ("topP", fields.number),
    "top_k": ("topK", fields.number),
    "n": ("candidateCount", fields.integer),
    "seed": ("seed", fields.integer),
    "presence_penalty": ("presencePenalty", fields.number),
    "frequency_penalty": ("frequencyPenalty", fields.number),
}
"""Numbers that Gemini has under another name; they go out as they were spelt."""

_BUDGETS: Final[Mapping[str, int]] = {
    "minimal": 1_024,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 32_768,
    "max": 32_768,
}
"""Thinking budgets in tokens, by `reasoning_effort`, within what the family takes."""

_LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "minimal": ("MINIMAL", "LOW"),
    "low": ("LOW",),
    "medium": ("MEDIUM", "HIGH"),
    "high": ("HIGH",),
    "xhigh": ("HIGH",),
    "max": ("HIGH",),
}
"""Values of `thinkingLevel`, by `reasoning_effort`; the first that the family has counts."""

_MODALITIES: Final[Mapping[str, str]] = {"text": "TEXT", "audio": "AUDIO", "image": "IMAGE"}

_AUDIO_FORMAT: Final = "pcm16"
"""What Gemini gives; other formats are reported."""


def encode_generation(draft: Draft) -> None:
    """Fill `generationConfig`.

    Raises:
        InvalidRequestError: for a value that is not as OpenAI has it.

    """
    for name, (own, read) in _PASSED.items():
        if read(draft.fields.get(name), name) is not None:
            draft.generation[own] = draft.fields[name]
    for name in ("max_completion_tokens", "max_tokens"):
        if fields.integer(draft.fields.get(name), name) is not None:
            draft.generation["maxOutputTokens"] = draft.fields[name]
            break
    stop = fields.texts(draft.fields.get("stop"), "stop")
    if stop:
        draft.generation["stopSequences"] = stop
    _encode_logprobs(draft)
    _encode_modalities(draft)
    _encode_thinking(draft)


def _encode_logprobs(draft: Draft) -> None:
    if fields.boolean(draft.fields.get("logprobs"), "logprobs"):
        draft.generation["responseLogprobs"] = True
    top = fields.integer(draft.fields.get("top_logprobs"), "top_logprobs")
    if top and "responseLogprobs" in draft.generation:
        draft.generation["logprobs"] = top
    elif top:
        draft.dropped.append("top_logprobs")


def _encode_modalities(draft: Draft) -> None:
    asked = fields.texts(draft.fields.get("modalities"), "modalities")
    unknown = [word for word in asked if word not in _MODALITIES]
    if unknown:
        msg = f"Invalid value for 'modalities': '{unknown[0]}'."
        raise InvalidRequestError(msg, param="modalities")
    if asked:
        draft.generation["responseModalities"] = [_MODALITIES[word] for word in asked]
    audio = fields.members(draft.fields.get("audio"), "audio")
    voice = fields.text(audio.get("voice"), "audio.voice")
    if voice:
        prebuilt = {"prebuiltVoiceConfig": {"voiceName": voice}}
        draft.generation["speechConfig"] = {"voiceConfig": prebuilt}
    if fields.text(audio.get("format"), "audio.format") not in (None, _AUDIO_FORMAT):
        draft.dropped.append("audio.format")


def _encode_thinking(draft: Draft) -> None:
    effort = fields.text(draft.fields.get("reasoning_effort"), "reasoning_effort")
    anthropics = fields.members(draft.fields.get("thinking"), "thinking")
    if anthropics:
        _encode_anthropics_words(anthropics, draft)
    if effort is None:
        return
    if effort not in (*_BUDGETS, "none"):
        known = ", ".join(("none", *_BUDGETS))
        msg = f"Invalid value for 'reasoning_effort': '{effort}'. Supported values are: {known}."
        raise InvalidRequestError(msg, param="reasoning_effort")
    config = None if anthropics else _thinking(effort, draft)
    if config is None:
        draft.dropped.append("reasoning_effort")
    elif config:
        draft.generation["thinkingConfig"] = config


def _thinking(effort: str, draft: Draft) -> dict[str, Any] | None:
    """Return the family's `thinkingConfig` for an effort; empty if none is needed, None if it has none."""
    family = draft.family
    if effort == "none":
        if family.can_stop_thinking:
            return {"thinkingBudget": 0}
        return None if family.levels or family.budget else {}
    if family.levels:
        level = next(level for level in _LEVELS[effort] if level in family.levels)
        return {"includeThoughts": True, "thinkingLevel": level}
    if family.budget:
        least, most = family.budget
        return {"includeThoughts": True, "thinkingBudget": max(least, min(_BUDGETS[effort], most))}
    return None


def _encode_anthropics_words(thinking: fields.Members, draft: Draft) -> None:
    kind = fields.required_text(thinking, "type", "thinking")
    config = _thinking("none", draft) if kind == "disabled" else _told_to_think(thinking, draft)
    if config is None:
        draft.dropped.append("thinking")
    elif config:
        draft.generation["thinkingConfig"] = config


def _told_to_think(thinking: fields.Members, draft: Draft) -> dict[str, Any] | None:
    if not draft.family.levels and not draft.family.budget:
        return None
    config: dict[str, Any] = {"includeThoughts": True}
    if fields.integer(thinking.get("budget_tokens"), "thinking.budget_tokens") is not None:
        config["thinkingBudget"] = thinking["budget_tokens"]
    return config
