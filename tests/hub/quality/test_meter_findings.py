"""A grid meter read with a bronze map: nothing of it is settled until a board member accepts it, by name."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from hub.core.homes.meter_trust import LATE_NOTICE, OTHER_NETTING, UNPROVEN_METER, uncertified_homes
from hub.quality.meter_findings import meter_findings
from hub.storage.finding_records import FindingRow
from hub.storage.fleet_records import ReceivedNotice
from hub.storage.maps.records import MapRelease
from hub.storage.sqlite.store import SqliteStore
from hub.verify.books import check_books
from hub.web.frame.translation import Localizer
from hub.web.views.findings import explain
from protocols.slots import Slot, slots_of_day, start_of
from protocols.wire.meter_notices import MeterNotice, NettingTime, ToldQuality
from tests.hub.books.test_runs import night
from tests.hub.quality.test_connections import shared
from tests.hub.quality.test_findings import decide, findings, job_on
from tests.hub.settled_street import COOP, KEY, RULE, Street, open_street

DAY = date(2026, 5, 30)
NEXT = DAY + timedelta(days=1)
SLOTS = slots_of_day(DAY, COOP.tz)
SAID: dict[str, NettingTime] = {"h02": "60min", "h03": "none", "h04": "unknown"}


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=6)
    yield opened
    await opened.store.close()


async def tell(
    street: Street, home: str, quality: ToldQuality, *, from_slot: Slot = SLOTS.start, told_at: int = 1
) -> None:
    agents = {each.home_id: each.id for each in await street.store.agents()}
    notice = MeterNotice(agents[home], 1, from_slot, quality, "separate", "netted", True, "none")
    await street.store.note_meters([ReceivedNotice(notice, b"sealed", told_at)])


async def unproven(street: Street) -> list[FindingRow]:
    return [row for row in await findings(street.store) if row.found.code == UNPROVEN_METER]


async def test_nothing_of_a_bronze_meter_is_settled_until_the_board_accepts_it(street: Street) -> None:
    await street.arrive_days([DAY])
    await tell(street, "h02", "bronze")
    await job_on(street.store)(night(NEXT))
    (row,) = await unproven(street)
    assert (row.found.home, row.found.first_slot, row.is_waiting) == ("h02", SLOTS.start, True)
    assert "m02" not in await shared(street)
    await decide(street.store, row.id, "accept")
    await job_on(street.store)(night(NEXT))
    assert "m02" in await shared(street), "released, the day is settled again by itself"
    assert (await check_books(street.store, KEY.public_key())).wrong == 0
    await decide(street.store, row.id, "reject")
    await job_on(street.store)(night(NEXT))
    assert (await shared(street)).get("m02", 0) == 0, "taken back: what was booked is booked back"


async def test_the_board_reads_by_what_a_household_multiplies_its_meter(street: Street) -> None:
    """Not that the map is unproven, which it may not be: the number can be compared with the transformers' plate."""
    await street.arrive_days([DAY])
    agents = {each.home_id: each.id for each in await street.store.agents()}
    notice = MeterNotice(
        agents["h02"], 1, SLOTS.start, "bronze", "separate", "netted", True, "unknown", factor_millionths=40_000_000
    )
    await street.store.note_meters([ReceivedNotice(notice, b"sealed", start_of(SLOTS.start))])
    again = replace(notice, factor_millionths=20_000_000)
    await job_on(street.store)(night(NEXT))
    (row,) = await unproven(street)
    assert dict(row.found.numbers)["factor_millionths"] == 40_000_000
    assert "multiplies all that its grid meter shows by 40 (factor in agent.toml)" in row.found.sentence
    assert "multiplies all that its grid meter shows by 40." in explain(row, Localizer("en", COOP.tz, COOP.currency))
    await street.store.note_meters([ReceivedNotice(again, b"sealed", start_of(SLOTS.start))])
    assert [each.factor_millionths for each in await street.store.told_meters()] == [40_000_000, 20_000_000]


async def test_it_is_said_once_and_not_every_night(street: Street) -> None:
    await street.arrive_days([DAY, NEXT])
    await tell(street, "h02", "bronze")
    await job_on(street.store)(night(NEXT + timedelta(days=1)))
    assert [row.day for row in await unproven(street)] == [DAY.isoformat()]


async def test_a_proven_meter_and_an_agent_that_tells_nothing_hold_nothing(street: Street) -> None:
    await street.arrive_days([DAY])
    await job_on(street.store)(night(NEXT))
    before = await shared(street)
    await tell(street, "h02", "silver")
    await job_on(street.store)(night(NEXT))
    assert await shared(street) == before
    assert await unproven(street) == []


async def test_another_meter_ends_it_from_its_first_slot_on(street: Street) -> None:
    await street.arrive_days([DAY])
    await tell(street, "h02", "bronze")
    await tell(street, "h02", "silver", from_slot=SLOTS.start + 40)
    (span,) = await street.store.unproven_meters()
    assert (span.first_slot, span.until) == (SLOTS.start, SLOTS.start + 40)
    held = await street.store.held_slots(slots=SLOTS)
    assert held.sum(axis=0).tolist() == [0, 40, 0, 0, 0, 0]


