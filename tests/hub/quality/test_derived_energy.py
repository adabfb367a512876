"""Energy that an agent derived: settled only where the rule lets it count and the agent's meter states its error."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from hub.books.runs import NEW_METER, has_readings, marked_days
from hub.books.view import read_books
from hub.core.homes.meter_trust import LATE_NOTICE
from hub.core.quality.scale_changes import ScaleChange, StreetDays
from hub.core.rules.derived_energy import DerivedRule
from hub.core.rules.rulebook import Rule
from hub.core.settlement.allocation_record import read_record
from hub.core.settlement.slot_marks import SlotMarks
from hub.quality.scale_findings import MADE, scale_findings
from hub.storage.fleet_records import ReceivedNotice
from hub.storage.records import AcceptedMessage
from hub.storage.rule_records import NewProposal, RuleAdoption
from hub.storage.sqlite.store import SqliteStore
from hub.verify.books import check_books
from protocols.quantities import Mark
from protocols.slots import Slot, slots_of_day, start_of
from protocols.wire.meter_notices import MeterNotice
from tests.hub.books.test_runs import night
from tests.hub.quality.test_findings import findings, job_on
from tests.hub.settled_street import COOP, KEY, RULE, Arrival, Street, arrivals_of, open_street

DAY = date(2026, 5, 30)
NEXT = DAY + timedelta(days=1)
SLOTS = slots_of_day(DAY, COOP.tz)
NOON = range(SLOTS.start + 48, SLOTS.start + 52)
COUNTS = replace(RULE, derived=DerivedRule(50, 10))


async def opened(folder: Path, rule: Rule) -> Street:
    """Six homes and a day of readings; of h01 those around noon are derived."""
    street = await open_street(folder, homes=6, rule=rule)
    messages = [street.message(*arrival) for arrival in arrivals_of(DAY, 6)]
    await street.store.store_messages(
        [
            replace(each, readings=tuple(row._replace(mark=Mark.DERIVED) for row in each.readings))
            if each.home == "h01" and each.slot in NOON
            else each
            for each in messages
        ]
    )
    return street


@pytest.fixture(params=[COUNTS])
async def street(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Street]:
    found = await opened(tmp_path, request.param)
    yield found
    await found.store.close()


without_the_rule = pytest.mark.parametrize("street", [RULE], indirect=True)


async def tell(
    street: Street, *, within_wh: int, percent: int, from_slot: Slot = SLOTS.start, told_at: int = 1
) -> None:
    notice = MeterNotice(
        "a-01", 1, from_slot, "silver", "separate", "netted", True, "none", "15min", within_wh, percent
    )
    await street.store.note_meters([ReceivedNotice(notice, b"sealed", told_at)])


async def settled(street: Street, *, day: date = DAY) -> tuple[str, SlotMarks, list[Slot]]:
    """The newest run of the day: its state, what is marked of m01, and the slots in which m01 is not present."""
    await job_on(street.store)(night(NEXT))
    run = (await street.store.runs(days=(day.isoformat(), day.isoformat())))[-1]
    rule = next(each for each in (RULE, COUNTS) if each.version() == run.rule_hash)
    found = read_record(run.allocation, rule)
    assert (await check_books(street.store, KEY.public_key())).wrong == 0
    absent = [slot for slot, there in zip(found.slots, found.present[:, 0].tolist(), strict=True) if not there]
    return run.state, found.marks.get("m01", SlotMarks()), absent


async def test_derived_energy_counts_where_the_rule_says_so(street: Street) -> None:
    await tell(street, within_wh=50, percent=10)
    assert await settled(street) == ("complete", SlotMarks(derived=((NOON.start, len(NOON)),)), [])


@without_the_rule
async def test_without_the_rule_it_is_missing_as_ever(street: Street) -> None:
    await tell(street, within_wh=50, percent=10)
    assert await settled(street) == ("provisional", SlotMarks(), list(NOON))


@pytest.mark.parametrize(("within_wh", "percent"), [(0, 0), (51, 10), (50, 11)])
async def test_an_error_that_is_not_stated_or_too_large_does_not_count(
    street: Street, within_wh: int, percent: int
) -> None:
    await tell(street, within_wh=within_wh, percent=percent)
    assert await settled(street) == ("provisional", SlotMarks(), list(NOON))


async def test_it_counts_from_the_slot_of_the_notice_on(street: Street) -> None:
    await tell(street, within_wh=50, percent=10, from_slot=NOON.start + 2)
    assert await settled(street) == ("provisional", SlotMarks(derived=((NOON.start + 2, 2),)), list(NOON[:2]))


async def test_a_notice_that_comes_later_settles_the_day_again(street: Street) -> None:
    assert (await settled(street))[2] == list(NOON)
    await tell(street, within_wh=50, percent=10)
    assert await settled(street) == ("complete", SlotMarks(derived=((NOON.start, len(NOON)),)), [])


async def test_a_notice_that_reaches_back_over_a_settled_day_is_said_to_the_board_once(street: Street) -> None:
    await settled(street)
    at = start_of(slots_of_day(NEXT, COOP.tz).start + 40)
    await street.arrive_days([NEXT, NEXT + timedelta(days=1)])
    await tell(street, within_wh=50, percent=10, told_at=at)
    heads = await read_books(street.store, days=(DAY.isoformat(), DAY.isoformat()))
    (marked,) = await marked_days(street.store, heads, [DAY])
    assert marked.why == NEW_METER
    for nights in (2, 3):
        await job_on(street.store)(night(DAY + timedelta(days=nights)))
    rows = [row for row in await findings(street.store) if row.found.code == LATE_NOTICE]
    (row,) = rows
    assert (row.found.home, row.day, row.found.severity) == ("h01", NEXT.isoformat(), "check")
    assert dict(row.found.numbers) == {"days": 1, "told_slot": slots_of_day(NEXT, COOP.tz).start + 40}
    run = (await street.store.runs(days=(DAY.isoformat(), DAY.isoformat())))[-1]
    assert read_record(run.allocation, COUNTS).marks["m01"] == SlotMarks(derived=((NOON.start, len(NOON)),))
    assert (await check_books(street.store, KEY.public_key())).wrong == 0


@without_the_rule
async def test_where_nothing_derived_counts_such_a_notice_changes_nothing_and_says_nothing(street: Street) -> None:
    await settled(street)
    await street.arrive_days([NEXT])
    await tell(street, within_wh=50, percent=10, told_at=start_of(slots_of_day(NEXT, COOP.tz).start + 40))
    await job_on(street.store)(night(NEXT + timedelta(days=1)))
    assert LATE_NOTICE not in await told_codes(street)


@without_the_rule
async def test_a_rule_from_a_later_day_changes_no_earlier_day(street: Street) -> None:
    await tell(street, within_wh=50, percent=10)
    proposal = NewProposal(COUNTS.version(), COUNTS.canonical(), NEXT.isoformat(), "a file", "m01", 1)
    number = await street.store.propose_rule(proposal)
    await street.store.adopt_rule(number, adopted=RuleAdoption("m02", 2))
    assert await settled(street) == ("provisional", SlotMarks(), list(NOON))


async def test_a_measured_reading_that_comes_later_takes_the_place_of_a_derived_one(street: Street) -> None:
    await tell(street, within_wh=50, percent=10)
    await settled(street)
    await street.arrive([Arrival((1, slot)) for slot in NOON])
    assert await settled(street) == ("complete", SlotMarks(), [])


async def told_codes(street: Street) -> set[str]:
    """The codes of what the check found of h01 on the day."""
    return {each.found.code for each in await findings(street.store) if each.found.home == "h01"}


async def test_what_counts_is_no_gap(street: Street) -> None:
    await tell(street, within_wh=50, percent=10)
    await settled(street)
    assert "gap" not in await told_codes(street)


async def test_beside_a_gap_only_what_is_missing_is_one(street: Street) -> None:
    await tell(street, within_wh=50, percent=10, from_slot=NOON.start + 2)
    await settled(street)
    gaps = [each.found for each in await findings(street.store) if each.found.code == "gap"]
    assert {(each.home, each.first_slot, each.slots) for each in gaps} == {("h01", NOON.start, 2)}


async def test_a_derived_reading_that_is_held_has_a_finding_that_the_board_can_decide(street: Street) -> None:
    await tell(street, within_wh=50, percent=10)
    message = street.message(1, SLOTS.stop + 30)
    rows = tuple(row._replace(mark=Mark.DERIVED, energy_wh=90_000) for row in message.readings)
    await street.store.store_messages([replace(message, readings=rows)])
    await job_on(street.store)(night(NEXT + timedelta(days=1)))
    run = (await street.store.runs(days=(NEXT.isoformat(), NEXT.isoformat())))[-1]
    assert read_record(run.allocation, COUNTS).marks["m01"] == SlotMarks(held=((SLOTS.stop + 30, 1),))
    found = [each.found for each in await findings(street.store) if each.day == NEXT.isoformat()]
    assert ("h01", "impossible", SLOTS.stop + 30) in {(each.home, each.code, each.first_slot) for each in found}


@pytest.fixture
def all_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of no home there is anything but what its agent derived."""

    async def derived_only(store: SqliteStore, messages: Sequence[AcceptedMessage]) -> None:
        marked = [
            replace(each, readings=tuple(row._replace(mark=Mark.DERIVED) for row in each.readings)) for each in messages
        ]
        await stored(store, marked)

    stored = SqliteStore.store_messages
    monkeypatch.setattr(SqliteStore, "store_messages", derived_only)


