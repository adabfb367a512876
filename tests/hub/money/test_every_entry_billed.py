"""Nothing booked falls between two bills, in whatever order a board books, corrects, drafts, approves and publishes."""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.board.run_approval import approve_run, publish_run
from hub.board.run_service import book_run
from hub.books import billed_entries
from hub.books.billed_entries import last_billed
from hub.books.runs import settle_month
from hub.books.view import read_books
from hub.core.ledger.entries import read_entry
from hub.core.ledger.fund_entries import FeeScale
from hub.core.ledger.month_runs import APPROVED, DRAFT, MonthRun, is_outdated
from hub.core.ledger.run_calendar import DISPUTE, MONTH_KINDS, RunCalendar, days_of
from hub.core.payments.bills import BILL_LINES, BILLED_LINES, is_billed
from hub.core.rules.input_checks import RejectedInputError
from hub.core.settlement.money import CENT_NANO
from hub.money.bills import KeptBills, billed_runs
from hub.money.funds import book_fund, plan_fees
from hub.storage.records import EntryRow
from hub.storage.sqlite.store import SqliteStore
from hub.verify.books import check_books
from protocols.errors import RequestError
from tests.hub.settled_street import KEY, Street, arrivals_of, open_street

MAY: Final = date(2026, 5, 1)
LAST: Final = date(2026, 5, 31)
LATE_DAY: Final = date(2031, 1, 1)
HOMES: Final = 3
AT: Final = 1_781_000_000
LATE: Final = arrivals_of(LAST, HOMES)[30:42]
ROUNDED_SIDES: Final = 3
"""Energy received, energy sold and the fee are rounded each on its own."""
ACTS: Final = ("fee", "late", "draft", "next", "m01", "m02", "publish")


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=HOMES)
    yield opened
    await opened.store.close()


async def charge(store: SqliteStore, cents: int) -> None:
    scale = FeeScale({"full": cents * CENT_NANO, "odd": cents * CENT_NANO + 3_333_333}, "full", {"m02": "odd"})
    await book_fund(store, await plan_fees(store, month=MAY, scale=scale, decided="assembly"), made_at=AT, key=KEY)


async def approve(store: SqliteStore, run: MonthRun) -> None:
    for member in ("m01", "m02"):
        await approve_run(store, run=run.run_key, member=member, at=AT, key=KEY)


async def publish(store: SqliteStore, run: MonthRun) -> MonthRun:
    return await publish_run(store, run=run.run_key, member="m01", at=AT, key=KEY)


async def fee_cents(store: SqliteStore) -> dict[str, list[int]]:
    """The fees on each published run's documents, by kind of run."""
    kinds = {run.run_key: run.kind for run in (await read_books(store)).month_runs}
    return {
        kinds[each.month_run]: [
            line["net_cent"]
            for sides in each.documents.values()
            for bill in sides.values()
            for line in bill["lines"]
            if line["name"] == "fee"
        ]
        for each in await billed_runs(store, MAY)
    }


async def test_a_fee_booked_after_the_draft_is_on_the_bill_or_the_draft_is_refused(street: Street) -> None:
    store = street.store
    await street.arrive_days([LAST])
    draft = await settle_month(store, month=MAY, kind="M1", made_at=AT, key=KEY)
    await approve(store, draft)
    await charge(store, 500)
    again = "make it again with: commonwatt-hub settle --month 2026-05 --kind M1"
    with pytest.raises(RequestError, match=f"M1 of 2026-05 is older than the books: .*{again}"):
        await publish(store, draft)
    assert await store.fund_runs(kinds=("fund:bill",)) == ()
    newer = await settle_month(store, month=MAY, kind="M1", made_at=AT, key=KEY)
    assert (newer.run_key != draft.run_key, newer.approvals, newer.state) == (True, (), "draft")
    assert await settle_month(store, month=MAY, kind="M1", made_at=AT, key=KEY) == newer, "made once"
    with pytest.raises(RequestError, match=r"2 approval\(s\) missing"):
        await publish(store, newer)
    await approve(store, newer)
    await publish(store, newer)
    assert await fee_cents(store) == {"M1": [500, 500, 500]}
    await charge(store, 700)
    r1 = await settle_month(store, month=MAY, kind="R1", made_at=AT, key=KEY)
    await approve(store, r1)
    await publish(store, r1)
    assert await fee_cents(store) == {"M1": [500, 500, 500], "R1": [700, 700, 700]}
    assert (await check_books(store, KEY.public_key())).findings == []


