from collections.abc import Callable
from typing import Any

import pytest

from router.errors import InvalidRequestError

Encode = Callable[..., Any]


def config(encode: Encode, **fields: Any) -> Any:
    made = encode(**fields)
    assert made.dropped == ()
    return made.body.get("generationConfig")


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, None),
        (
            {"temperature": 1.5, "top_p": 0.5, "top_k": 3},
            {"temperature": 1.5, "topP": 0.5, "topK": 3},
        ),
        ({"n": 2, "seed": 7}, {"candidateCount": 2, "seed": 7}),
        (
            {"presence_penalty": 0.5, "frequency_penalty": -1},
            {"presencePenalty": 0.5, "frequencyPenalty": -1},
        ),
        ({"max_tokens": 5}, {"maxOutputTokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"maxOutputTokens": 6}),
        ({"stop": "x"}, {"stopSequences": ["x"]}),
        ({"stop": ["x", "y"]}, {"stopSequences": ["x", "y"]}),
        ({"logprobs": True, "top_logprobs": 3}, {"responseLogprobs": True, "logprobs": 3}),
        ({"logprobs": False}, None),
        ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
        (
            {"modalities": ["audio"], "audio": {"voice": "Kore", "format": "pcm16"}},
            {
                "responseModalities": ["AUDIO"],
                "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
            },
        ),
        ({"thinking_config": {"thinkingBudget": 5}}, {"thinkingConfig": {"thinkingBudget": 5}}),
        ({"thinkingConfig": {"thinkingBudget": 5}}, {"thinkingConfig": {"thinkingBudget": 5}}),
        (
            {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}},
            {"thinkingConfig": {"include_thoughts": True}},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2000}},
        ),
        ({"thinking": {"type": "disabled"}}, {"thinkingConfig": {"thinkingBudget": 0}}),
        (
            {"temperature": 1, "generation_config": {"enableEnhancedCivicAnswers": True}},
            {"temperature": 1, "enableEnhancedCivicAnswers": True},
        ),
    ],
)
def test_how_the_answer_is_to_be_made_is_told(
    fields: dict[str, Any], sent: Any, encode: Encode
) -> None:
    assert config(encode, **fields) == sent


def test_numbers_keep_their_spelling(exchange: Callable[..., Any]) -> None:
    assert b'"temperature":1.0' in exchange(temperature=1.0).http.body


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        ("gemini-2.5-flash", "minimal", {"includeThoughts": True, "thinkingBudget": 1024}),
        ("gemini-2.5-flash", "low", {"includeThoughts": True, "thinkingBudget": 1024}),
        ("gemini-2.5-flash", "medium", {"includeThoughts": True, "thinkingBudget": 8192}),
        ("gemini-2.5-flash", "high", {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-2.5-flash", "max", {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", "xhigh", {"includeThoughts": True, "thinkingBudget": 32768}),
        ("gemini-3-pro-preview", "minimal", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        ("gemini-3-pro-preview", "medium", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (
            "gemini-3-flash-preview",
            "minimal",
            {"includeThoughts": True, "thinkingLevel": "MINIMAL"},
        ),
        ("gemini-3.1-pro-preview", "medium", {"includeThoughts": True, "thinkingLevel": "MEDIUM"}),
        ("gemini-9-ultra", "max", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
    ],
)
def test_an_effort_is_what_the_family_makes_of_it(
    model: str, effort: str, sent: dict[str, Any], encode: Encode
) -> None:
    assert config(encode, model=model, reasoning_effort=effort) == {"thinkingConfig": sent}


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("gemini-2.5-pro", "none"),
        ("gemini-3-flash-preview", "none"),
        ("gemini-2.0-flash", "low"),
        ("tuned", "high"),
    ],
)
def test_an_effort_that_the_family_cannot_make_is_reported(
    model: str, effort: str, encode: Encode
) -> None:
    made = encode(model=model, reasoning_effort=effort)

    assert made.dropped == ("reasoning_effort",)
    assert "generationConfig" not in made.body


def test_no_thinking_is_all_the_same_to_a_family_that_does_not_think(encode: Encode) -> None:
    assert config(encode, model="gemini-2.0-flash", reasoning_effort="none") is None


