"""Parameters, families, headers and addresses."""

import json
from typing import Any

import pytest

from router.errors import InvalidRequestError
from router.providers.bedrock import bedrock_exchange
from router.providers.bedrock.families import FAMILIES, UNKNOWN, family_at, family_of, model_in
from router.values import Deployment, Dialect, Endpoint, Provider, Secret
from router.wire.chat_request import ChatRequest

CLAUDE_45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_46 = "us.anthropic.claude-sonnet-4-6"
CLAUDE_3 = "anthropic.claude-3-haiku-20240307-v1:0"
OPUS_48 = "us.anthropic.claude-opus-4-8-v1"
NOVA = "us.amazon.nova-pro-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
LLAMA = "us.meta.llama4-maverick-17b-instruct-v1:0"
GPT = "openai.gpt-oss-120b-1:0"
TITAN = "amazon.titan-text-express-v1"


def test_a_request_says_what_the_caller_said_and_no_more(encode: Any) -> None:
    sent = encode()
    assert sent.body == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    assert sent.dropped == ()


def test_limits_and_sampling_stand_in_the_inference_config(encode: Any) -> None:
    sent = encode(model=NOVA, max_tokens=5, temperature=0.5, top_p=0.25, stop=["a", "b"])
    assert sent.body["inferenceConfig"] == {
        "maxTokens": 5,
        "temperature": 0.5,
        "topP": 0.25,
        "stopSequences": ["a", "b"],
    }
    assert sent.dropped == ()


def test_max_completion_tokens_comes_before_max_tokens(encode: Any) -> None:
    sent = encode(max_tokens=5, max_completion_tokens=7)
    assert sent.body["inferenceConfig"] == {"maxTokens": 7}


def test_numbers_keep_their_spelling(exchange: Any) -> None:
    parsed = ChatRequest.parse(
        b'{"model":"m","messages":[],"temperature":1.50e-1,"top_p":0.10}', 1_700_000_000
    )
    deployment = Deployment(
        "m",
        "m",
        Provider("b", "https://x"),
        Dialect.BEDROCK,
        Endpoint.CHAT,
        f"/model/{NOVA}/converse",
    )
    body = bedrock_exchange(parsed, deployment).http.body
    assert b'"inferenceConfig":{"temperature":1.50e-1,"topP":0.10}' in body


@pytest.mark.parametrize("model", [CLAUDE_3, NOVA, LLAMA])
def test_a_temperature_beyond_one_is_lowered_and_reported(encode: Any, model: str) -> None:
    sent = encode(model=model, temperature=1.5)
    assert sent.body["inferenceConfig"] == {"temperature": 1}
    assert sent.dropped == ("temperature",)


def test_claude_takes_one_of_temperature_and_top_p_where_its_family_does(encode: Any) -> None:
    sent = encode(model=CLAUDE_45, temperature=0.5, top_p=0.5)
    assert sent.body["inferenceConfig"] == {"temperature": 0.5}
    assert sent.dropped == ("top_p",)


def test_stop_sequences_of_white_space_are_left_out_for_claude_alone(encode: Any) -> None:
    assert encode(model=NOVA, stop="\n\n").body["inferenceConfig"] == {"stopSequences": ["\n\n"]}
    sent = encode(model=CLAUDE_45, stop=["\n\n", "x"])
    assert sent.body["inferenceConfig"] == {"stopSequences": ["x"]}
    assert sent.dropped == ("stop",)
    assert "inferenceConfig" not in encode(model=NOVA, stop=[""]).body


@pytest.mark.parametrize(
    ("model", "additional"),
    [
        (CLAUDE_3, {"top_k": 9}),
        (NOVA, {"inferenceConfig": {"topK": 9}}),
        ("mistral.mistral-large-2407-v1:0", {"top_k": 9}),
        ("cohere.command-r-v1:0", {"k": 9}),
    ],
)
def test_top_k_goes_where_the_family_has_it(
    encode: Any, model: str, additional: dict[str, Any]
) -> None:
    sent = encode(model=model, top_k=9)
    assert sent.body["additionalModelRequestFields"] == additional
    assert sent.dropped == ()


@pytest.mark.parametrize("model", [LLAMA, TITAN, "newvendor.model-v1"])
def test_top_k_is_reported_where_the_family_has_none(encode: Any, model: str) -> None:
    sent = encode(model=model, top_k=9)
    assert "additionalModelRequestFields" not in sent.body
    assert sent.dropped == ("top_k",)


@pytest.mark.parametrize(
    ("effort", "budget"),
    [("minimal", 1024), ("low", 1024), ("medium", 2048), ("high", 4096), ("max", 16384)],
)
def test_claude_with_budgets_is_given_one(encode: Any, effort: str, budget: int) -> None:
    sent = encode(model=CLAUDE_45, reasoning_effort=effort, temperature=1)
    thinking = {"type": "enabled", "budget_tokens": budget}
    assert sent.body["additionalModelRequestFields"] == {"thinking": thinking}
    assert sent.dropped == ()