async def test_a_first_bill_that_was_never_published_is_replaced_by_the_next_run(street: Street) -> None:
    store = street.store
    await street.arrive_days([LAST])
    first = await settle_month(store, month=MAY, kind="M1", made_at=AT, key=KEY)
    await approve(store, first)
    await charge(store, 500)
    r1 = await settle_month(store, month=MAY, kind="R1", made_at=AT, key=KEY)
    with pytest.raises(RequestError, match="R1 has been made since: approve and publish R1 in its place"):
        await publish(store, first)
    await approve(store, r1)
    await publish(store, r1)
    assert await fee_cents(store) == {"R1": [500, 500, 500]}


async def test_a_dispute_after_the_last_run_bills_a_fee_booked_since_then(street: Street) -> None:
    store = street.store
    await street.arrive_days([LAST])
    for kind in (*MONTH_KINDS, DISPUTE):
        run = await settle_month(store, month=MAY, kind=kind, made_at=AT, key=KEY, decision="x" * (kind == DISPUTE))
        await approve(store, run)
        await publish(store, run)
    await charge(store, 500)
    second = await settle_month(store, month=MAY, kind=DISPUTE, made_at=AT, key=KEY, decision="case 7")
    assert (second.state, second.decision) == ("draft", "case 7")
    await approve(store, second)
    await publish(store, second)
    assert [line for lines in (await fee_cents(store)).values() for line in lines] == [500, 500, 500]


