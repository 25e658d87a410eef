"""The typed model service: pages, one model, and every later state."""

from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from tests.support.gateway import gateway, row, write_list
from tests.support.typed import failure_of, stubs
from trunkline.v1 import model_service_pb2 as pb

HANDLE = "/demo/v1/chat/completions"
ROWS = [row(f"demo/m{i}", HANDLE, upstream_model="demo/echo") for i in range(5)]


def environ(tmp_path: Path) -> dict[str, str]:
    rows = [*ROWS, row("keyless", "/openai/v1/chat/completions", aliases=["other"])]
    return {"MODEL_LIST_URL": write_list(tmp_path / "models.json", rows)}


async def test_the_list_is_told_page_by_page_in_its_order(tmp_path: Path) -> None:
    seen, token, pages = [], "", 0
    async with gateway(tmp_path, environ(tmp_path)) as started, stubs(started.grpc) as client:
        while token or not pages:
            asked = pb.ListModelsRequest(page_size=4, page_token=token)
            page = await client.models.ListModels(asked)
            seen += [model.id for model in page.models]
            token, pages = page.next_page_token, pages + 1
            assert page.generation == 1
        whole = await client.models.ListModels(pb.ListModelsRequest())

    assert pages == 2
    assert seen == [*(f"demo/m{i}" for i in range(5)), "keyless"]
    assert [model.id for model in whole.models] == seen


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (pb.ListModelsRequest(page_token="?"), "page_token"),
        (pb.ListModelsRequest(page_token="bm9uZQ=="), "page_token"),
        (pb.ListModelsRequest(page_token="é"), "page_token"),
        (pb.ListModelsRequest(page_size=-1), "page_size"),
        (pb.ListModelsRequest(page_size=10_001), "page_size"),
    ],
)
async def test_a_page_that_there_is_not_is_refused_named_and_logged(
    tmp_path: Path, asked: pb.ListModelsRequest, param: str
) -> None:
    async with gateway(tmp_path, {}) as started, stubs(started.grpc) as client:
        with capture_logs() as logs:
            call = client.models.ListModels(asked, metadata=(("x-request-id", "mine"),))
            failed = await failure_of(call)

    assert (failed.code, failed.info.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
    assert failed.info.metadata["param"] == param
    assert failed.trailers["x-request-id"] == "mine"
    (line,) = [line for line in logs if line["event"] == "call_ended"]
    assert (line["status"], line["request_id"]) == ("INVALID_REQUEST", "mine")


async def test_a_model_is_found_by_id_and_alias_and_says_why_it_cannot_be_called(
    tmp_path: Path,
) -> None:
    async with gateway(tmp_path, environ(tmp_path)) as started, stubs(started.grpc) as client:
        by_id = (await client.models.GetModel(pb.GetModelRequest(id="keyless"))).model
        by_alias = (await client.models.GetModel(pb.GetModelRequest(id="other"))).model
        demo = (await client.models.GetModel(pb.GetModelRequest(id="demo/m0"))).model

    assert by_id == by_alias
    assert by_id.deployments[0].unavailable_reason == "OPENAI_API_KEY is not set"
    assert demo.deployments[0].unavailable_reason == ""
    assert (demo.owned_by, demo.deployments[0].dialect) == ("demo", "openai")


@pytest.mark.parametrize("name", ["", "none", "demo/m0/", "x" * 5000, "日本"])
async def test_an_unknown_model_is_not_found(tmp_path: Path, name: str) -> None:
    async with gateway(tmp_path, environ(tmp_path)) as started, stubs(started.grpc) as client:
        failed = await failure_of(client.models.GetModel(pb.GetModelRequest(id=name)))

    assert (failed.code, failed.info.reason) == (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")


async def test_a_watch_gives_the_list_as_it_is_and_each_change_and_ends_with_the_drain(
    tmp_path: Path,
) -> None:
    async with gateway(tmp_path, environ(tmp_path)) as started, stubs(started.grpc) as client:
        watch = client.models.WatchModels(pb.WatchModelsRequest())
        first = await watch.read()
        write_list(tmp_path / "models.json", ROWS)
        await started.router.registry.refresh_now()
        second = await watch.read()
        await started.router.announce_drain()
        end = await watch.read()

    assert (first.generation, len(first.models)) == (1, 6)
    assert (second.generation, len(second.models)) == (2, 5)
    assert end is grpc.aio.EOF
