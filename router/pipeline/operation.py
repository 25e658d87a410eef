"""The end of the pipeline: one terminal stage per operation."""

from collections.abc import AsyncGenerator, Mapping

from router.calls import Call, Event, Operation, Stage


def by_operation(terminals: Mapping[Operation, Stage]) -> Stage:
    """Return the stage that hands each call to the terminal of its operation."""

    def stage(call: Call) -> AsyncGenerator[Event, None]:
        return terminals[call.operation](call)

    return stage