@pytest.mark.parametrize(("rule", "counts"), [(COUNTS, True), (RULE, False)])
async def test_a_month_of_derived_energy_that_counts_has_readings(
    tmp_path: Path, all_derived: None, rule: Rule, counts: bool
) -> None:
    street = await opened(tmp_path, rule)
    assert not await has_readings(street.store, DAY), "nothing is stated of its error yet"
    await tell(street, within_wh=50, percent=10)
    assert await has_readings(street.store, DAY) == counts
    await street.store.close()


@pytest.mark.parametrize(("rule", "counts"), [(COUNTS, True), (RULE, False)])
async def test_a_meter_whose_energy_is_derived_and_counts_is_compared_with_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: Rule, counts: bool
) -> None:
    street = await opened(tmp_path, rule)
    await tell(street, within_wh=50, percent=10)
    seen: list[StreetDays] = []

    def look(_homes: Sequence[str], days: StreetDays) -> tuple[ScaleChange, ...]:
        seen.append(days)
        return ()

    monkeypatch.setattr("hub.quality.scale_findings.find_scale_changes", look)
    await street.arrive([Arrival((1, slots_of_day(DAY - timedelta(days=60), COOP.tz)[0]))])
    await scale_findings(street.store, DAY, SLOTS, allowed={"h01": list(MADE)})
    known = np.isfinite(seen[0].net_wh.reshape(-1, 6)[-len(SLOTS) :, 0])
    assert known.sum() == len(SLOTS) - (0 if counts else len(NOON))
    await street.store.close()
