"""One timer bounds one wait after the other, and cancels nobody else's work."""

import asyncio

import pytest

from router.dispatch.alarm import Alarm


async def forever() -> None:
    await asyncio.Event().wait()


async def test_what_is_there_in_time_is_returned() -> None:
    alarm = Alarm()

    async def step() -> int:
        await asyncio.sleep(0)
        return 7

    for _ in range(3):
        assert await alarm.within(step(), alarm.now() + 60) == 7
    alarm.stop()


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.01])
async def test_what_takes_longer_is_cancelled_and_the_task_goes_on(seconds: float) -> None:
    alarm = Alarm()

    with pytest.raises(TimeoutError):
        await alarm.within(forever(), alarm.now() + seconds)

    task = asyncio.current_task()
    assert task
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_later_wait_has_its_own_time() -> None:
    alarm = Alarm()
    await alarm.within(asyncio.sleep(0), alarm.now() + 0.01)

    with pytest.raises(TimeoutError):
        # The timer of the first wait goes off within the second one, and is set again.
        await alarm.within(forever(), alarm.now() + 0.05)
    await alarm.within(asyncio.sleep(0), alarm.now() + 60)
    with pytest.raises(TimeoutError):
        # A shorter wait than the one that the timer is set for.
        await alarm.within(forever(), alarm.now() + 0.01)
    alarm.stop()


async def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    async def wait() -> None:
        alarm = Alarm()
        try:
            await alarm.within(forever(), alarm.now() + 60)
        finally:
            alarm.stop()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_failure_of_the_step_is_the_waiters() -> None:
    async def fail() -> None:
        raise ValueError("of the step")

    with pytest.raises(ValueError, match="of the step"):
        await Alarm().within(fail(), asyncio.get_running_loop().time() + 60)


async def test_an_alarm_that_was_stopped_wakes_nobody() -> None:
    alarm = Alarm()
    await alarm.within(asyncio.sleep(0), alarm.now() + 0.01)
    alarm.stop()

    await asyncio.sleep(0.02)


async def test_waits_within_waits_go_off_apart() -> None:
    inner, outer = Alarm(), Alarm()

    async def step() -> str:
        with pytest.raises(TimeoutError):
            await inner.within(forever(), inner.now() + 0.01)
        return "went on"

    assert await outer.within(step(), outer.now() + 60) == "went on"
    inner.stop()
    outer.stop()
