"""The timetable runs what is due, in order, with its due time, and survives restarts and failing jobs."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.storage.errors import StoreError
from hub.storage.jobs.records import Job, JobRun
from hub.timetable import JobError, PlannedJob, Timetable, daily, hourly
from protocols.timeline import Clock

NOON_S = int(datetime(2026, 6, 16, 12, 0, tzinfo=UTC).timestamp())


@dataclass
class RememberedJobs:
    """A job store in memory: it keeps rows and nothing else, so a dictionary is enough."""

    rows: dict[str, Job] = field(default_factory=dict)
    runs: list[JobRun] = field(default_factory=list)

    async def jobs(self) -> tuple[Job, ...]:
        return tuple(self.rows.values())

    async def put_job(self, job: Job, *, run: JobRun | None = None) -> None:
        self.rows[job.name] = job
        self.runs += [run] if run is not None else []

    async def begin_job_run(self, run: JobRun) -> bool:
        self.runs.append(run)
        return True

    async def job_runs(self, *, since: int) -> tuple[JobRun, ...]:
        return tuple(run for run in self.runs if run.ended_at is None or run.ended_at >= since)


class SteppedTime:
    """A clock that moves only when everybody sleeps, to the first who wakes, so no test waits."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def clock(self) -> Clock:
        return Clock(real=lambda: self.now_s, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now_s + seconds, woken))
        await woken

    def step(self, until_s: float) -> bool:
        """Wake the first sleeper who wakes before `until_s`; False if nobody does."""
        self._sleepers = [(at_s, woken) for at_s, woken in self._sleepers if not woken.done()]
        if not self._sleepers or min(at_s for at_s, _ in self._sleepers) >= until_s:
            return False
        self.now_s, woken = min(self._sleepers, key=lambda sleeper: sleeper[0])
        woken.set_result(None)
        return True


async def run_until_quiet(time: SteppedTime, until_s: float) -> None:
    is_awake = True
    while is_awake:
        for _ in range(20):  # whoever is awake goes on until it sleeps
            await asyncio.sleep(0)
        is_awake = time.step(until_s)


async def run_until(timetable: Timetable, time: SteppedTime, until_s: float) -> None:
    task = asyncio.create_task(timetable.run())
    await run_until_quiet(time, until_s)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_jobs_run_in_the_order_they_fall_due_and_get_their_due_time() -> None:
    seen: list[tuple[str, int]] = []

    def job(name: str, minute: int) -> PlannedJob:
        async def work(due_s: int) -> None:
            seen.append((name, due_s - NOON_S))

        return PlannedJob(name, hourly(minute), work, lane="outlook")

    time = SteppedTime(NOON_S)
    table = Timetable(
        [job("prompts", 6), job("weather", 4), job("forecast", 5)], store=RememberedJobs(), clock=time.clock()
    )
    await run_until(table, time, NOON_S + 3600 + 400)
    assert seen[:6] == [
        ("weather", 240), ("forecast", 300), ("prompts", 360),
        ("weather", 3840), ("forecast", 3900), ("prompts", 3960),
    ]  # fmt: skip


async def test_a_failing_job_is_stored_with_its_error_and_the_others_continue() -> None:
    ran: list[str] = []

    async def broken(_due_s: int) -> None:
        raise JobError("weather: the service answered 500")

    async def crashing(_due_s: int) -> None:
        raise ZeroDivisionError

    async def fine(_due_s: int) -> None:
        ran.append("fine")

    store, time = RememberedJobs(), SteppedTime(NOON_S)
    jobs = [PlannedJob("a", hourly(1), broken), PlannedJob("b", hourly(2), crashing), PlannedJob("c", hourly(3), fine)]
    await run_until(Timetable(jobs, store=store, clock=time.clock()), time, NOON_S + 200)
    assert store.rows["a"].last_error == "weather: the service answered 500"
    assert "ZeroDivisionError" in store.rows["b"].last_error
    assert ran == ["fine"]
    assert store.rows["c"].last_error == ""


