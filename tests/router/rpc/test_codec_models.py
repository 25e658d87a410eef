from decimal import Decimal

import pytest

from router.errors import InvalidRequestError
from router.routing.health import HealthBook, Standing
from router.routing.snapshot import EMPTY, Model, Snapshot
from router.rpc import codec
from router.values import Deployment, Dialect, Endpoint, Price, Provider, Secret


def deployment(price: Price | None = None, key: Secret | None = None) -> Deployment:
    return Deployment(
        model="m",
        upstream_model="up/m",
        provider=Provider("p", "https://p", api_key=key, key_variable="P_API_KEY", headers={}),
        dialect=Dialect.ANTHROPIC,
        endpoint=Endpoint.CHAT,
        path="/v1/messages",
        price=price,
        weight=0.5,
        priority=3,
        context_window=1000,
    )


def standing(listed: Deployment) -> Standing:
    return HealthBook(lambda: 0.5).standing(listed, 0.0)


def snapshot(*ids: str) -> Snapshot:
    return Snapshot(
        generation=7, models=tuple(Model(i, 5, "p", "fam", (deployment(),), ("x",)) for i in ids)
    )


def test_a_model_carries_its_deployments_and_exact_prices() -> None:
    price = Price(Decimal("0.0000001"), Decimal("1E+1"))
    model = Model("a/b", 5, "p", "fam", (deployment(price, Secret("k")), deployment()), ("x",))

    message = codec.model_message(model, standing)

    assert (message.id, message.created, message.owned_by, message.family) == ("a/b", 5, "p", "fam")
    assert list(message.aliases) == ["x"]
    priced, unpriced = message.deployments
    assert (priced.prompt_price_1k, priced.completion_price_1k) == ("0.0000001", "10")
    assert (priced.provider, priced.upstream_model, priced.dialect) == ("p", "up/m", "anthropic")
    assert (priced.weight, priced.priority, priced.context_window) == (0.5, 3, 1000)
    assert not priced.HasField("max_output_tokens")
    assert not unpriced.HasField("prompt_price_1k")


def test_a_deployment_whose_key_is_missing_names_the_variable() -> None:
    message = codec.model_message(Model("m", 1, "p", "", (deployment(),)), standing)

    assert message.deployments[0].unavailable_reason == "P_API_KEY is not set"


def test_a_deployment_that_can_be_called_states_no_reason() -> None:
    message = codec.model_message(Model("m", 1, "p", "", (deployment(key=Secret("k")),)), standing)

    assert message.deployments[0].unavailable_reason == ""


def test_a_watcher_gets_the_whole_list() -> None:
    message = codec.watch_models_response(snapshot("b", "a"), standing)

    assert (message.generation, [m.id for m in message.models]) == (7, ["b", "a"])


def test_pages_cover_the_list_in_its_order() -> None:
    ids = ["d", "é/b", "a", "c", "e"]
    seen: list[str] = []
    token = ""
    for _ in ids:
        page = codec.list_models_response(snapshot(*ids), standing, 2, token)
        seen += [m.id for m in page.models]
        token = page.next_page_token
        if not token:
            break

    assert seen == ids
    assert page.generation == 7


def test_a_token_continues_after_its_model_on_a_changed_list() -> None:
    token = codec.list_models_response(snapshot("a", "b", "c"), standing, 2).next_page_token

    page = codec.list_models_response(snapshot("new", "b", "newer", "c"), standing, 2, token)

    assert [m.id for m in page.models] == ["newer", "c"]


def test_an_empty_list_has_one_empty_page() -> None:
    page = codec.list_models_response(EMPTY, standing)

    assert (list(page.models), page.next_page_token) == ([], "")


def test_a_page_has_a_thousand_models_unless_asked() -> None:
    page = codec.list_models_response(snapshot(*map(str, range(1001))), standing)

    assert len(page.models) == codec.DEFAULT_PAGE_SIZE == 1000


@pytest.mark.parametrize("size", [-1, codec.MAX_PAGE_SIZE + 1])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codec.list_models_response(snapshot("a"), standing, size)

    assert caught.value.param == "page_size"


@pytest.mark.parametrize("token", ["!", "YQ", "Z29uZQ==", "/w==", "_w==", "é"])
def test_a_token_that_leads_nowhere_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codec.list_models_response(snapshot("a"), standing, 1, token)

    assert caught.value.param == "page_token"
