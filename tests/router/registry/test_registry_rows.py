import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.config import ProvidersConfig, ProviderSettings
from router.registry.rows import Reading, read
from router.values import Dialect, Endpoint, Price, Secret

PLAIN = ProvidersConfig()


def row(model: object = "m", **changes: Any) -> dict[str, Any]:
    return {
        "model_version": model,
        "model_family": "family",
        "handle": "/openai/v1/chat/completions",
        "prompt_price_1k": 0.0025,
        "completion_price_1k": 0.01,
        **changes,
    }


def reading(*rows: object, providers: ProvidersConfig = PLAIN) -> Reading:
    return read(json.dumps(rows).encode(), providers)


def test_the_seeds_example_gives_three_models() -> None:
    listed = reading(
        row("gpt-4o-audio-preview-2024-10-01", model_family="gpt-4"),
        row("accounts/fireworks/models/llama", handle="/fireworks/chat/completions"),
        row("claude-3-7-sonnet-20250219", handle="/anthropic/v1/messages"),
    )
    deployments = [d for model in listed.models for d in model.deployments]

    assert listed.set_aside == ()
    assert [(d.provider.name, d.path, d.dialect) for d in deployments] == [
        ("openai", "/v1/chat/completions", Dialect.OPENAI),
        ("fireworks", "/chat/completions", Dialect.OPENAI),
        ("anthropic", "/v1/messages", Dialect.ANTHROPIC),
    ]
    assert deployments[0].price == Price(Decimal("0.0025"), Decimal("0.01"))
    assert listed.models[0].family == "gpt-4"


def test_with_one_base_for_all_the_whole_handle_is_the_path() -> None:
    base = ProvidersConfig(upstream_base_url="http://127.0.0.1:9/base/")
    [model] = reading(row(handle="/anthropic/v1/messages?beta=1"), providers=base).models

    assert model.deployments[0].url == "http://127.0.0.1:9/base/anthropic/v1/messages?beta=1"
    assert model.deployments[0].dialect is Dialect.ANTHROPIC


def test_a_configured_dialect_decides() -> None:
    settings = ProviderSettings(base_url="http://h", dialect=Dialect.ANTHROPIC)
    named = ProvidersConfig(named={"MY_VLLM": settings})
    [model] = reading(row(handle="/my-vllm/odd/path"), providers=named).models

    assert model.deployments[0].dialect is Dialect.ANTHROPIC
    assert model.deployments[0].url == "http://h/odd/path"


def test_rows_with_one_id_are_deployments_of_one_model() -> None:
    listed = reading(
        row("a", created=None),
        row("b"),
        row("a", handle="/fireworks/chat/completions", model_family="other", created=7),
        row("a", handle="/openai/v1/embeddings"),
    )

    assert [model.id for model in listed.models] == ["a", "b"]
    model = listed.models[0]
    assert model.family == "family"
    assert model.created == 7
    assert [d.endpoint for d in model.deployments] == [
        Endpoint.CHAT,
        Endpoint.CHAT,
        Endpoint.EMBEDDINGS,
    ]


def test_an_embedding_rows_price_is_that_of_its_prompt() -> None:
    chat, embedding, unpriced = (
        model.deployments[0].price
        for model in reading(
            row("a", prompt_price_1k=0.1, completion_price_1k=None),
            row("b", handle="/openai/v1/embeddings", prompt_price_1k=0.1, completion_price_1k=None),
            row("c", handle="/cohere/v2/embed", prompt_price_1k=None, completion_price_1k=None),
        ).models
    )

    assert chat is None
    assert embedding == Price(Decimal("0.1"), Decimal(0))
    assert unpriced is None


def test_all_keys_of_a_row_are_read() -> None:
    [model] = reading(
        row(
            upstream_model="other",
            weight=2.5,
            priority=-1,
            context_window=128000.0,
            max_output_tokens=4096,
            created=1686935000,
            aliases=["x", "y"],
            whatever={"else": [1, "é"]},
        )
    ).models
    [d] = model.deployments

    assert (d.upstream_model, d.weight, d.priority) == ("other", 2.5, -1)
    assert (d.context_window, d.max_output_tokens) == (128000, 4096)
    assert (model.created, model.aliases) == (1686935000, ("x", "y"))


