"""From a stuck meter to the books: held at night, told, decided, settled again; the same books whatever came first."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.books.days import settle_day
from hub.books.runs import marked_days, settle_month
from hub.books.view import read_heads
from hub.core.ledger.run_calendar import RunCalendar
from hub.core.rules.estimate_rule import EstimateRule
from hub.quality.decisions import DecisionError, decide_finding
from hub.quality.findings import check_days_quality
from hub.settlement_job import SettlementJob
from hub.storage.finding_records import FindingRow, NewFinding
from hub.storage.records import Access
from hub.storage.sqlite.store import SqliteStore
from hub.verify.books import check_books
from protocols.quantities import Measure
from protocols.slots import slots_of_day
from tests.hub.books.test_runs import night
from tests.hub.settled_street import (
    COOP,
    KEY,
    RULE,
    Arrival,
    Street,
    arrivals_of,
    balances_by_day,
    energy_wh,
    open_street,
)
from tests.hub.statements.test_months import check, state

DAY = date(2026, 5, 30)
NEXT = DAY + timedelta(days=1)
HOMES = 6
STUCK = slots_of_day(DAY, COOP.tz)[30:50]
LINE = EstimateRule("straight_line", longest=30)
relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=15)


def stick(street: Street) -> None:
    """Home 2's import counter gives the same value over and over."""
    street.values |= {(2, slot): (345, energy_wh(2, slot)[1]) for slot in STUCK}


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=HOMES, rule=replace(RULE, estimate=LINE))
    stick(opened)
    yield opened
    await opened.store.close()


def job_on(store: SqliteStore) -> SettlementJob:
    quality_check = partial(check_days_quality, place_deg=None, nameplates={})
    return SettlementJob(store, tz=COOP.tz, calendar=RunCalendar(), key=KEY, quality_check=quality_check)


async def findings(store: SqliteStore, **chosen: str) -> tuple[FindingRow, ...]:
    return await store.findings(access=Access("m01", "board", "settle.share", "findings"), **chosen)  # type: ignore[arg-type]


async def decide(store: SqliteStore, number: int, verdict: str, *, by: str = "m01") -> FindingRow:
    member = await store.member(by)
    assert member is not None
    return await decide_finding(store, number, member=member, verdict=verdict, reason="we looked", at=9)


async def received(store: SqliteStore, member: str) -> int:
    booked = await balances_by_day(store)
    return sum(
        wh
        for (_, who, line, account), wh in booked.items()
        if (who, line, account) == (member, "received", f"member:{member}:energy")
    )


async def test_a_stuck_meter_is_held_told_decided_and_settled_again(street: Street, tmp_path: Path) -> None:
    store, job = street.store, job_on(street.store)
    await street.arrive_days([DAY])
    await job(night(NEXT))
    (row,) = await findings(store)
    assert (row.found.home, row.found.code, row.found.severity) == ("h02", "frozen_value", "hold")
    assert (row.found.first_slot, row.found.slots, row.is_waiting) == (STUCK[0], len(STUCK), True)
    held = await received(store, "m02")
    (run,) = await store.runs()
    assert run.state == "provisional"
    await job(night(NEXT))
    assert len(await store.runs()) == 1, "nothing new books nothing"
    assert len(await findings(store)) == 1

    files = await state(street, "m02")
    assert files is not None
    (day,) = files.statement["days"]  # type: ignore[misc]
    assert day["marks"] == [[slot, "held", None, None, row.id] for slot in STUCK]
    told = {slot: mark for slot, *_, mark in files.readings["readings"] if isinstance(mark, str)}  # type: ignore[union-attr]
    assert told == dict.fromkeys(STUCK, "held")
    assert check(tmp_path / "held", files) == (
        0,
        "2026-05 of m02: right in 76 of 96 intervals; 20 without a reading;"
        " cannot be recomputed by you, only within bounds: 46 intervals, withheld;"
        f" 20 slots held (finding {row.id}, frozen_value); not stated: 2026-05-31",
    )  # fmt: skip

    await decide(store, row.id, "accept")
    (mark,) = await marked_days(store, await read_heads(store), [DAY])
    assert mark.why == "the board decided"
    assert (await check_books(store, KEY.public_key())).late_days == [str(DAY)]
    await job(night(NEXT))
    assert await marked_days(store, await read_heads(store), [DAY]) == ()
    assert [run.state for run in await store.runs()] == ["provisional", "complete"]
    assert await received(store, "m02") > held
    await decide(store, row.id, "estimate")
    await job(night(NEXT))
    files = await state(street, "m02")
    assert files is not None
    estimated = files.statement["days"][0]["marks"]  # type: ignore[index]
    assert [(slot, mark) for slot, mark, *_ in estimated] == [(slot, "estimated") for slot in STUCK]
    code, said = check(tmp_path / "estimated", files)
    assert (code, f"; 20 slots estimated (finding {row.id}, frozen_value, decision 2)" in said) == (0, True)
    (row,) = await findings(store)
    assert [(each.verdict, each.board_member, each.reason) for each in row.decisions] == [
        ("accept", "m01", "we looked"),
        ("estimate", "m01", "we looked"),
    ]
    books = await check_books(store, KEY.public_key())
    assert (books.wrong, books.recomputed, books.late_days) == (0, 1, [])


