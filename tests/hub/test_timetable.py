"""The timetable runs what is due, in order, hands over due times, and survives restarts and failing jobs."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from hub.storage.records import Job
from hub.timetable import JobError, PlannedJob, Timetable, daily, hourly
from protocols.timeline import Clock

NOON_S = int(datetime(2026, 6, 16, 12, 0, tzinfo=UTC).timestamp())


@dataclass
class RememberedJobs:
    """A job store in memory: it keeps rows and nothing else, so a dictionary is the whole of it."""

    rows: dict[str, Job] = field(default_factory=dict)

    async def jobs(self) -> tuple[Job, ...]:
        return tuple(self.rows.values())

    async def put_job(self, job: Job) -> None:
        self.rows[job.name] = job


class SteppedTime:
    """A real clock that only moves when somebody sleeps, so nothing here waits."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def clock(self) -> Clock:
        return Clock(real=lambda: self.now_s, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)


async def run_until(timetable: Timetable, time: SteppedTime, until_s: float) -> None:
    task = asyncio.create_task(timetable.run())
    while time.now_s < until_s and not task.done():
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_jobs_run_in_the_order_they_fall_due_and_get_their_due_time() -> None:
    seen: list[tuple[str, int]] = []

    def job(name: str, minute: int) -> PlannedJob:
        async def work(due_s: int) -> None:
            seen.append((name, due_s - NOON_S))

        return PlannedJob(name, hourly(minute), work)

    time = SteppedTime(NOON_S)
    table = Timetable(
        [job("prompts", 6), job("weather", 4), job("forecast", 5)], store=RememberedJobs(), clock=time.clock()
    )
    await run_until(table, time, NOON_S + 3600 + 400)
    assert seen[:6] == [
        ("weather", 240), ("forecast", 300), ("prompts", 360),
        ("weather", 3840), ("forecast", 3900), ("prompts", 3960),
    ]  # fmt: skip


async def test_a_failing_job_is_kept_with_its_error_and_the_others_go_on() -> None:
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


async def test_a_job_missed_while_the_hub_was_away_runs_once_for_its_newest_due_time() -> None:
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
