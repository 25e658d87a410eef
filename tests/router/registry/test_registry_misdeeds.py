"""A source that misbehaves: the good list stays, and the registry says why."""

from collections.abc import Awaitable, Callable

import pytest

from router.registry import accept, load_once
from router.registry import source as sources
from router.routing.snapshot import EMPTY
from router.transport.http import AiohttpTransport
from tests.router.registry.scripted import ListServer, MakeConfig, Reply, Start, ids, rows

SLOW = 0.2


async def hang(server: ListServer) -> None:
    server.is_hanging = True


def replies(reply: Reply) -> Callable[[ListServer], Awaitable[None]]:
    async def change(server: ListServer) -> None:
        server.replies["/models.json"] = reply

    return change


MISDEEDS: dict[str, tuple[Callable[[ListServer], Awaitable[None]], str]] = {
    "down": (ListServer.stop, "source unreachable (the source cannot be reached)"),
    "slow": (hang, "source too slow (no list within 0.2 s)"),
    "failing": (replies(Reply(500)), "source answered with status 500"),
    "broken": (replies(Reply(200, b'[{"model_version": ')), "list unreadable (malformed JSON"),
    "no list": (replies(Reply(200, b'{"data": []}')), "list unreadable (not a JSON array)"),
    "login page": (replies(Reply(200, b"<html>")), "list unreadable (not a JSON array)"),
    "empty": (replies(Reply(200, b"[]")), "list refused: it is empty"),
    "all bad": (
        replies(Reply(200, b"[1]")),
        "list refused: none of its 1 rows can be served (row 0: got 1, expected an object)",
    ),
    "redirected": (
        replies(Reply(302, headers={"location": "http://localhost/models.json"})),
        "source redirects to another host ('localhost')",
    ),
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
async def test_the_good_list_stays_whatever_the_source_does(
    start: Start, server: ListServer, misdeed: str
) -> None:
    do, reason = MISDEEDS[misdeed]
    server.listed = rows(3)
    registry = await start()
    before = registry.snapshot
    await do(server)
    if misdeed == "slow":
        assert registry._origin is not None
        registry._origin.source._seconds = SLOW
    await registry.refresh_now()

    assert registry.snapshot is before
    [sentence] = registry.degraded()
    assert sentence.startswith(f"model list: {reason}")
    assert sentence.endswith("; serving generation 1, last good 2023-11-14 22:13:20 UTC")


@pytest.mark.parametrize("misdeed", MISDEEDS)
async def test_without_any_good_list_nothing_is_served(
    start: Start, server: ListServer, misdeed: str
) -> None:
    do, reason = MISDEEDS[misdeed]
    await do(server)
    registry = await start(fetch_seconds=SLOW if misdeed == "slow" else 10.0)

    assert registry.snapshot == EMPTY
    [sentence] = registry.degraded()
    assert sentence.startswith(f"model list: {reason}")
    assert sentence.endswith("; no list is served")


@pytest.mark.parametrize("misdeed", MISDEEDS)
async def test_a_restart_serves_the_last_good_list(
    start: Start, server: ListServer, misdeed: str
) -> None:
    do, reason = MISDEEDS[misdeed]
    server.listed = rows(3)
    registry = await start()
    server.listed = rows(4)
    await registry.refresh_now()
    before = registry.snapshot
    await registry.close()

    await do(server)
    again = await start(fetch_seconds=SLOW if misdeed == "slow" else 10.0)
    assert again.snapshot == before
    assert again.snapshot.generation == 2
    assert again.degraded()[0].startswith(f"model list: {reason}")


async def test_an_oversized_list_never_replaces_a_good_one(
    start: Start, server: ListServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.listed = rows(1)
    registry = await start()
    monkeypatch.setattr(sources, "MAX_BYTES", 1000)
    server.listed = rows(100)
    await registry.refresh_now()

    assert ids(registry) == ["m0"]
    assert "larger than 1000 bytes" in registry.degraded()[0]


async def test_a_source_that_is_well_again_ends_the_degradation(
    start: Start, server: ListServer
) -> None:
    server.listed = rows(3)
    registry = await start()
    server.replies["/models.json"] = Reply(503)
    await registry.refresh_now()
    assert registry.degraded()

    server.replies.clear()
    await registry.refresh_now()
    assert registry.degraded() == ()


async def test_a_shrunk_list_is_refused_until_three_fetches_agree(
    start: Start, server: ListServer
) -> None:
    server.listed, server.etag = rows(20), '"large"'
    registry = await start()
    server.listed, server.etag = rows(3), '"small"'
    await registry.refresh_now()
    assert "fetch 1 of 3" in registry.degraded()[0]
    await registry.refresh_now()
    assert "fetch 2 of 3" in registry.degraded()[0]
    assert len(registry.snapshot.models) == 20

    await registry.refresh_now()
    assert ids(registry) == ["m0", "m1", "m2"]
    assert registry.degraded() == ()


@pytest.mark.parametrize("between", ["other list", "failure", "good list"])
async def test_only_fetches_in_a_row_agree(start: Start, server: ListServer, between: str) -> None:
    server.listed = rows(20)
    registry = await start()
    server.listed = rows(3)
    await registry.refresh_now()
    await registry.refresh_now()
    if between == "failure":
        server.replies["/models.json"] = Reply(500)
    else:
        server.listed = rows(4) if between == "other list" else rows(20)
    await registry.refresh_now()
    server.replies.clear()
    server.listed = rows(3)
    await registry.refresh_now()

    assert "fetch 1 of 3" in registry.degraded()[0]
    assert len(registry.snapshot.models) == 20


async def test_a_shrunk_list_does_not_get_in_by_a_restart(start: Start, server: ListServer) -> None:
    server.listed = rows(20)
    await (await start()).close()
    server.listed = rows(3)
    registry = await start()

    assert len(registry.snapshot.models) == 20
    assert "fetch 1 of 3" in registry.degraded()[0]


async def test_a_shrunk_list_that_an_operator_accepts_is_served_at_the_next_refresh(
    start: Start, server: ListServer, make_config: MakeConfig, transport: AiohttpTransport
) -> None:
    server.listed = rows(20)
    registry = await start()
    server.listed = rows(3)
    config = make_config(server.url)
    accept(config, await load_once(config, transport))
    await registry.refresh_now()
    assert ids(registry) == ["m0", "m1", "m2"]

    server.listed = rows(20)
    await registry.refresh_now()
    server.listed = rows(3)
    await registry.refresh_now()
    assert len(registry.snapshot.models) == 20, "an acceptance serves once"