def test_a_budget_leaves_room_for_the_answer(encode: Any) -> None:
    sent = encode(model=CLAUDE_45, reasoning_effort="high", max_tokens=2000)
    thinking = sent.body["additionalModelRequestFields"]["thinking"]
    assert thinking["budget_tokens"] == 1999
    sent = encode(model=CLAUDE_45, reasoning_effort="high", max_tokens=1024)
    assert sent.dropped == ("reasoning_effort",)
    assert "additionalModelRequestFields" not in sent.body


def test_claude_that_adapts_is_given_an_effort(encode: Any) -> None:
    sent = encode(model=CLAUDE_46, reasoning_effort="xhigh")
    assert sent.body["additionalModelRequestFields"] == {"thinking": {"type": "adaptive"}}
    assert sent.body["outputConfig"] == {"effort": "max"}
    sent = encode(model=CLAUDE_46, reasoning_effort="none")
    assert sent.body["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}}


@pytest.mark.parametrize(
    ("model", "effort", "additional"),
    [
        (NOVA_2, "minimal", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        (NOVA_2, "high", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        (NOVA_2, "none", {"reasoningConfig": {"type": "disabled"}}),
        (GPT, "low", {"reasoning_effort": "low"}),
    ],
)
def test_other_families_are_told_the_effort_in_their_own_words(
    encode: Any, model: str, effort: str, additional: dict[str, Any]
) -> None:
    sent = encode(model=model, reasoning_effort=effort)
    assert sent.body["additionalModelRequestFields"] == additional
    assert sent.dropped == ()


@pytest.mark.parametrize(
    ("model", "effort"), [(LLAMA, "low"), (NOVA, "high"), (CLAUDE_3, "high"), (GPT, "none")]
)
def test_an_effort_that_cannot_be_told_is_reported(encode: Any, model: str, effort: str) -> None:
    sent = encode(model=model, reasoning_effort=effort)
    assert sent.dropped == ("reasoning_effort",)


def test_no_effort_is_what_happens_anyway_where_there_is_no_reasoning(encode: Any) -> None:
    assert encode(model=LLAMA, reasoning_effort="none").dropped == ()


def test_thinking_rules_out_sampling_and_forced_tools(encode: Any) -> None:
    sent = encode(model=CLAUDE_45, reasoning_effort="low", temperature=0.2, top_k=3)
    assert sent.dropped == ("temperature", "top_k")
    tools = [{"type": "function", "function": {"name": "f"}}]
    sent = encode(model=CLAUDE_45, reasoning_effort="low", tools=tools, tool_choice="required")
    assert sent.dropped == ("reasoning_effort",)


def test_newest_claudes_take_no_sampling(encode: Any) -> None:
    sent = encode(model=OPUS_48, temperature=0.2, top_p=0.3, top_k=4)
    assert sent.dropped == ("temperature", "top_p", "top_k")
    assert "inferenceConfig" not in sent.body


def test_fields_of_aws_own_pass_and_come_before_what_we_make(encode: Any) -> None:
    guardrail = {"guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "enabled"}
    sent = encode(
        guardrailConfig=guardrail,
        additionalModelRequestFields={"thinking": {"type": "enabled", "budget_tokens": 3000}},
        additionalModelResponseFieldPaths=["/stop_sequence"],
        requestMetadata={"a": "b"},
        performanceConfig={"latency": "optimized"},
        serviceTier={"type": "reserved"},
        inferenceConfig={"maxTokens": 9},
        max_tokens=5,
        reasoning_effort="high",
    )
    assert sent.body["guardrailConfig"] == guardrail
    thinking = sent.body["additionalModelRequestFields"]["thinking"]
    assert thinking == {"type": "enabled", "budget_tokens": 3000}
    assert sent.body["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert sent.body["performanceConfig"] == {"latency": "optimized"}
    assert sent.body["serviceTier"] == {"type": "reserved"}
    assert sent.body["inferenceConfig"] == {"maxTokens": 9}
    assert sent.dropped == ("reasoning_effort",)


def test_anthropics_own_thinking_passes_to_claude_and_is_reported_elsewhere(encode: Any) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    sent = encode(model=CLAUDE_45, thinking=thinking, temperature=0.3)
    assert sent.body["additionalModelRequestFields"] == {"thinking": thinking}
    assert sent.dropped == ("temperature",)
    assert encode(model=NOVA, thinking=thinking).dropped == ("thinking",)


@pytest.mark.parametrize(
    ("asked", "sent_tier", "dropped"),
    [
        ("auto", None, ()),
        ("default", {"type": "default"}, ()),
        ("flex", {"type": "flex"}, ()),
        ("priority", {"type": "priority"}, ()),
        ("scale", None, ("service_tier",)),
    ],
)
def test_a_service_tier_is_told(encode: Any, asked: str, sent_tier: Any, dropped: Any) -> None:
    sent = encode(service_tier=asked)
    assert sent.body.get("serviceTier") == sent_tier
    assert sent.dropped == dropped


def test_metadata_are_tags_where_aws_can_take_them(encode: Any) -> None:
    assert encode(metadata={"team": "a b"}).body["requestMetadata"] == {"team": "a b"}
    for refused in ({"team": "{}"}, {"team": 1}, {"": "x"}, {"n": "x" * 257}):
        sent = encode(metadata=refused)
        assert "requestMetadata" not in sent.body
        assert sent.dropped == ("metadata",)
    assert encode(metadata={}).dropped == ()


def test_what_bedrock_has_no_word_for_is_reported(encode: Any) -> None:
    sent = encode(seed=1, user="u", logit_bias={"1": 1}, frequency_penalty=0.5, logprobs=True)
    assert sent.dropped == ("seed", "user", "logit_bias", "frequency_penalty", "logprobs")
    nothing = encode(
        frequency_penalty=0, presence_penalty=0, logprobs=False, store=False, seed=None
    )
    assert nothing.dropped == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"temperature": "warm"}, "temperature"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"metadata": [1]}, "metadata"),
        ({"stop": 5}, "stop"),
        ({"max_tokens": "x"}, "max_tokens"),
        ({"tools": {}}, "tools"),
    ],
)
def test_what_is_not_as_openai_has_it_is_named(
    exchange: Any, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(**fields)
    assert caught.value.param == param


def test_the_key_goes_as_a_bearer_token(exchange: Any) -> None:
    http = exchange().http
    assert http.headers["authorization"] == "Bearer ABSK-canary"
    assert http.headers["accept"] == "application/json"
    own = Provider("b", "https://x", api_key=Secret("k"), key_header="X-Key", headers={"X-Y": "1"})
    headers = exchange(provider=own).http.headers
    assert (headers["x-key"], headers["x-y"]) == ("k", "1")
    assert "authorization" not in headers


def test_without_a_key_the_request_leaves_unsigned(exchange: Any) -> None:
    assert "authorization" not in exchange(provider=Provider("b", "https://x")).http.headers


@pytest.mark.parametrize(
    ("model", "stream", "end"),
    [
        ("a.b-v1:0", False, "/model/a.b-v1:0/converse"),
        ("a.b-v1%3A0", True, "/model/a.b-v1%3A0/converse-stream"),
    ],
)
def test_the_path_is_the_rows_and_the_streams_is_derived(
    exchange: Any, model: str, stream: bool, end: str
) -> None:
    http = exchange(model=model, stream=stream).http
    assert http.url == f"https://bedrock-runtime.us-east-1.amazonaws.com{end}"
    accept = "application/vnd.amazon.eventstream" if stream else "application/json"
    assert http.headers["accept"] == accept
    assert "stream" not in json.loads(http.body)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/model/a.b-v1:0/converse", "a.b-v1:0"),
        ("/model/a.b-v1%3A0/converse?x=1", "a.b-v1:0"),
        ("/proxy/model/arn%3Aaws%3Abedrock%3A%3A%3Aa%2Fb/converse", "arn:aws:bedrock:::a/b"),
        ("/chat/converse", None),
        ("/model", None),
    ],
)
def test_the_path_names_the_model(path: str, model: str | None) -> None:
    assert model_in(path) == model


def test_the_listed_name_tells_the_family_where_the_path_does_not() -> None:
    profile = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc"
    deployment = Deployment(
        model="m",
        upstream_model="anthropic.claude-3-haiku",
        provider=Provider("bedrock", "https://x"),
        dialect=Dialect.BEDROCK,
        endpoint=Endpoint.CHAT,
        path=f"/model/{profile}/converse",
    )
    assert family_at(deployment).claude is not None


@pytest.mark.parametrize("part", FAMILIES)
def test_every_family_is_found_by_its_models_ids(part: str) -> None:
    family = family_of(f"us.{part}-x-v1:0")
    assert family is not UNKNOWN
    assert (family.claude is not None) == part.startswith("anthropic.")


def test_claudes_schema_on_bedrock_is_bedrocks_own() -> None:
    assert family_of("anthropic.claude-opus-4-1-20250805-v1:0").has_json_schema is False
    assert family_of("anthropic.claude-3-sonnet-20240229-v1:0").has_json_schema is True
    assert family_of(CLAUDE_45).has_json_schema is True
    assert family_of(CLAUDE_3).has_json_schema is False
    assert family_of("newvendor.model-v1") is UNKNOWN
