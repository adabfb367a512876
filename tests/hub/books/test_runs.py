"""Runs of months on a real store: due, previewed, booked as differences, approved by two, and the same in any order."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.board.run_approval import approve_run, publish_run
from hub.books.days import settle_day
from hub.books.runs import marked_days, plan_month, preview_month, settle_month
from hub.books.view import read_books, read_heads
from hub.core.ledger.run_calendar import RunCalendar, days_of
from hub.core.rules.input_checks import RejectedInputError
from hub.core.rules.rulebook import Rule
from hub.money.bills import plan_bills
from hub.money.funds import FundPlan
from hub.settlement_job import SettlementJob
from hub.storage.sqlite.store import SqliteStore
from hub.timetable import JobError
from hub.verify.books import check_books
from protocols.errors import RequestError
from tests.hub.second_rule import put_rule
from tests.hub.settled_street import COOP, KEY, RULE, Street, arrivals_of, balances_by_day, open_street

MAY = date(2026, 5, 1)
FIRST = date(2026, 5, 28)  # the street begins here, so that a month is four days
DAYS = days_of(MAY)[27:]
HOMES = 3
ALL = [each for day in DAYS for each in arrivals_of(day, HOMES)]
relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=12)


def night(day: date) -> int:
    """00:20 local."""
    return int(datetime(day.year, day.month, day.day, 0, 20, tzinfo=ZoneInfo(COOP.tz)).timestamp())


def job_on(store: SqliteStore) -> SettlementJob:
    return SettlementJob(store, tz=COOP.tz, calendar=RunCalendar(), key=KEY)


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=HOMES)
    yield opened
    await opened.store.close()


async def test_a_month_without_a_single_reading_waits_for_the_boards_decision(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    """It used to become a bill of zero without anybody being asked."""
    store, job = street.store, job_on(street.store)
    await street.arrive_days([MAY - timedelta(days=1)])
    await job(night(date(2026, 6, 5)))
    assert [run.month for run in (await read_books(store)).month_runs] == ["2026-04"]
    assert "M1 waits for the board: 2026-05 has no reading of any home" in caplog.text
    with pytest.raises(RejectedInputError, match="--decision TEXT"):
        await settle_month(store, month=MAY, kind="M1", made_at=1, key=KEY)
    run = await settle_month(store, month=MAY, kind="M1", made_at=1, key=KEY, decision="board of 5 June: fees only")
    assert (run.kind, run.decision) == ("M1", "board of 5 June: fees only")
    await street.arrive_days([date(2026, 5, 31)])
    again = await settle_month(store, month=MAY, kind="M1", made_at=2, key=KEY)
    assert again.decision == "", "with a reading nothing has to be decided"


async def test_nights_make_runs_as_they_fall_due_and_each_once(street: Street) -> None:
    store, job = street.store, job_on(street.store)
    for day in DAYS:
        await street.arrive_days([day])
        await job(night(day + timedelta(days=1)))
    assert [(run.kind, run.day) for run in await store.runs()] == [("D", str(day)) for day in DAYS]
    assert (await read_books(store)).month_runs == (), "D is provisional: shown, not billed"
    await job(night(date(2026, 6, 4)))
    assert (await read_books(store)).month_runs == ()
    for _ in range(2):
        await job(night(date(2026, 6, 5)))
        (m1,) = (await read_books(store)).month_runs
        assert (m1.kind, m1.month, m1.state) == ("M1", "2026-05", "draft")
    assert [day for day, _ in m1.days] == [str(day) for day in DAYS]
    await job(night(date(2026, 8, 7)))
    assert [run.kind for run in (await read_books(store)).month_runs if run.month == "2026-05"] == ["M1", "R1"]
    books = await check_books(store, KEY.public_key())
    assert (books.wrong, books.late_days, books.sums) == (0, [], {"Wh": 0, "nano": 0}), books.findings


async def test_a_rerun_of_the_same_inputs_writes_no_row(street: Street) -> None:
    store = street.store
    await street.arrive_days(DAYS)
    first = await settle_month(store, month=MAY, kind="M1", made_at=night(date(2026, 6, 5)), key=KEY)
    before = await rows_of(store)
    again = await settle_month(store, month=MAY, kind="M1", made_at=night(date(2026, 6, 9)), key=KEY)
    assert (again, await rows_of(store)) == (first, before)
    for day in DAYS:
        await settle_day(store, day=day, made_at=1, key=KEY)
    assert await rows_of(store) == before


async def test_late_readings_mark_their_days_and_the_next_run_books_the_difference(street: Street) -> None:
    store, job = street.store, job_on(street.store)
    late = [each for each in arrivals_of(DAYS[1], HOMES) if each[0] == 2][40:60]
    await street.arrive_days(DAYS, without=late)
    await job(night(date(2026, 6, 5)))
    (m1,) = (await read_books(store)).month_runs
    assert m1.provisional_days == 1
    assert await marked_days(store, await read_heads(store), DAYS) == ()
    position, _ = await store.ledger_head()
    await street.arrive(late)
    await job(night(date(2026, 6, 6)))
    assert (await store.ledger_head())[0] == position, "a billed month waits for its next run"
    (mark,) = await marked_days(store, await read_heads(store), DAYS)
    assert (mark.day, mark.why) == (DAYS[1], "new readings")
    r1 = await settle_month(store, month=MAY, kind="R1", made_at=night(date(2026, 8, 7)), key=KEY)
    changed = {day for (day, key), (_, before) in zip(r1.days, m1.days, strict=True) if key != before}
    assert (r1.kind, changed, r1.provisional_days) == ("R1", {str(DAYS[1])}, 0)
    assert await marked_days(store, await read_heads(store), DAYS) == ()
    entries = await store.entries(after_position=position, limit=100)
    assert {row.day for row in entries} == {str(DAYS[1])}
    assert len(entries) <= 2 * HOMES


async def test_a_preview_says_what_a_run_books_and_books_nothing(street: Street) -> None:
    store = street.store
    late = arrivals_of(DAYS[2], HOMES)[100:130]
    await street.arrive_days(DAYS, without=late)
    await settle_month(store, month=MAY, kind="M1", made_at=1, key=KEY)
    assert (await preview_month(store, month=MAY)).days == ()
    await street.arrive(late)
    before, rows = await balances_by_day(store), await rows_of(store)
    preview = await preview_month(store, month=MAY)
    assert await rows_of(store) == rows
    assert preview.days == (str(DAYS[2]),)
    await settle_month(store, month=MAY, kind="R1", made_at=2, key=KEY)
    after = await balances_by_day(store)
    for change in preview.members:
        accounts = (f"member:{change.member}:money",)
        moved = sum(after.get(place, 0) - before.get(place, 0) for place in {*after, *before} if place[3] in accounts)
        assert change.money_nano == moved
        assert change.received_wh == sum(
            after.get(place, 0) - before.get(place, 0)
            for place in {*after, *before}
            if place[1:] == (change.member, "received", f"member:{change.member}:energy")
        )
    margin = sum(after.get(p, 0) - before.get(p, 0) for p in {*after, *before} if p[3] == "coop:margin")
    assert preview.margin_nano == margin
    assert "job:settlement-preview" in {line.actor for line in await store.access_rows("h01", limit=20)}


async def test_two_different_board_members_approve_and_then_it_is_published(street: Street) -> None:
    store = street.store
    await street.arrive_days(DAYS)
    run = await settle_month(store, month=MAY, kind="M1", made_at=1, key=KEY)
    short = run.run_key[:12]
    with pytest.raises(RequestError, match="m03 is not on the board"):
        await approve_run(store, run=short, member="m03", at=2, key=KEY)
    with pytest.raises(RequestError, match="there is no member"):
        await approve_run(store, run=short, member="m99", at=2, key=KEY)
    with pytest.raises(RequestError, match=r"2 approval\(s\) missing"):
        await publish_run(store, run=short, member="m01", at=2, key=KEY)
    assert (await approve_run(store, run=short, member="m01", at=3, key=KEY)).state == "draft"
    with pytest.raises(RequestError, match="the second approval must come from another board member"):
        await approve_run(store, run=short, member="m01", at=4, key=KEY)
    approved = await approve_run(store, run=short, member="m02", at=5, key=KEY)
    assert (approved.state, approved.approvals) == ("approved", (("m01", 3), ("m02", 5)))
    published = await publish_run(store, run=short, member="m01", at=6, key=KEY)
    assert (published.state, published.published_at) == ("published", 6)
    with pytest.raises(RequestError, match="already published"):
        await approve_run(store, run=short, member="m02", at=7, key=KEY)
    with pytest.raises(RequestError, match="at least 8 digits"):
        await approve_run(store, run="ab", member="m01", at=7, key=KEY)
    assert (await check_books(store, KEY.public_key())).findings == []


async def test_an_approval_counts_for_the_run_it_was_given_to(street: Street) -> None:
    store = street.store
    late = arrivals_of(DAYS[0], HOMES)[:9]
    await street.arrive_days(DAYS, without=late)
    draft = await settle_month(store, month=MAY, kind="M1", made_at=1, key=KEY)
    await approve_run(store, run=draft.run_key, member="m01", at=2, key=KEY)
    await street.arrive(late)
    newer = await settle_month(store, month=MAY, kind="M1", made_at=3, key=KEY)
    assert newer.run_key != draft.run_key
    assert [run.state for run in (await read_books(store)).month_runs] == ["superseded", "draft"]
    with pytest.raises(RequestError, match="a newer M1 of 2026-05 was made"):
        await approve_run(store, run=draft.run_key, member="m02", at=4, key=KEY)
    assert newer.approvals == ()


async def test_runs_are_approved_in_the_order_they_were_made(street: Street) -> None:
    store = street.store
    await street.arrive_days(DAYS)
    for kind in ("M1", "R1"):
        last = await settle_month(store, month=MAY, kind=kind, made_at=1, key=KEY)
    with pytest.raises(RequestError, match="M1 of 2026-05 comes first: it is draft"):
        await approve_run(store, run=last.run_key, member="m01", at=2, key=KEY)


async def test_a_refused_day_leaves_no_row_of_the_whole_month(tmp_path: Path) -> None:
    rule = Rule("proportional", missing="refuse", prices=RULE.prices)
    street = await open_street(tmp_path, homes=HOMES, rule=rule)
    await street.arrive_days(DAYS, without=arrivals_of(DAYS[3], HOMES)[5:6])
    before = await rows_of(street.store)
    with pytest.raises(RejectedInputError, match=f"missing_reading: {DAYS[3]}: "):
        await settle_month(street.store, month=MAY, kind="M1", made_at=1, key=KEY)
    assert await rows_of(street.store) == before
    await street.store.close()


async def test_inputs_that_come_back_are_settled_again(street: Street) -> None:
    """A, then B, then A once more: the books follow, and each is a run of its own."""
    store, day = street.store, DAYS[0]
    await street.arrive_days(DAYS[:1])
    await settle_day(store, day=day, made_at=1, key=KEY)
    first = await balances_by_day(store)
    other = Rule("equal", prices=RULE.prices)
    for rule in (other, RULE):
        first_day = f"2026-05-{27 + (rule is RULE)}"
        await put_rule(store, rule.version(), canonical=rule.canonical(), first_day=first_day)
        await settle_day(store, day=day, made_at=2, key=KEY)
    assert await balances_by_day(store) == first
    assert len({run.run_key for run in await store.runs()}) == 3
    assert (await check_books(store, KEY.public_key())).findings == []


async def test_runs_booked_without_a_key_are_signed_by_the_next_that_has_one(street: Street) -> None:
    store = street.store
    await street.arrive_days(DAYS)
    for day in DAYS[:3]:
        await settle_day(store, day=day, made_at=1)
    unsigned = await check_books(store, KEY.public_key())
    assert [finding.split(":")[1] for finding in unsigned.findings] == [" the hub has not signed it"] * 3
    await settle_day(store, day=DAYS[3], made_at=2, key=KEY)
    signed = await check_books(store, KEY.public_key())
    assert (signed.findings, signed.attestations, signed.recomputed) == ([], 4, 4)


@given(seed=st.integers(0, 2**32), missing=st.integers(1, 150))
@relaxed
def test_any_order_of_late_readings_gives_the_same_books(
    tmp_path_factory: pytest.TempPathFactory, seed: int, missing: int
) -> None:
    """Late readings of any home and day, in any order, between any nights and runs, against a street that had all."""

    async def shuffled(folder: Path) -> tuple[dict[tuple[str, str, str, str], int], list[str]]:
        dice = random.Random(seed)
        late = dice.sample(ALL, missing)
        street = await open_street(folder, homes=HOMES)
        on_time = [each for each in ALL if each not in set(late)]
        job = job_on(street.store)
        for part in _cut(on_time, dice):
            dice.shuffle(part)
            await street.arrive(part)
        dice.shuffle(late)
        nights = [FIRST + timedelta(days=4 + n) for n in range(6)]
        for day, part in zip(nights, _cut(late, dice, into=len(nights)), strict=True):
            await job(night(day))
            await street.arrive(part)
        assert {run.kind for run in (await read_books(street.store)).month_runs} == {"M1"}, (
            "some came before M1 and some after"
        )
        await settle_month(street.store, month=MAY, kind="R1", made_at=night(date(2026, 8, 7)), key=KEY)
        return await _result(street)

    async def at_once(folder: Path) -> tuple[dict[tuple[str, str, str, str], int], list[str]]:
        street = await open_street(folder, homes=HOMES)
        await street.arrive(ALL)
        await settle_month(street.store, month=MAY, kind="M1", made_at=night(date(2026, 6, 5)), key=KEY)
        return await _result(street)

    folder = tmp_path_factory.mktemp("orders")
    for name in ("a", "b"):
        (folder / name).mkdir()
    assert asyncio.run(shuffled(folder / "a")) == asyncio.run(at_once(folder / "b"))


async def _result(street: Street) -> tuple[dict[tuple[str, str, str, str], int], list[str]]:
    """The balances of every account by day, and the result each day stands by; the books hold."""
    standing = {run.day: run.result_hash for run in await street.store.runs() if run.day[:7] == "2026-05"}
    books = await check_books(street.store, KEY.public_key())
    assert (books.findings, books.late_days) == ([], [])
    balances = {
        place: amount for place, amount in (await balances_by_day(street.store)).items() if place[0] < "2026-06"
    }
    await street.store.close()
    return balances, [standing[day] for day in sorted(standing)]


def _cut(things: list[tuple[int, int]], dice: random.Random, into: int = 3) -> list[list[tuple[int, int]]]:
    """The things in order, in so many parts of any size."""
    cuts = sorted(dice.randrange(len(things) + 1) for _ in range(into - 1))
    return [things[a:b] for a, b in zip([0, *cuts], [*cuts, len(things)], strict=True)]


KILLED = """
import asyncio, os, signal, sys
from datetime import date
from pathlib import Path
from hub.books.runs import settle_month
from hub.storage.sqlite.store import SqliteStore
from tests.hub.settled_street import KEY

