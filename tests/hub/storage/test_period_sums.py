"""Whatever arrives, in whatever order and however often: sums of hours, days and months are those of the readings."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.books.period_sums import PeriodSumsJob
from hub.commands.operation.mend_sums import Mended, mend_sums
from hub.core.homes.periods import PeriodKind, days_in, period_of
from hub.storage.contract import Store
from hub.storage.records import AcceptedMessage, Access, Agent, Coop, Home, Member, ReadingRow
from hub.storage.sql.connection import Connection, Transactions
from hub.storage.sql.periods.sums import STEP
from hub.storage.sqlite.store import SqliteStore
from hub.storage.street_records import PeriodSum
from hub.verify.check_result import CheckResult
from hub.verify.homes.period_sums import check_sums
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot, slots_of_day, start_of
from tests.hub.storage.backends import OpenBackend

IMPORT, EXPORT, PV = Measure.GRID_IMPORT, Measure.GRID_EXPORT, Measure.PV_PRODUCTION
TZ = "Europe/Madrid"
CHANGE = slots_of_day(date(2026, 10, 25), TZ)
"""The day with 25 hours; the month ends a week later."""

NOW_S = float(start_of(CHANGE.stop + 96 * 40))
SELF = Access("m1", "self", "self.view")
_numbers = itertools.count(1)


@dataclass
class Sender:
    """A home with two agents, whose messages are numbered as they come."""

    store: Store
    number: int
    seqs: dict[int, int]

    @property
    def home(self) -> str:
        return f"h{self.number}"

    async def send(self, *batches: tuple[int, Sequence[ReadingRow]]) -> None:
        """Store these batches of (seat, readings) in one transaction."""
        messages = []
        for seat, readings in batches:
            self.seqs[seat] = seq = self.seqs.get(seat, 0) + 1
            key = f"{self.number} {seat} {seq}".encode().ljust(32, b".")
            slot = max(each.slot for each in readings)
            own = tuple(each._replace(home=self.home) for each in readings)
            messages.append(
                AcceptedMessage(
                    *(
                        f"a-{self.number}-{seat}",
                        self.home,
                        1,
                        seq,
                        "batch",
                        key,
                        b"sealed",
                        start_of(slot) + 900,
                        slot,
                    ),
                    *(own, (), (), None, None, None),
                )
            )
        await self.store.store_messages(messages)


async def sender(store: Store, *, is_board: bool = False) -> Sender:
    """A new home in this store."""
    number = next(_numbers)
    member = Member(f"m{number}", f"Member {number}", f"m{number}@x.org", "en", is_board, 1)
    await store.add_member(member, Home(f"h{number}", f"Home {number}", member.id))
    for seat in (1, 2):
        token = f"{number} {seat}".encode().ljust(32, b".")
        await store.add_invite(token, home_id=f"h{number}", expires_at=int(NOW_S), is_further=seat > 1)
        agent = Agent(f"a-{number}-{seat}", "", number % 64, token, 50, None)
        assert await store.redeem_invite(token, agent=agent, now=50) is None
    return Sender(store, number, {})


@pytest.fixture
async def store(open_backend: OpenBackend) -> AsyncIterator[Store]:
    opened = await open_backend(now=lambda: NOW_S)
    await opened.set_coop(Coop("street", "The Street", TZ, "EUR"))
    yield opened
    await opened.close()


def row(
    slot: Slot, energy_wh: int | None, *, measure: Measure = IMPORT, span: int = 1, mark: Mark | None = None
) -> ReadingRow:
    known = Mark.MISSING if energy_wh is None else Mark.MEASURED
    return ReadingRow("", measure, slot, span, energy_wh, known if mark is None else mark, Gap.NONE)


async def wrong_sums(store: Store) -> list[str]:
    """What verification finds of the sums, which adds the readings up in another way."""
    check = CheckResult()
    await check_sums(store, check)
    return check.findings


rows = st.builds(
    lambda at, length, measure, mark, span, wh: [
        row(
            CHANGE.start + at + step, None if mark is Mark.MISSING else wh + step, measure=measure, mark=mark, span=span
        )
        for step in range(0, length * span, span)
    ],
    st.one_of(st.integers(-6, 12), st.integers(90, 110), st.integers(660, 690)),
    st.integers(1, 9),
    st.sampled_from([IMPORT, EXPORT]),
    st.sampled_from(Mark),
    st.sampled_from([1, 1, 1, 4, 96]),
    st.integers(10, 500),
)
sendings = st.lists(st.lists(st.tuples(st.sampled_from([1, 2]), rows), min_size=1, max_size=4), max_size=9)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sendings)
async def test_the_sums_are_those_of_the_readings(store: Store, sent: list[list[tuple[int, list[ReadingRow]]]]) -> None:
    home = await sender(store)
    for number, batches in enumerate(sent, start=1):
        await home.send(*batches)
        # A server takes longer to ask; there the end is looked at.
        if isinstance(store, SqliteStore) or number == len(sent):
            assert await wrong_sums(store) == []


async def test_a_day_of_25_hours_and_its_month_are_whole_when_all_their_slots_are_there(store: Store) -> None:
    home = await sender(store)
    month = period_of(PeriodKind.MONTH, CHANGE.start, TZ)
    assert len(days_in(month, TZ)) == 31
    assert len(month) == 31 * 96 + 4
    await home.send((1, [row(slot, 2) for slot in month[:-1]]))
    firsts = [CHANGE.start]
    (day,) = await store.period_sums(home.home, PeriodKind.DAY, firsts=firsts, access=SELF)
    assert (day.slots, day.covered[IMPORT], day.energy_wh[IMPORT]) == (100, 100, 200)
    assert PV not in day.energy_wh
    assert await store.period_sums(home.home, PeriodKind.MONTH, firsts=[month.start], access=SELF) == ()
    await home.send((1, [row(month[-1], 5)]))
    (whole,) = await store.period_sums(home.home, PeriodKind.MONTH, firsts=[month.start], access=SELF)
    assert (whole.slots, whole.covered[IMPORT], whole.energy_wh[IMPORT]) == (len(month), len(month), 2 * len(month) + 3)
    logged = await store.access_rows(home.home, limit=1)
    assert (logged[0].actor, logged[0].purpose) == ("m1", "self.view")


async def test_what_is_missing_is_told_and_a_better_value_takes_its_place(store: Store) -> None:
    home = await sender(store)
    hour = range(CHANGE.start, CHANGE.start + 4)
    await home.send((1, [row(hour[0], 7), row(hour[1], 9, mark=Mark.PARTIAL), row(hour[3], None)]))
    (first,) = await store.period_sums(home.home, PeriodKind.HOUR, firsts=[hour[0]], access=SELF)
    assert (first.energy_wh[IMPORT], first.covered[IMPORT]) == (7, 1)
    await home.send((1, [row(hour[1], 11), row(hour[2], 13)]), (2, [row(hour[3], 17, mark=Mark.DERIVED)]))
    (second,) = await store.period_sums(home.home, PeriodKind.HOUR, firsts=[hour[0]], access=SELF)
    assert (second.energy_wh[IMPORT], second.covered[IMPORT]) == (7 + 11 + 13 + 17, 4)


async def test_an_hour_that_comes_in_two_parts_is_the_sum_of_both(store: Store) -> None:
    home = await sender(store)
    firsts = [CHANGE.start + 4 * hour for hour in range(4)]
    for count, first in enumerate(firsts, start=1):
        hour = range(first, first + 4)
        for part in (hour[:count], hour[count:]):
            if part:
                await home.send((1, [row(slot, 5) for slot in part]))
    sums = await store.period_sums(home.home, PeriodKind.HOUR, firsts=firsts, access=SELF)
    assert [each.energy_wh[IMPORT] for each in sums] == [20] * 4


async def test_a_total_of_an_hour_counts_once_and_not_beside_its_quarters(store: Store) -> None:
    home = await sender(store)
    hour, following = range(CHANGE.start, CHANGE.start + 4), range(CHANGE.start + 4, CHANGE.start + 8)
    await home.send((1, [row(hour[3], 40, span=4), row(following[3], 50, span=4)]))
    await home.send((1, [row(following[0], 3)]))
    sums = await store.period_sums(home.home, PeriodKind.HOUR, firsts=[hour[0], following[0]], access=SELF)
    assert [(each.energy_wh[IMPORT], each.covered[IMPORT]) for each in sums] == [(40, 4), (3, 1)]


async def test_what_comes_while_the_sums_are_checked_is_nothing_wrong(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour ends, and a better value comes, between the look at the readings and the look at the sums."""
    home, other = await sender(store), await sender(store)
    hours = [range(CHANGE.start + at, CHANGE.start + at + 4) for at in (0, 4)]
    for each in (home, other):
        await each.send((1, [row(slot, 7) for slot in hours[0][:3]] + [row(hours[0][3], 9, mark=Mark.PARTIAL)]))
    look, arrivals = store.stored_sums, iter((True, False))

    async def meanwhile(kind: PeriodKind, *, slots: range) -> tuple[PeriodSum, ...]:
        if CHANGE.start in slots and next(arrivals, False):
            await home.send((1, [row(slot, 5) for slot in hours[1]]))
            await other.send((2, [row(hours[0][3], 8)]))
        return await look(kind, slots=slots)

    monkeypatch.setattr(store, "stored_sums", meanwhile)
    assert await wrong_sums(store) == []
    assert next(arrivals, None) is None, "both arrived during the check"
    monkeypatch.undo()
    assert await wrong_sums(store) == []