async def test_the_newest_billed_entry_is_found_without_reading_the_month(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, read = street.store, list[int]()
    entries_before = store.entries_before

    async def counted(day: str, **place: int) -> tuple[EntryRow, ...]:
        rows = await entries_before(day, **place)
        read.append(len(rows))
        return rows

    await street.arrive_days([LAST - timedelta(days=back) for back in range(3)])
    await settle_month(store, month=MAY, kind="M1", made_at=AT, key=KEY)
    everything = await store.entries(after_position=0, limit=10**6)
    monkeypatch.setattr(billed_entries, "AT_A_TIME", 2)
    monkeypatch.setattr(store, "entries_before", counted)
    monkeypatch.setattr(store, "entries_of_days", None)
    assert await last_billed(store, MAY) == max(r.position for r in everything if is_billed(read_entry(r.canonical)))
    assert sum(read) <= 6 < len(everything)


async def test_a_month_that_gets_no_bill_takes_no_fee(street: Street) -> None:
    await street.arrive_days([LAST])
    scale = FeeScale({"full": 5_000_000_000}, "full")
    with pytest.raises(RejectedInputError, match="2026-04 has no bill: the first reading is of 2026-05-31"):
        await plan_fees(street.store, month=date(2026, 4, 1), scale=scale, decided="assembly")


@dataclass
class Played:
    """A street whose board acts in any order; acts that the rules refuse leave nothing behind."""

    street: Street
    fees: int = 0
    is_late: bool = False

    async def act(self, what: str) -> None:
        store = self.street.store
        try:
            if what == "fee":
                self.fees += 1
                await charge(store, 100 + 37 * self.fees)
            elif what == "late" and not self.is_late:
                self.is_late = True
                await self.street.arrive(LATE)
            elif what in ("draft", "next"):
                await self._draft(is_next=what == "next")
            elif what in ("m01", "m02"):
                await approve_run(store, run=await self._in_turn(), member=what, at=AT, key=KEY)
            elif what == "publish":
                before = await last_billed(store, MAY)
                made = await publish_run(store, run=await self._in_turn(), member="m01", at=AT, key=KEY)
                assert before <= made.ledger_position, "published, and something booked is not on it"
        except RequestError:
            return

    async def _draft(self, *, is_next: bool) -> None:
        done = [run.kind for run in (await read_books(self.street.store)).month_runs]
        place = MONTH_KINDS.index(done[-1]) if done and done[-1] in MONTH_KINDS else len(MONTH_KINDS) * bool(done)
        kind = (*MONTH_KINDS, DISPUTE, DISPUTE)[place + (is_next and bool(done))]
        calendar, decision = RunCalendar(), "x" * (kind == DISPUTE)
        await book_run(
            self.street.store, MAY, kind=kind, decision=decision, calendar=calendar, key=KEY, at=AT, today=LATE_DAY
        )

    async def _in_turn(self) -> str:
        """The run that the board would decide on: the earliest open one that is not older than the books."""
        last_booked = await last_billed(self.street.store, MAY)
        days = days_of(MAY)
        rows = await self.street.store.entries_of_days(days=(days[0].isoformat(), days[-1].isoformat()))
        billed = [row.position for row in rows if is_billed(read_entry(row.canonical))]
        assert last_booked == max(billed, default=0), "found from the newest back, it is that of the whole month"
        runs = (await read_books(self.street.store)).month_runs
        is_open = [run.state in (DRAFT, APPROVED) and not is_outdated(run, last_booked) for run in runs]
        if not runs:
            raise RequestError("no run yet")
        return next((run for run, waits in zip(runs, is_open, strict=True) if waits), runs[-1]).run_key

    async def finish(self) -> None:
        """Whatever is open is drafted, approved and published."""
        for each in (*("m01", "m02", "publish") * 5, "draft", "m01", "m02", "publish", "next", "m01", "m02", "publish"):
            await self.act(each)


async def check_all_billed(store: SqliteStore) -> None:
    """Each bill states what was booked since the one before it, to the rounding, and the account moves by the bills."""
    runs = [run for run in (await read_books(store)).month_runs if run.published_at is not None]
    assert [run.ledger_position for run in runs] == sorted(run.ledger_position for run in runs)
    rows = await store.entries(after_position=0, limit=10**6)
    assert all(row.position <= runs[-1].ledger_position for row in rows if is_billed(read_entry(row.canonical)))
    issued = {each.month_run: each.documents for each in await billed_runs(store, MAY)}
    kept = KeptBills(store)
    for member in ("m01", "m02", "m03", "m99"):
        own = {month_run: dict(documents.get(member, {})) for month_run, documents in issued.items()}
        assert await kept.of_member(member, MAY) == own, "a member's own part is what the whole record has"
    stated: dict[str, int] = defaultdict(int)
    for run in runs:
        for member, sides in issued.get(run.run_key, {}).items():
            for side, bill in sides.items():
                stated[member] += (1 if side == "sold" else -1) * bill["due_cent"] * CENT_NANO
        booked = moved([row for row in rows if row.position <= run.ledger_position], lines=BILLED_LINES)
        for member in {*stated, *booked}:
            assert abs(stated[member] - booked[member]) < ROUNDED_SIDES * CENT_NANO, (run.kind, member)
    every = moved(rows, lines=(*BILLED_LINES, *BILL_LINES))
    assert {member: nano for member, nano in every.items() if nano} == {m: nano for m, nano in stated.items() if nano}


def moved(rows: Sequence[EntryRow], *, lines: tuple[str, ...]) -> dict[str, int]:
    """What these lines put on each member's account."""
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        for each in read_entry(row.canonical).postings:
            if each.account == f"member:{row.member}:money" and each.line in lines:
                sums[row.member] += each.amount
    return sums


def played(folder: Path, acts: list[str]) -> None:
    async def work() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        played_on = Played(await open_street(folder, homes=HOMES))
        try:
            await played_on.street.arrive_days([LAST], without=LATE)
            for act in acts:
                await played_on.act(act)
            await played_on.finish()
            await check_all_billed(played_on.street.store)
        finally:
            await played_on.street.store.close()

    asyncio.run(work())


orders = st.lists(st.sampled_from(ACTS), min_size=4, max_size=24)


@settings(deadline=None, derandomize=True, max_examples=6)
@given(orders)
def test_every_entry_is_on_exactly_one_bill_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, acts: list[str]
) -> None:
    played(tmp_path_factory.mktemp("any") / "hub", acts)


@pytest.mark.campaign
@settings(deadline=None, derandomize=True, max_examples=400)
@given(orders)
def test_every_entry_is_on_exactly_one_bill_in_many_orders(
    tmp_path_factory: pytest.TempPathFactory, acts: list[str]
) -> None:
    played(tmp_path_factory.mktemp("any") / "hub", acts)