def test_what_a_row_does_not_say_has_its_default() -> None:
    [model] = read(
        b'[{"model_version": "m", "handle": "/openai/v1/chat/completions", "weight": null}]', PLAIN
    ).models
    [d] = model.deployments

    assert (d.upstream_model, d.weight, d.priority, d.price) == ("m", 1.0, 0, None)
    assert (d.context_window, d.max_output_tokens) == (None, None)
    assert (model.family, model.created, model.aliases) == ("", None, ())


@pytest.mark.parametrize(
    ("stated", "price"),
    [
        ("0.003", "0.003"),
        ('"0.003"', "0.003"),
        ('"3e-3"', "0.003"),
        ("0.30000000000000004", "0.30000000000000004"),
        (
            "0.1234567890123456789012345678901234567890",
            "0.1234567890123456789012345678901234567890",
        ),
        ("0", "0"),
        ("-0.0", "0"),
        ("0e9999", "0"),
        ("1e-7", "0.0000001"),
        ("1000000", "1000000"),
    ],
)
def test_prices_are_exact(stated: str, price: str) -> None:
    text = json.dumps([row(prompt_price_1k="PRICE")]).replace('"PRICE"', stated)
    [model] = read(text.encode(), PLAIN).models

    assert model.deployments[0].price == Price(Decimal(price), Decimal("0.01"))


@pytest.mark.parametrize("key", ["prompt_price_1k", "completion_price_1k"])
@pytest.mark.parametrize("how", ["missing", "null"])
def test_half_a_price_is_none(key: str, how: str) -> None:
    stated = row(**{key: None})
    if how == "missing":
        del stated[key]

    assert reading(stated).models[0].deployments[0].price is None


@pytest.mark.parametrize(
    "stated",
    [
        "-0.001", "NaN", "Infinity", "-Infinity", "1e400", "1e99999999999999999999", "1e-400",
        "1000001", "9" * 5000, "true", "false", "[]", "{}", '""', '"free"', '"NaN"', '"Infinity"',
        '"-1"', '" 1"', '"1_000"', '"$1"', '"1e99999"', '"\\u0661"', f'"0.{"1" * 70}"',
        f"0.{'1' * 70}",
    ],
)  # fmt: skip
def test_an_invalid_price_sets_its_row_aside(stated: str) -> None:
    text = json.dumps([row("bad", prompt_price_1k="PRICE"), row("good")])
    listed = read(text.replace('"PRICE"', stated).encode(), PLAIN)

    assert [model.id for model in listed.models] == ["good"]
    [aside] = listed.set_aside
    assert (aside.row, aside.model) == (0, "bad")
    assert aside.reason.startswith("prompt_price_1k: got ")