async def test_a_failed_job_is_tried_again_at_growing_intervals_for_the_same_due_time() -> None:
    time, tried = SteppedTime(NOON_S), list[tuple[int, int]]()

    async def works_at_last(due_s: int) -> None:
        tried.append((int(time.now_s) - NOON_S, due_s - NOON_S))
        if len(tried) < 5:
            raise JobError("settlement: the disk is full")

    store = RememberedJobs()
    table = Timetable(
        [PlannedJob("settlement", daily(12, 20, tz="UTC"), works_at_last)], store=store, clock=time.clock()
    )
    await run_until(table, time, NOON_S + 86400)
    assert tried == [(1200, 1200), (1260, 1200), (1380, 1200), (1620, 1200), (2100, 1200)]
    told = [(run.began_at - NOON_S, run.due_at - NOON_S, run.error) for run in store.runs]
    assert told == [(began_s, 1200, "settlement: the disk is full") for began_s, _ in tried[:4]] + [(2100, 1200, "")]
    assert store.rows["settlement"].last_error == ""
    assert table.done_through_s == NOON_S + 86400 + 1200


async def test_the_next_due_time_ends_the_retries_of_the_one_before() -> None:
    time, tried = SteppedTime(NOON_S), list[int]()

    async def never_works(due_s: int) -> None:
        tried.append(due_s - NOON_S)
        raise JobError("forecast: no readings yet")

    table = Timetable([PlannedJob("forecast", hourly(5), never_works)], store=RememberedJobs(), clock=time.clock())
    await run_until(table, time, NOON_S + 2 * 3600)
    assert tried[:8] == [300] * 6 + [3900] * 2
    assert table.done_through_s == NOON_S + 7500


async def test_a_job_that_failed_before_a_restart_is_tried_again_at_once() -> None:
    time, tried = SteppedTime(NOON_S), list[int]()

    async def work(due_s: int) -> None:
        tried.append(due_s)

    failed = Job("settlement", due_at=NOON_S + 60, last_run_at=NOON_S - 600, last_error="the disk was full")
    store = RememberedJobs({"settlement": failed})
    table = Timetable([PlannedJob("settlement", daily(11, 50, tz="UTC"), work)], store=store, clock=time.clock())
    await run_until(table, time, NOON_S + 60)
    assert tried == [NOON_S - 600]
    assert store.rows["settlement"].last_error == ""


async def test_a_job_that_still_fails_after_a_restart_is_said_in_the_new_log(caplog: pytest.LogCaptureFixture) -> None:
    async def never_works(_due_s: int) -> None:
        raise JobError("settlement: a damaged record")

    failed = Job("settlement", due_at=NOON_S + 60, last_run_at=NOON_S - 600, last_error="settlement: a damaged record")
    time, store = SteppedTime(NOON_S), RememberedJobs({"settlement": failed})
    jobs = [PlannedJob("settlement", daily(11, 50, tz="UTC"), never_works)]
    with caplog.at_level("INFO"):
        await run_until(Timetable(jobs, store=store, clock=time.clock()), time, NOON_S + 600)
    assert [record.getMessage() for record in caplog.records] == ["settlement: settlement: a damaged record"]