async def test_homes_heard_before_there_were_sums_get_theirs(store: Store) -> None:
    """As an update leaves them: readings and no sums. What arrives meanwhile waits with them."""
    home, other = await sender(store), await sender(store)
    slots = [*range(CHANGE.start, CHANGE.start + 300), *range(CHANGE.start + 96 * 80, CHANGE.start + 96 * 80 + 50)]
    for each in (home, other):
        await each.send((1, [row(slot, 3) for slot in slots]))

    async def forget(db: Connection) -> None:
        await db.execute("DELETE FROM period_sum WHERE kind IN (1, 2, 3)")
        await db.execute("DELETE FROM period_home WHERE home IN (?, ?)", (home.home, other.home))

    assert isinstance(store, Transactions)
    await store.write(forget)
    await home.send((1, [row(slots[-1] + 1, 9)]), (2, [row(slots[5], 4, measure=PV)]))
    assert {home.home, other.home} <= set(await store.homes_without_sums())
    await PeriodSumsJob(store, pause_s=0)(0)
    assert await store.homes_without_sums() == ()
    assert await wrong_sums(store) == []
    assert len(await store.sums_through()) >= 2
    days = [period_of(PeriodKind.DAY, CHANGE.start, TZ).start]
    (day,) = await store.period_sums(home.home, PeriodKind.DAY, firsts=days, access=SELF)
    assert (day.covered[IMPORT], day.covered[PV]) == (100, 1)