async def test_no_agent_frees_its_own_meter_by_a_later_notice(street: Street) -> None:
    await street.arrive_days([DAY])
    await tell(street, "h02", "bronze")
    await tell(street, "h02", "silver", told_at=start_of(SLOTS.start + 40))
    held = await street.store.held_slots(slots=SLOTS)
    assert held.sum(axis=0).tolist() == [0, 40, 0, 0, 0, 0]
    (span,) = await street.store.unproven_meters()
    assert (span.first_slot, span.until) == (SLOTS.start, SLOTS.start + 40)


async def test_a_bronze_meter_told_late_holds_the_day_again_and_the_board_reads_why(street: Street) -> None:
    await street.arrive_days([DAY])
    await job_on(street.store)(night(NEXT))
    assert "m02" in await shared(street)
    await street.arrive_days([NEXT])
    await tell(street, "h02", "bronze", told_at=start_of(SLOTS.stop + 40))
    await job_on(street.store)(night(NEXT + timedelta(days=1)))
    assert (await shared(street)).get("m02", 0) == 0
    (row,) = [each for each in await findings(street.store) if each.found.code == LATE_NOTICE]
    assert (row.found.home, row.day, dict(row.found.numbers)["days"]) == ("h02", NEXT.isoformat(), 1)
    assert (await check_books(street.store, KEY.public_key())).wrong == 0


async def test_a_home_that_says_another_netting_than_the_rule_is_told_once_and_holds_nothing(street: Street) -> None:
    await street.arrive_days([DAY, NEXT])
    agents = {each.home_id: each.id for each in await street.store.agents()}
    for home, says in SAID.items():
        notice = MeterNotice(agents[home], 1, SLOTS.start, "silver", "netted", "netted", False, "MID B", says)
        await street.store.note_meters([ReceivedNotice(notice, b"sealed", 1)])
    await job_on(street.store)(night(NEXT + timedelta(days=1)))
    (row,) = [each for each in await findings(street.store) if each.found.code == OTHER_NETTING]
    assert (row.found.home, row.day, row.is_waiting) == ("h02", DAY.isoformat(), False)
    assert row.found.sentence == "The home says that its grid operator nets within: 60min; the rulebook says: none."
    later = slots_of_day(NEXT + timedelta(days=1), COOP.tz)
    assert await meter_findings(street.store, later, rule=RULE, netting_of={}) == []
    found = await meter_findings(street.store, later, rule=replace(RULE, netting="15min"), netting_of={})
    again = [each for each in found if each.home == "h02"]
    assert [dict(each.numbers) for each in again] == [{"home_min": 60, "rule_min": 15}], "another rule, said again"
    assert "m02" in await shared(street)


async def test_a_home_is_compared_with_what_the_rule_says_of_it(tmp_path: Path) -> None:
    rule = replace(RULE, netting_of={"m02": "15min", "m03": "none"})
    street = await open_street(tmp_path, homes=6, rule=rule)
    await street.arrive_days([DAY])
    agents = {each.home_id: each.id for each in await street.store.agents()}
    says: dict[str, NettingTime] = {"h02": "15min", "h03": "15min", "h04": "15min"}
    for home, time in says.items():
        notice = MeterNotice(agents[home], 1, SLOTS.start, "silver", "netted", "netted", False, "MID B", time)
        await street.store.note_meters([ReceivedNotice(notice, b"sealed", 1)])
    await job_on(street.store)(night(NEXT))
    rows = [each.found for each in await findings(street.store) if each.found.code == OTHER_NETTING]
    assert {each.home: dict(each.numbers)["rule_min"] for each in rows} == {"h03": 0, "h04": 0}
    assert (await check_books(street.store, KEY.public_key())).wrong == 0
    await street.store.close()


async def test_the_same_notice_again_is_not_kept_twice(street: Street) -> None:
    await street.arrive_days([DAY])
    for _ in range(3):
        await tell(street, "h02", "bronze", from_slot=SLOTS.start)
    told = await street.store.told_meters()
    assert len(told) == 1
    assert uncertified_homes(told) == {"h02": "none"}


async def test_a_map_the_board_has_released_counts_while_a_bundle_has_bronze_maps(street: Street) -> None:
    await street.arrive_days([DAY])
    await tell(street, "h02", "released")
    assert len(await street.store.unproven_meters()) == 1, "the board has released nothing: its word alone is none"
    start_s = start_of(SLOTS.start)
    await put_release(street.store, 1, bronze=1, at=start_s)
    assert await street.store.unproven_meters() == ()
    await job_on(street.store)(night(NEXT))
    assert "m02" in await shared(street)
    assert await unproven(street) == []
    await tell(street, "h03", "bronze")
    assert [span.meter.home for span in await street.store.unproven_meters()] == ["h03"], "and no other map"
    await put_release(street.store, 2, bronze=0, at=start_s + 40 * 900)
    spans = {span.meter.home: span for span in await street.store.unproven_meters()}
    assert (spans["h02"].first_slot, spans["h02"].until) == (SLOTS.start + 41, None), "what was released stays so"
    await tell(street, "h02", "bronze", from_slot=SLOTS.start + 43)
    (span,) = [each for each in await street.store.unproven_meters() if each.meter.home == "h02"]
    assert (span.first_slot, span.until) == (SLOTS.start + 41, None), "one matter, from the withdrawal on"


async def put_release(store: SqliteStore, serial: int, *, bronze: int, at: int) -> None:
    number = await store.propose_maps([], by="m01", at=at)
    await store.set_board("m02", is_board=True)
    await store.release_maps(MapRelease(serial, number, bronze, b"bundle", "m02", at))