def test_thinking_in_other_words_comes_before_an_effort(encode: Encode) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    made = encode(thinking=thinking, reasoning_effort="low")

    assert made.body["generationConfig"]["thinkingConfig"]["thinkingBudget"] == 2000
    assert made.dropped == ("reasoning_effort",)


@pytest.mark.parametrize(
    ("fields", "dropped"),
    [
        ({"top_logprobs": 3}, ("top_logprobs",)),
        ({"audio": {"format": "mp3"}}, ("audio.format",)),
        ({"logit_bias": {"1": 2}}, ("logit_bias",)),
        ({"user": "u", "metadata": {"a": "b"}}, ("user", "metadata")),
        ({"store": True}, ("store",)),
        ({"store": False, "verbosity": "medium"}, ()),
        ({"service_tier": "scale"}, ("service_tier",)),
        (
            {"extra_body": {"google": {"x": 1}, "other": 2}},
            ("extra_body.other", "extra_body.google.x"),
        ),
    ],
)
def test_what_cannot_be_honoured_is_reported(
    fields: dict[str, Any], dropped: tuple[str, ...], encode: Encode
) -> None:
    assert encode(**fields).dropped == dropped


@pytest.mark.parametrize(
    ("tier", "sent"),
    [("auto", None), ("default", "standard"), ("flex", "flex"), ("priority", "priority")],
)
def test_a_tier_is_told_in_geminis_words(tier: str, sent: str | None, encode: Encode) -> None:
    made = encode(service_tier=tier)

    assert made.body.get("serviceTier") == sent
    assert made.dropped == ()


def test_geminis_own_fields_pass_as_they_are(encode: Encode) -> None:
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    made = encode(
        safety_settings=safety,
        extra_body={"google": {"cached_content": "cachedContents/x"}},
        tool_config={"includeServerSideToolInvocations": True},
        tools=[{"type": "function", "function": {"name": "f"}}],
        tool_choice="auto",
    )

    assert made.body["safetySettings"] == safety
    assert made.body["cachedContent"] == "cachedContents/x"
    assert made.body["toolConfig"] == {
        "functionCallingConfig": {"mode": "AUTO"},
        "includeServerSideToolInvocations": True,
    }
    assert made.dropped == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"n": "two"}, "n"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stop": 5}, "stop"),
        ({"modalities": ["smell"]}, "modalities"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"logprobs": "yes"}, "logprobs"),
        ({"thinking": {}, "service_tier": 5}, "service_tier"),
        ({"generation_config": "x"}, "generation_config"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused_by_its_name(
    fields: dict[str, Any], param: str, encode: Encode
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(**fields)

    assert caught.value.param == param


@pytest.mark.parametrize(
    "own",
    [
        {"thinking_config": {"thinkingBudget": 5}},
        {"generation_config": {"thinkingConfig": {"thinkingBudget": 5}}},
        {"extra_body": {"google": {"thinking_config": {"thinkingBudget": 5}}}},
    ],
)
def test_an_effort_that_geminis_own_words_overrule_is_reported(
    encode: Encode, own: dict[str, Any]
) -> None:
    sent = encode(reasoning_effort="high", **own)

    assert sent.body["generationConfig"] == {"thinkingConfig": {"thinkingBudget": 5}}
    assert sent.dropped == ("reasoning_effort",)


@pytest.mark.parametrize(
    ("model", "thinking", "dropped"),
    [
        ("gemini-2.5-pro", {"type": "disabled"}, ("thinking",)),
        ("gemini-3-pro-preview", {"type": "disabled"}, ("thinking",)),
        ("gemini-2.0-flash", {"type": "disabled"}, ()),
        ("gemini-2.0-flash", {"type": "enabled", "budget_tokens": 2000}, ("thinking",)),
    ],
)
def test_thinking_in_anthropics_words_keeps_to_what_the_family_can(
    encode: Encode, model: str, thinking: Any, dropped: tuple[str, ...]
) -> None:
    sent = encode(model=model, thinking=thinking)

    assert "generationConfig" not in sent.body
    assert sent.dropped == dropped