async def test_a_lie_about_a_mark_is_seen_by_the_script(street: Street, tmp_path: Path) -> None:
    await street.arrive_days([DAY])
    await settle_day(street.store, day=DAY, made_at=1, key=KEY)
    files = await state(street, "m02")
    assert files is not None
    day = files.statement["days"][0]  # type: ignore[index]
    held = [[slot, "held", None, None, 1] for slot in STUCK]
    for number, lie in enumerate(([], held[:-1], [[slot, "estimated", 0, 345, None] for slot in STUCK])):
        day["marks"] = lie
        assert check(tmp_path / str(number), files)[0] == 1


async def test_a_gap_is_a_note_that_a_late_reading_closes_and_its_estimate_gives_way(street: Street) -> None:
    store, job = street.store, job_on(street.store)
    late = [each for each in arrivals_of(DAY, HOMES) if each[0] == 4][20:29]
    await street.arrive_days([DAY], without=late)
    await job(night(NEXT))
    row = next(row for row in await findings(store) if row.found.code == "gap")
    assert (row.found.home, row.found.severity, dict(row.found.numbers)["missing"]) == ("h04", "note", 9)
    assert "nothing has arrived" in row.found.sentence
    assert row.is_waiting is False
    with pytest.raises(DecisionError, match="cannot be decided"):
        await decide(store, row.id, "accept")
    files = await state(street, "m04")
    assert files is not None
    assert len(files.statement["days"][0]["marks"]) == 9  # type: ignore[index]
    await street.arrive(late)
    await job(night(NEXT))
    (closed,) = [each for each in await findings(store) if each.found.code == "gap"]
    assert closed.closed == "readings have arrived since, and it holds no longer"
    files = await state(street, "m04")
    assert files is not None
    assert files.statement["days"][0]["marks"] == []  # type: ignore[index]


async def test_who_may_not_decide_changes_nothing(street: Street) -> None:
    store = street.store
    await street.arrive_days([DAY])
    await check_days_quality(store, [DAY], place_deg=None, nameplates={}, at=1)
    (row,) = await findings(store)
    for by, verdict, why in (
        ("m02", "accept", "own home"),
        ("m03", "accept", "member of the board"),
        ("m01", "guess", "cannot be decided"),
    ):
        with pytest.raises(DecisionError, match=why):
            await decide(store, row.id, verdict, by=by)
    with pytest.raises(DecisionError, match="no such"):
        await decide(store, 99, "accept")
    assert (await findings(store))[0].decisions == ()