async def test_a_home_that_comes_back_after_months_is_gone_on_with_by_the_job(store: Store) -> None:
    home = await sender(store)
    await home.send((1, [row(CHANGE.start + n, 3) for n in range(6)]))
    late = CHANGE.start + 96 * 90
    await home.send((1, [row(late + n, 4) for n in range(8)]))
    assert home.home in await store.homes_without_sums()
    await PeriodSumsJob(store, pause_s=0)(0)
    assert home.home not in await store.homes_without_sums()
    assert await wrong_sums(store) == []
    hours = [period_of(PeriodKind.HOUR, slot, TZ).start for slot in (CHANGE.start + 4, late)]
    sums = await store.period_sums(home.home, PeriodKind.HOUR, firsts=hours, access=SELF)
    assert [each.covered[IMPORT] for each in sums] == [2, 4], "the hour that was open when it fell silent is there too"


class SlowHomes:
    """Three homes of two commits each, which take 30 minutes; another writer gets its turn between any two."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.left = {"h1": 2, "h2": 2, "h3": 2}
        self.is_others_turn = asyncio.Event()
        self.turns_between = 0

    async def homes_without_sums(self) -> tuple[str, ...]:
        return tuple(home for home, commits in self.left.items() if commits)

    async def go_on_with_sums(self, home: str) -> bool:
        self.is_others_turn.set()
        self.now_s += 30 * 60 / 2
        self.left[home] -= 1
        return self.left[home] > 0

    async def write_between(self) -> None:
        while True:
            await self.is_others_turn.wait()
            self.is_others_turn.clear()
            self.turns_between += 1


async def test_a_long_fill_ends_in_time_without_an_error_and_lets_others_write_between_its_commits() -> None:
    homes = SlowHomes()
    job = PeriodSumsJob(homes, steady_s=lambda: homes.now_s, pause_s=0)  # type: ignore[arg-type]
    other = asyncio.create_task(homes.write_between())
    await job(0)
    assert (homes.left, homes.now_s) == ({"h1": 0, "h2": 0, "h3": 2}, 3600), "no home is begun after 50 minutes"
    assert homes.turns_between == 4
    await job(0)
    assert await homes.homes_without_sums() == ()
    other.cancel()


async def test_a_commit_of_the_fill_makes_ten_days_of_a_home(store: Store) -> None:
    home = await sender(store)
    await home.send((1, [row(CHANGE.start, 3), row(CHANGE.start + 96 * 90, 3)]))
    before = (await store.sums_through()).get(home.home, CHANGE.start - 1)
    assert await store.go_on_with_sums(home.home)
    assert (await store.sums_through())[home.home] - before == 10 * 96


async def test_an_hour_that_ended_just_behind_ten_days_is_made_by_the_next_commit(store: Store) -> None:
    home = await sender(store)
    last = CHANGE.start + STEP + 3
    await home.send((1, [row(CHANGE.start, 3), row(last, 3)]))
    assert isinstance(store, Transactions)
    await store.write(lambda db: db.execute("DELETE FROM period_home WHERE home = ?", (home.home,)))
    for has_more, through in ((True, last - 4), (False, last)):
        assert await store.go_on_with_sums(home.home) is has_more
        assert (await store.sums_through())[home.home] == through


async def test_since_a_slot_the_month_that_holds_it_is_added_up_and_no_earlier_one(store: Store) -> None:
    home = await sender(store)
    month = period_of(PeriodKind.MONTH, CHANGE.start, TZ)
    await home.send((1, [row(slot, 3) for first in (CHANGE.start, month.stop) for slot in range(first, first + 100)]))
    assert isinstance(store, Transactions)
    await store.write(lambda db: db.execute("UPDATE period_sum SET grid_import_wh = 1 WHERE kind = 2"))
    days = [f"the day from {first}" for first in (CHANGE.start, month.stop)]
    for since, found in ((month.stop - 1, days), (month.stop, days[1:])):
        check = CheckResult()
        await check_sums(store, check, since=since)
        assert [words.partition(": ")[2].partition(" has")[0] for words in check.findings] == found


async def test_an_erased_home_leaves_no_sums(store: Store) -> None:
    home, other = await sender(store), await sender(store, is_board=True)
    for each in (home, other):
        await each.send((1, [row(CHANGE.start + n, 3) for n in range(700)]))
    board = f"m{other.number}"
    for seat in (1, 2):
        assert await store.revoke_agent(f"a-{home.number}-{seat}", by=board, reason="moved") is None
    assert await store.set_left(f"m{home.number}", int(NOW_S), last_day="2026-12-01", by=board) is None
    assert await store.erase_homes(left_before=int(NOW_S), months=16) == (home.home,)
    assert set(await store.sums_through()) == {other.home}
    stored = [each for kind in PeriodKind for each in await store.stored_sums(kind, slots=range(2**40))]
    assert {each.home for each in stored} == {other.home}
    assert await wrong_sums(store) == []


async def test_a_changed_sum_is_found_and_made_again(store: Store) -> None:
    home = await sender(store)
    await home.send((1, [row(CHANGE.start + n, 3) for n in range(105)]))
    assert isinstance(store, Transactions)
    for change in (
        "UPDATE period_sum SET grid_import_wh = grid_import_wh + 1 WHERE kind = 2",
        "UPDATE period_sum SET grid_import_slots = 99 WHERE kind = 2",
        "UPDATE period_sum SET slots = 99 WHERE kind = 2",
        "UPDATE period_sum SET pv_production_wh = 0 WHERE kind = 2",
        "UPDATE period_sum SET home = 'h0' WHERE kind = 2",
        "UPDATE period_sum SET kind = 3 WHERE kind = 2",
        "UPDATE period_sum SET first_slot = first_slot + 1 WHERE kind = 1",
        "UPDATE period_sum SET first_slot = 9007199254740993 WHERE kind = 2",
        """INSERT INTO period_sum (kind, first_slot, home, slots)
            SELECT 2, first_slot + 100, home, 96 FROM period_sum WHERE kind = 2""",  # of a day that is not over
        "DELETE FROM period_sum WHERE kind = 2",
        "UPDATE period_home SET through_slot = through_slot + 4",
        "UPDATE period_home SET through_slot = through_slot - 1",
        "DELETE FROM period_home WHERE through_slot > 0",
    ):
        before = {kind: await store.stored_sums(kind, slots=range(2**40)) for kind in PeriodKind}
        through = await store.sums_through()
        await store.write(lambda db, change=change: db.execute(change))
        assert await wrong_sums(store) != [], change
        mended = await mend_sums(store, pause_s=0)
        assert mended.sums or mended.homes
        assert await wrong_sums(store) == [], change
        assert {kind: await store.stored_sums(kind, slots=range(2**40)) for kind in PeriodKind} == before, change
        assert await store.sums_through() == through, change
        assert await mend_sums(store, pause_s=0) == Mended(), change