BAD_ROWS: list[tuple[object, str]] = [
    (None, "got null, expected an object"),
    (1, "got 1, expected an object"),
    ("row", "got 'row', expected an object"),
    ([row()], "got a list, expected an object"),
    ({}, "model_version is missing"),
    (row(None), "model_version is missing"),
    (row(7), "model_version: got 7, expected 1 to 512 characters"),
    (row(True), "model_version: got true"),
    (row(["m"]), "model_version: got a list"),
    (row({"m": 1}), "model_version: got an object"),
    (row(""), "model_version: got ''"),
    (row(" m"), "model_version: got ' m'"),
    (row("m\n"), "model_version"),
    (row("m\x00"), "model_version"),
    (row("m\u202e"), "model_version"),
    (row("\ud800"), "model_version"),
    (row("m" * 513), "model_version"),
    ({"model_version": "m"}, "handle is missing"),
    (row(handle=""), "handle must be"),
    (row(handle=1), "handle: got 1, expected a string"),
    (row(handle="/openai/" + "x" * 2048), "handle: got"),
    (row(handle="openai/v1/chat/completions"), "handle must be"),
    (row(handle="/openai/../v1/chat/completions"), "dot segment"),
    (row(handle="/nobody/v1/chat/completions"), "TRUNKLINE_PROVIDERS__NOBODY__BASE_URL"),
    (row(handle="/openai/v1/responses"), "no known dialect"),
    (row(handle="/openai/v1beta/models/x:countTokens"), "no known dialect"),
    (row(model_family=7), "model_family: got 7"),
    (row(upstream_model=""), "upstream_model: got ''"),
    (row(upstream_model=5), "upstream_model: got 5"),
    (row(weight=-1), "weight: got -1"),
    (row(weight="1"), "weight: got '1'"),
    (row(weight=True), "weight: got true"),
    (row(priority=1.5), "priority: got 1.5, expected an integer"),
    (row(priority=2**31), "priority"),
    (row(context_window=0), "context_window: got 0, expected an integer from 1"),
    (row(context_window="128k"), "context_window: got '128k'"),
    (row(max_output_tokens=-5), "max_output_tokens"),
    (row(max_output_tokens=2**63), "max_output_tokens"),
    (row(created=1686935000000), "created: got 1686935000000"),
    (row(created="2024-01-01"), "created"),
    (row(aliases="x"), "aliases: got 'x', expected a list of strings"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_ROWS)
def test_a_bad_row_is_set_aside_alone(bad: object, reason: str) -> None:
    listed = reading(row("before"), bad, row("after"))

    assert [model.id for model in listed.models] == ["before", "after"]
    [aside] = listed.set_aside
    assert aside.row == 1
    assert reason in aside.reason
    assert (aside.model + aside.reason).isprintable()
    assert len(aside.model + aside.reason) < 400


def test_only_the_good_rows_of_a_model_are_its_deployments() -> None:
    listed = reading(row("a", weight="x"), row("a", handle="/fireworks/chat/completions"))

    assert [d.provider.name for d in listed.models[0].deployments] == ["fireworks"]
    assert listed.rows == 2


def test_an_alias_that_is_taken_is_ignored_and_noted() -> None:
    listed = reading(
        row("a", aliases=["b", "shared", "fine", "", 7, "fine"]),
        row("b", aliases=["shared", "b"]),
        row("a", aliases=["fine", "more"]),
    )

    assert [(model.id, model.aliases) for model in listed.models] == [
        ("a", ("shared", "fine", "more")),
        ("b", ()),
    ]
    assert [(note.row, note.text) for note in listed.notes] == [
        (0, "alias 'b' is the id of a model"),
        (0, "alias '' is not a usable name"),
        (0, "alias 7 is not a usable name"),
        (1, "alias 'shared' is an alias of 'a'"),
        (1, "alias 'b' is the id of a model"),
    ]
    assert listed.set_aside == ()


def test_an_id_that_is_not_served_can_be_an_alias() -> None:
    [model] = reading(row("a", aliases=["b"]), row("b", handle="/nobody/x/messages")).models

    assert model.aliases == ("b",)


def test_no_credential_reaches_a_reason() -> None:
    key = Secret("sk-canary")
    providers = ProvidersConfig(named={"X": ProviderSettings(api_key=key)}, upstream_api_key=key)
    listed = reading(row(handle="/x/v1/messages"), row(handle="/y/z"), providers=providers)

    assert len(listed.set_aside) == 2
    assert "canary" not in repr(listed)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "model_version", "model_family", "handle", "prompt_price_1k", "completion_price_1k",
    "upstream_model", "weight", "priority", "context_window", "max_output_tokens", "created",
    "aliases",
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES) | JSON_VALUES, max_size=4))
def test_no_row_spoils_its_neighbour(rows: list[object]) -> None:
    listed = reading(row("first!"), *rows, row("last!"))

    assert listed.models[0].id == "first!"
    assert listed.models[-1].id == "last!"
    assert listed.rows == len(rows) + 2
    assert len(listed.set_aside) == len(rows)


@given(st.sampled_from(FIELDS), JSON_VALUES)
def test_whatever_a_field_holds_the_row_is_served_or_set_aside(key: str, value: object) -> None:
    listed = reading(row("m", **{key: value}))

    assert len(listed.models) + len(listed.set_aside) == 1
    assert all(
        d.price is None or d.price.prompt_1k >= 0 for m in listed.models for d in m.deployments
    )