async def test_a_billed_month_takes_the_decision_up_with_its_next_run(street: Street) -> None:
    store = street.store
    await street.arrive_days([DAY, NEXT])
    await check_days_quality(store, [DAY, NEXT], place_deg=None, nameplates={}, at=1)
    may = date(2026, 5, 1)
    await settle_month(store, month=may, kind="M1", made_at=1, key=KEY)
    await decide(store, (await findings(store))[0].id, "accept")
    before = await received(store, "m02")
    await settle_month(store, month=may, kind="R1", made_at=2, key=KEY)
    assert await received(store, "m02") > before
    position, _ = await store.ledger_head()
    await settle_month(store, month=may, kind="R2", made_at=3, key=KEY)
    assert (await store.ledger_head())[0] == position


WEEKS = (DAY - timedelta(days=7), DAY)
RULES = {
    "none": EstimateRule(),
    "line": LINE,
    "week": EstimateRule("same_time_of_week", longest=96, weeks=1, least=1),
}
TOLD = (
    NewFinding("h02", "frozen_value", Measure.GRID_IMPORT, STUCK[0], len(STUCK), "hold", (), "stuck"),
    NewFinding("h01", "unbalanced", None, STUCK[5], 12, "check", (), "odd"),
    NewFinding("h03", "register", Measure.GRID_EXPORT, slots_of_day(WEEKS[0], COOP.tz)[60], 30, "check", (), "odd"),
)
Event = tuple[str, object]


def events_of(seed: int, verdicts: Sequence[str]) -> list[Event]:
    """Two days of readings in twenty heaps, a word on each finding and runs, in an order of the dice."""
    dice = random.Random(seed)
    arrivals: list[Arrival] = [each for day in WEEKS for each in arrivals_of(day, 3)]
    lost = set(dice.sample(arrivals, 25))
    dice.shuffle(arrivals)
    heaps: list[Event] = [("arrive", [a for a in arrivals[n::20] if a not in lost]) for n in range(20)]
    words: list[Event] = [("decide", (number, verdict)) for number, verdict in enumerate(verdicts, start=1)]
    mixed = [*heaps, *words, *[("run", None)] * 3]
    dice.shuffle(mixed)
    return mixed


async def books_after(folder: Path, events: Sequence[Event], rule: EstimateRule) -> tuple[object, ...]:
    street = await open_street(folder, homes=3, rule=replace(RULE, estimate=rule))
    stick(street)
    store = street.store
    await store.put_findings(str(DAY), TOLD, closing="", at=1, message_position=0)
    numbers = {row.found: row.id for row in await findings(store)}
    for kind, what in [*events, ("run", None)]:
        if kind == "arrive":
            await street.arrive(what)  # type: ignore[arg-type]
        elif kind == "decide":
            number, verdict = what  # type: ignore[misc]
            by = "m01" if number == 1 else "m02"
            said = {"board_member": by, "verdict": verdict, "reason": "x", "at": 1, "after": 0}
            assert await store.decide_finding(numbers[TOLD[number - 1]], **said) is None
        else:
            for mark in await marked_days(store, await read_heads(store), WEEKS):
                await settle_day(store, day=mark.day, made_at=1, key=KEY)
    standing = {run.day: (run.result_hash, run.input_digest) for run in await store.runs()}
    books = await check_books(store, KEY.public_key())
    assert (books.wrong, books.late_days, books.recomputed) == (0, [], 2)
    balances = await balances_by_day(store)
    await store.close()
    return standing, balances


@given(
    seed=st.integers(0, 10**6),
    rule=st.sampled_from(sorted(RULES)),
    verdicts=st.tuples(*[st.sampled_from(["accept", "reject", "estimate"])] * 3),
    word_count=st.integers(0, 3),
)
@relaxed
def test_any_order_of_readings_decisions_and_runs_gives_the_books_of_a_fresh_run(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rule: str, verdicts: tuple[str, ...], word_count: int
) -> None:
    events = events_of(seed, verdicts[:word_count])
    fresh = sorted((event for event in events if event[0] != "run"), key=lambda event: event[0])
    books = [
        asyncio.run(books_after(tmp_path_factory.mktemp("books"), order, RULES[rule])) for order in (events, fresh)
    ]
    assert books[0] == books[1]