async def test_a_job_that_hangs_is_stopped_and_blocks_only_its_own_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    time, ran, stopped = SteppedTime(NOON_S), list[str](), asyncio.Event()

    async def hangs(_due_s: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def fine(_due_s: int) -> None:
        ran.append("other lane")

    async def behind(_due_s: int) -> None:
        ran.append("same lane")

    store = RememberedJobs()
    jobs = [
        PlannedJob("weather", hourly(1), hangs, lane="outlook", time_limit_s=600),
        PlannedJob("forecast", hourly(2), behind, lane="outlook"),
        PlannedJob("settlement", hourly(3), fine),
    ]
    task = asyncio.create_task(Timetable(jobs, store=store, clock=time.clock()).run())
    await run_until_quiet(time, NOON_S + 181)
    assert ran == ["other lane"], "the first lane still waits for its job"
    loop = asyncio.get_running_loop()
    so_far = loop.time
    monkeypatch.setattr(loop, "time", lambda: so_far() + 600)
    await asyncio.wait_for(stopped.wait(), 60)
    await run_until_quiet(time, NOON_S + 181)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert store.rows["weather"].last_error == "stopped because it took longer than 600 seconds"
    assert ran == ["other lane", "same lane"]


async def test_a_time_out_inside_a_job_is_not_called_its_time_limit() -> None:
    async def impatient(_due_s: int) -> None:
        raise TimeoutError

    store, time = RememberedJobs(), SteppedTime(NOON_S)
    jobs = [PlannedJob("weather", hourly(1), impatient)]
    await run_until(Timetable(jobs, store=store, clock=time.clock()), time, NOON_S + 100)
    assert store.rows["weather"].last_error == "TimeoutError: see the hub's log"


class FullDisk(RememberedJobs):
    """A job store that cannot write."""

    async def put_job(self, job: Job, *, run: JobRun | None = None) -> None:
        raise StoreError("hub.sqlite: the store could not write: database or disk is full")


async def test_a_store_that_cannot_write_does_not_stop_the_timetable(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []

    async def work(due_s: int) -> None:
        ran.append(due_s - NOON_S)

    time = SteppedTime(NOON_S)
    table = Timetable([PlannedJob("forecast", hourly(5), work)], store=FullDisk(), clock=time.clock())
    await run_until(table, time, NOON_S + 2 * 3600 + 400)
    assert ran[:3] == [300, 3900, 7500], "each due time once"
    assert "forecast: cannot store that it ran" in caplog.text


async def test_a_rare_job_missed_several_times_runs_once_for_its_newest_due_time() -> None:
    weekly = daily(3, 40, tz="UTC", every_days=7)
    due_s = [weekly(NOON_S)]
    while len(due_s) < 5:
        due_s.append(weekly(due_s[-1]))
    runs: list[int] = []

    async def note(at_s: int) -> None:
        runs.append(at_s)

    store = RememberedJobs({"rare": Job("rare", due_at=due_s[1], last_run_at=due_s[0], last_error="")})
    clock = Clock(real=lambda: float(due_s[4] - 3600))
    timetable = Timetable([PlannedJob("rare", weekly, note)], store=store, clock=clock)
    task = asyncio.create_task(timetable.run())
    while not runs or timetable.jobs_due:
        await asyncio.sleep(0)
    task.cancel()
    assert runs == [due_s[3]]


async def test_a_job_missed_while_the_hub_was_not_running_runs_once_for_its_newest_due_time() -> None:
    seen: list[int] = []

    async def work(due_s: int) -> None:
        seen.append(due_s)

    store = RememberedJobs(
        {"forecast": Job("forecast", due_at=NOON_S, last_run_at=NOON_S - 40 * 86400 + 300, last_error="")}
    )
    time = SteppedTime(NOON_S)
    table = Timetable([PlannedJob("forecast", hourly(5), work)], store=store, clock=time.clock())
    await run_until(table, time, NOON_S + 60)
    assert seen == [NOON_S - 3600 + 300]
    assert table.done_through_s == NOON_S + 300


@given(st.integers(min_value=0, max_value=4_000_000_000), st.integers(min_value=0, max_value=59))
def test_hourly_is_the_next_such_minute(after_s: int, minute: int) -> None:
    due_s = hourly(minute)(after_s)
    assert after_s < due_s <= after_s + 3600
    assert due_s % 3600 == minute * 60


@given(st.integers(min_value=1_500_000_000, max_value=2_000_000_000))
def test_daily_comes_once_each_local_day_also_when_the_clocks_change(after_s: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    due_s = daily(0, 20, tz="Europe/Berlin")(after_s)
    local = datetime.fromtimestamp(due_s, UTC).astimezone(zone)
    assert (local.hour, local.minute) == (0, 20)
    assert 0 < due_s - after_s <= 25 * 3600
