"""The forecast worker: same bits as in the same process, one child at a time, survives its death, dies with the hub."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from hub.core.forecasting.forecaster import Forecast, ForecastInputError, History, forecast
from hub.core.forecasting.weather_table import WeatherTable
from hub.forecasts.frames import (
    ForecastRequest,
    WorkerAnswer,
    encode_answer,
)
from hub.forecasts.worker import ForecastWorker, ForecastWorkerError

TZ = "Europe/Berlin"
ISSUED = 1_983_000
DAYS = 35
ROOT = Path(__file__).resolve().parents[3]


def history(target: str = "demand") -> History:
    rng = np.random.default_rng(1)
    clock = np.arange(DAYS * 96) % 96
    energy = 200 + 100 * np.sin(clock / 96 * 2 * np.pi) + rng.normal(0, 20, DAYS * 96)
    energy[500:510] = np.nan
    return History(target, ISSUED - DAYS * 96, energy)


def weather() -> WeatherTable:
    rows = DAYS * 96 + 192
    slot = np.arange(ISSUED - DAYS * 96, ISSUED + 192, dtype=np.int64)
    rng = np.random.default_rng(2)
    return WeatherTable(slot, slot * 0, *(rng.uniform(0, 20, rows) for _ in range(3)))


def same_numbers(one: Forecast, other: Forecast) -> bool:
    return (
        one.energy_wh.tobytes() == other.energy_wh.tobytes()
        and one.point_wh.tobytes() == other.point_wh.tobytes()
        and one.error_history_wh.tobytes() == other.error_history_wh.tobytes()
        and one.error_origin_slot == other.error_origin_slot
        and (one.model, one.reason, one.weather_known_slot) == (other.model, other.reason, other.weather_known_slot)
    )


async def ask(worker: ForecastWorker, target: str = "demand") -> Forecast:
    return await worker.forecast(ForecastRequest(history(target), weather(), 192, ISSUED, TZ))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker() -> AsyncIterator[ForecastWorker]:
    """One for all tests of this file: its start costs seconds. Tests may kill its child; it comes back."""
    one = ForecastWorker()
    await one.start()
    yield one
    await one.stop()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until_dead(pid: int) -> None:
    async with asyncio.timeout(60):
        while is_alive(pid):
            await asyncio.sleep(0.02)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_child_computes_the_same_bits_every_time_and_adds_the_picture(worker: ForecastWorker) -> None:
    first, again = await ask(worker), await ask(worker)
    assert same_numbers(first, again)
    assert first.drivers == again.drivers
    here = forecast(history(), weather(), 192, issued_slot=ISSUED, tz=TZ)
    assert first.model == here.model
    assert np.allclose(first.energy_wh, here.energy_wh)
    assert first.drivers[-len(here.drivers) :] == here.drivers or not here.drivers
    assert any("over the last 5 weeks" in driver for driver in first.drivers)
    assert any("o'clock" in driver for driver in first.drivers)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_it_costs_is_known(worker: ForecastWorker) -> None:
    before = worker.usage
    await ask(worker)
    usage = worker.usage
    assert usage.answered == before.answered + 1
    assert 0 < usage.last_request_cpu_s <= usage.cpu_s
    assert 50e6 < usage.rss_bytes < 400e6


@pytest.mark.asyncio(loop_scope="module")
async def test_callers_queue_and_each_gets_its_own_answer(worker: ForecastWorker) -> None:
    restarts = worker.usage.restarts
    answers = await asyncio.gather(*(ask(worker, target) for target in ("demand", "pv", "wind", "demand")))
    assert [one.target for one in answers] == ["demand", "pv", "wind", "demand"]
    assert worker.usage.restarts == restarts


@pytest.mark.asyncio(loop_scope="module")
async def test_a_refusal_is_one_line_and_the_child_lives_on(worker: ForecastWorker) -> None:
    await ask(worker)
    pid = worker.usage.pid
    with pytest.raises(ForecastInputError, match="unknown time zone 'Mars'"):
        await worker.forecast(ForecastRequest(history(), weather(), 192, ISSUED, "Mars"))
    with pytest.raises(ForecastInputError, match="no readings of demand"):
        await worker.forecast(
            ForecastRequest(History("demand", ISSUED, np.empty(0)), WeatherTable.empty(), 96, ISSUED, TZ)
        )
    assert (await ask(worker)).target == "demand"
    assert worker.usage.pid == pid


@pytest.mark.asyncio(loop_scope="module")
async def test_a_killed_child_is_started_again_for_the_request_in_hand(worker: ForecastWorker) -> None:
    first = await ask(worker)
    pid, restarts = worker.usage.pid, worker.usage.restarts
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert same_numbers(await ask(worker), first)
    assert worker.usage.restarts == restarts + 1
    assert worker.usage.pid != pid


@pytest.mark.asyncio(loop_scope="module")
async def test_health_says_when_and_why_the_child_ended_until_it_is_back(worker: ForecastWorker) -> None:
    assert ForecastWorker().health(now_s=0.0) is None, "it was never started"
    await ask(worker)
    well = worker.health(now_s=1000.0)
    assert well is not None
    assert well.is_serving
    assert well.use is not None
    os.kill(well.use.pid, signal.SIGKILL)
    while (ended := worker.health(now_s=1000.0)) is None or ended.is_serving:
        await asyncio.sleep(0.01)  # the system tells the event loop, and that nobody else
    assert (ended.problem, ended.use) == ("it was killed by signal 9", None)
    assert ended.ended_at is not None
    await ask(worker)
    again = worker.health(now_s=1000.0)
    assert again is not None
    assert (again.is_serving, again.restarts) == (True, well.restarts + 1)


async def test_a_child_that_cannot_start_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    broken = ForecastWorker()
    with pytest.raises(ForecastWorkerError, match="did not start") as failed:
        await broken.start()
    assert "\n" not in str(failed.value)
    await broken.stop()


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("#!/bin/sh\necho no room for it >&2\nexit 1\n", "it did not start: no room for it"),
        ('#!/bin/sh\nexec cat "$0.hello"\n', "it did not start: no numbers; install them"),
        (None, "it did not start: [Errno 2] No such file or directory: "),
    ],
)
async def test_health_says_why_a_child_did_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, problem: str
) -> None:
    program = tmp_path / "python"
    if script is not None:
        program.write_text(script)
        program.chmod(0o700)
    program.with_suffix(".hello").write_bytes(encode_answer(WorkerAnswer(failed="no numbers; install them")))
    monkeypatch.setattr(sys, "executable", str(program))
    broken = ForecastWorker()
    with pytest.raises(ForecastWorkerError, match="did not start"):
        await broken.start()
    found = broken.health(now_s=1000.0)
    assert found is not None
    assert found.problem.startswith(problem)
    assert (found.is_serving, found.use) == (False, None)
    assert found.ended_at is not None
    await broken.stop()


async def test_health_says_that_a_child_was_ended_while_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec cat\n")  # says nothing while it is told nothing, until the pipe closes
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    silent = ForecastWorker()
    starting = asyncio.create_task(silent.start())
    async with asyncio.timeout(60):
        while silent.usage.pid is None:
            assert not starting.done(), starting
            await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait({starting})
    found = silent.health(now_s=1000.0)
    assert found is not None
    assert (found.is_serving, found.problem) == (False, "it was ended while it started")
    assert found.ended_at is not None


async def test_a_child_that_hangs_is_ended_and_the_next_request_gets_a_fresh_one() -> None:
    slow = ForecastWorker(request_timeout_s=0.5)
    await slow.start()
    pid = slow.usage.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ForecastWorkerError, match=r"no answer within 0\.5 s"):
        await ask(slow)
    await until_dead(pid)
    slow._request_timeout_s = 30
    assert (await ask(slow)).target == "demand"
    await slow.stop()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_cancelled_caller_does_not_leave_its_answer_to_the_next(worker: ForecastWorker) -> None:
    await ask(worker)
    pid = worker.usage.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    waiting = asyncio.create_task(ask(worker, "wind"))
    async with asyncio.timeout(60):
        while not worker._one_at_a_time.locked():
            await asyncio.sleep(0)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    ended = worker.health(now_s=1000.0)
    assert ended is not None
    assert (ended.is_serving, ended.problem) == (False, "it was ended with the request that it was answering")
    assert (await ask(worker, "pv")).target == "pv"


async def test_stop_ends_the_child_and_may_be_called_twice() -> None:
    one = ForecastWorker()
    await one.start()
    pid = one.usage.pid
    assert pid is not None
    await one.stop()
    await one.stop()
    await until_dead(pid)
    with pytest.raises(ForecastWorkerError, match="was stopped"):
        await ask(one)


async def test_the_child_ends_when_the_hub_is_killed() -> None:
    code = (
        "import asyncio, sys\n"
        "from hub.forecasts.worker import ForecastWorker\n"
        "async def run():\n"
        "    worker = ForecastWorker(); await worker.start()\n"
        "    print(worker.usage.pid, flush=True); await asyncio.sleep(600)\n"
        "asyncio.run(run())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as hub:
        assert hub.stdout is not None
        child = int(await asyncio.to_thread(hub.stdout.readline))
        assert is_alive(child)
        hub.kill()
        await until_dead(child)


def test_the_hubs_side_does_not_load_statsmodels() -> None:
    code = (
        "import sys, hub.forecasts.worker; print([m for m in ('statsmodels', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