class Dying(SqliteStore):
    booked = 0
    async def book_run(self, run, **more):
        was_new = await super().book_run(run, **more)
        Dying.booked += 1
        if Dying.booked == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return was_new

async def main():
    store = await Dying.open(Path(sys.argv[1]) / "hub.sqlite", now=lambda: 1_800_000_000.0)
    await settle_month(store, month=date(2026, 5, 1), kind="M1", made_at=1, key=KEY)

asyncio.run(main())
"""


@pytest.mark.parametrize("after_days", [1, 3])
async def test_a_run_killed_between_days_resumes_to_the_same_books(tmp_path: Path, after_days: int) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    heads, balances = [], []
    for folder in (whole, killed):
        folder.mkdir()
        street = await open_street(folder, homes=HOMES)
        await street.arrive_days(DAYS)
        if folder is killed:
            await street.store.close()
            command = [sys.executable, "-c", KILLED, str(folder), str(after_days)]
            done = await asyncio.to_thread(
                subprocess.run, command, env=dict(os.environ, PYTHONPATH="."), capture_output=True, check=False
            )
            assert done.returncode == -signal.SIGKILL, done.stderr.decode()
            street.store = await SqliteStore.open(folder / "hub.sqlite", now=lambda: 1_800_000_000.0)
            assert len(await street.store.runs()) == after_days
            assert (await read_books(street.store)).month_runs == ()
        run = await settle_month(street.store, month=MAY, kind="M1", made_at=1, key=KEY)
        heads.append((run, await street.store.ledger_head(), await street.store.last_attestation()))
        balances.append(await balances_by_day(street.store))
        assert (await check_books(street.store, KEY.public_key())).findings == []
        await street.store.close()
    assert heads[0] == heads[1], "the same entries, hashes and signatures to the byte"
    assert balances[0] == balances[1]


async def test_the_job_says_once_what_the_rules_refuse(tmp_path: Path) -> None:
    rule = Rule("proportional", missing="refuse", prices=RULE.prices)
    street = await open_street(tmp_path, homes=HOMES, rule=rule)
    await street.arrive_days(DAYS[:2], without=[arrivals_of(day, HOMES)[5] for day in DAYS[:2]])
    said = rf"^the rules refuse {DAYS[0]}: missing_reading: .* \(and 1 more days or months\)$"
    with pytest.raises(JobError, match=said):
        await job_on(street.store)(night(DAYS[2]))
    await street.store.close()


async def test_a_month_nobody_measured_is_refused(street: Street) -> None:
    with pytest.raises(RejectedInputError, match="no home has sent a reading for 2026-05"):
        await plan_month(street.store, month=MAY)


async def rows_of(store: SqliteStore) -> tuple[int, int, int]:
    """How many entries, runs and attestations there are."""
    last = await store.last_attestation()
    return (await store.ledger_head())[0], len(await store.runs()), 0 if last is None else last.position


def test_nights_are_local() -> None:
    assert datetime.fromtimestamp(night(date(2026, 6, 5)), UTC).hour == 22


async def test_a_run_superseded_while_it_is_published_leaves_no_bills_in_the_books(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, late = street.store, arrivals_of(DAYS[1], HOMES)[40:60]
    await street.arrive_days(DAYS, without=late)
    run = await settle_month(store, month=MAY, kind="M1", made_at=1, key=KEY)
    for member in ("m01", "m02"):
        await approve_run(store, run=run.run_key, member=member, at=2, key=KEY)

    async def superseded(*args: Any, **options: Any) -> FundPlan:
        plan = await plan_bills(*args, **options)
        await street.arrive(late)
        await settle_month(store, month=MAY, kind="M1", made_at=3, key=KEY)
        return plan

    monkeypatch.setattr("hub.money.bills.plan_bills", superseded)
    with pytest.raises(RequestError, match="is superseded"):
        await publish_run(store, run=run.run_key, member="m01", at=4, key=KEY)
    assert await store.fund_runs() == ()
    assert [each.state for each in (await read_books(store)).month_runs] == ["superseded", "draft"]
