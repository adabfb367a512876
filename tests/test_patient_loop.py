"""The loop that lets nobody be late because its process was left waiting."""

import asyncio
import time

import pytest

from tests.patient_loop import MOST_AT_ONCE_S, PatientLoop


async def answered_after_a_standstill() -> str:
    """An answer that takes half as long as there is time for it, while the process stands still for far longer."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    loop.call_later(0.05, answer.set_result, "in time")
    async with asyncio.timeout(0.1):
        time.sleep(0.3)  # what a busy machine does to the process
        return await answer


@pytest.mark.parametrize("stands_still_s", [0.0, 0.3])
def test_its_clock_goes_on_while_it_waits_and_stands_while_it_has_no_turn(stands_still_s: float) -> None:
    async def waited_s() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        time.sleep(stands_still_s)  # what a busy machine does to the process
        stood_s = loop.time() - began_s
        await asyncio.sleep(0.05)
        return stood_s, loop.time() - began_s - stood_s

    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        stood_s, slept_s = runner.run(waited_s())
        assert stood_s <= MOST_AT_ONCE_S
        assert slept_s >= 0.05 - time.get_clock_info("monotonic").resolution


def test_an_answer_in_time_is_in_time_however_long_the_process_stood_still() -> None:
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        assert runner.run(answered_after_a_standstill()) == "in time"
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner, pytest.raises(TimeoutError):
        runner.run(answered_after_a_standstill())
