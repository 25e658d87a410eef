"""The terminal stages of the model operations: they read the call's snapshot."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable

from router.calls import Call, Event, Listing, Stage
from router.routing.snapshot import Snapshot


async def list_models(call: Call) -> AsyncGenerator[Event, None]:
    """Answer with the whole list."""
    yield Listing(call.snapshot)


async def get_model(call: Call) -> AsyncGenerator[Event, None]:
    """Answer with one model.

    Raises:
        ModelNotFoundError: if it is not on the list.

    """
    yield Listing(call.snapshot, call.snapshot.find(call.name))


async def refuse(call: Call) -> AsyncGenerator[Event, None]:
    """Refuse what there is not, now that the caller may know it.

    Raises:
        CallerError: as the call's body says.

    """
    call.body()
    yield Listing(call.snapshot)


def watch_models(watch: Callable[[], AsyncIterator[Snapshot]]) -> Stage:
    """Return the stage that answers with each state of the list that `watch` yields."""

    async def stage(call: Call) -> AsyncGenerator[Event, None]:
        del call
        async for snapshot in watch():
            yield Listing(snapshot)

    return stage
