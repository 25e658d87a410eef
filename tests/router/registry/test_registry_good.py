import json
from typing import Any

import pytest

from router.config import ProvidersConfig, ProviderSettings
from router.errors import ModelNotFoundError
from router.registry import good as goods
from router.registry.good import NO_PAST, GoodList, Past, is_same, make, price_jumps
from router.registry.rows import Reading, read
from tests.router.registry.scripted import row

NOW = 1_700_000_000.9


def reading(*rows: Any, providers: ProvidersConfig | None = None) -> Reading:
    return read(json.dumps(rows).encode(), providers or ProvidersConfig())


def good(*rows: Any, past: Past = NO_PAST) -> GoodList:
    return make(reading(*rows), digest=repr(rows), past=past, now=NOW)


def test_the_listing_is_openais() -> None:
    snapshot = good(row("b", created=7), row("a/b", handle="/fireworks/chat/completions")).snapshot

    assert json.loads(snapshot.listing) == {
        "object": "list",
        "data": [
            {"id": "b", "object": "model", "created": 7, "owned_by": "openai"},
            {"id": "a/b", "object": "model", "created": 1_700_000_000, "owned_by": "fireworks"},
        ],
    }


def test_a_model_is_found_by_its_id_and_its_aliases() -> None:
    snapshot = good(row("a", aliases=["x"])).snapshot

    assert snapshot.find("a") is snapshot.find("x") is snapshot.models[0]
    with pytest.raises(ModelNotFoundError):
        snapshot.find("X")


def test_created_is_what_the_list_says_else_when_it_was_first_seen() -> None:
    first = good(row("a"), row("b", created=5), row("c"))
    later = make(
        reading(row("c"), row("b"), row("d"), row("a", created=9)), "", first.past, NOW + 99
    )
    created = {model.id: model.created for model in later.snapshot.models}

    assert created == {"a": 9, "b": 5, "c": 1_700_000_000, "d": 1_700_000_099}


def test_a_model_that_comes_back_is_as_old_as_before() -> None:
    gone = make(reading(row("b")), "", good(row("a")).past, NOW + 50)
    back = make(reading(row("a")), "", gone.past, NOW + 99)

    assert back.snapshot.models[0].created == 1_700_000_000


def test_the_ages_of_the_gone_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goods, "MAX_GONE", 2)
    before = Past(1, "", {f"m{n}": n for n in range(5)})

    assert good(row("m0"), past=before).past.created == {"m3": 3, "m4": 4, "m0": 0}


def test_generations_grow_and_a_list_read_again_keeps_its_own() -> None:
    first = good(row("a"))
    second = good(row("b"), past=first.past)

    assert (first.snapshot.generation, second.snapshot.generation) == (1, 2)
    assert good(row("b"), past=second.past).snapshot.generation == 2


def test_a_list_that_means_something_else_now_has_a_new_generation() -> None:
    rows = [row("a"), row("b", handle="/mine/v1/messages")]
    first = make(reading(*rows), "d", NO_PAST, NOW)
    mine = ProvidersConfig(named={"MINE": ProviderSettings(base_url="http://h")})
    second = make(reading(*rows, providers=mine), "d", first.past, NOW)
    elsewhere = ProvidersConfig(named={"MINE": ProviderSettings(base_url="http://i")})
    third = make(reading(*rows, providers=elsewhere), "d", second.past, NOW)

    generations = [g.snapshot.generation for g in (first, second, third)]
    assert generations == [1, 2, 3]


@pytest.mark.parametrize(
    ("rows", "same"),
    [
        ([row("a", other=1), row("b"), None], True),
        ([row("a"), row("b"), None], True),
        ([row("a", created=1_700_000_000), row("b"), None], True),
        ([row("a"), row("b")], False),
        ([row("b"), row("a"), None], False),
        ([row("a", created=8), row("b"), None], False),
        ([row("a"), row("b", prompt_price_1k=1), None], False),
        ([row("a"), row("b", aliases=["c"]), None], False),
        ([row("a"), None], False),
    ],
)
def test_a_list_is_the_same_if_nothing_that_matters_differs(rows: list[Any], same: bool) -> None:
    snapshot = good(row("a"), row("b"), None).snapshot

    assert is_same(reading(*rows), snapshot) is same


@pytest.mark.parametrize(
    ("old", "new", "jumps"),
    [
        (0.001, 0.01, 0),
        (0.001, 0.0101, 1),
        (0.01, 0.001, 0),
        (0.01, 0.0009, 1),
        (0, 0, 0),
        (0, 0.001, 1),
        (0.001, 0, 1),
        (0.001, None, 0),
    ],
)
def test_a_price_that_jumps_is_told(old: float, new: float | None, jumps: int) -> None:
    before = good(row("a", prompt_price_1k=old), row("b")).snapshot
    after = good(row("b"), row("a", prompt_price_1k=new), row("c", prompt_price_1k=99)).snapshot

    assert len(price_jumps(before, after)) == jumps


def test_a_price_jump_names_both_prices() -> None:
    before = good(row("a", completion_price_1k="0.002")).snapshot
    after = good(row("a", completion_price_1k=2)).snapshot

    assert price_jumps(before, after) == ("a at openai: completion price was 0.002, is 2",)


def test_a_snapshot_knows_the_places_of_all_deployments() -> None:
    snapshot = good(row("a"), row("a", upstream_model="x"), row("b")).snapshot

    assert snapshot.targets == {d.target for m in snapshot.models for d in m.deployments}
    assert len(snapshot.targets) == 3
