"""Street totals are published once: consents, late readings and restarts change nothing that was shown."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from hub.core.neighbourhood import MEASURES
from hub.core.rules.group_size import LEAST_HOMES
from hub.forecasts.street_totals import GRID, LATE_SLOTS, StreetService, StreetTotalsJob
from hub.storage.records import ReadingRow
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, default_consent, encode_consent, sort_rules
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slots_of_day
from tests.hub.settled_street import COOP, Street, energy_wh, open_street

MAKERS = 6
DAY = slots_of_day(date(2026, 6, 12), COOP.tz)
NOON = DAY.start + 48


def pv_wh(number: int, slot: int) -> int:
    return 400 + number * 7 + slot % 50 if number <= MAKERS else 0


async def send(
    street: Street,
    numbers: Iterable[int],
    slots: range,
    *,
    sharing: bool | None = None,
    measures: tuple[Measure, ...] = (),
) -> None:
    """Quarter hours of these homes, each in one message; with `sharing`, the last one carries that consent."""
    messages = []
    for number in numbers:
        for slot in slots:
            message = street.message(number, slot)
            usual = {Measure.PV_PRODUCTION: pv_wh(number, slot)} if number <= MAKERS else {}
            for measure, wh in street.made.get((number, slot), usual).items():
                row = ReadingRow(f"h{number:02d}", measure, slot, 1, wh, Mark.MEASURED, Gap.NONE)
                message = replace(message, readings=(*message.readings, row))
            if sharing is not None and slot == slots[-1]:
                message = replace(
                    message,
                    consent=encode_consent(consent_of(number, sharing, measures)),
                    consent_version=message.seq + 1,
                )
            messages.append(message)
    await street.store.store_messages(messages)


def consent_of(number: int, sharing: bool, measures: tuple[Measure, ...] = ()) -> ConsentSet:
    known = default_consent(f"h{number:02d}")
    rule = ConsentRule("forecast.hood", measures or MEASURES, Resolution.PT15M, 0, None)
    return replace(known, rules=sort_rules((*known.rules, rule))) if sharing else known


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    """Twelve homes that share, of which six make power; their yesterday and this morning have arrived."""
    street = await open_street(tmp_path, homes=12)
    await send(street, range(1, 13), range(DAY.start - 96, NOON), sharing=True)
    yield street
    await street.store.close()


async def shown(street: Street, now: int) -> dict[int, tuple[int, int, int]]:
    """What a member who looks now sees, by slot; each look is a hub that was started again."""
    service = StreetService(street.store, tz=COOP.tz)
    totals = await service.totals(range(DAY.start - 96, now), now_slot=now)
    return {slot: (row.sun_wh, row.used_wh, len(row.homes)) for slot, row in totals.by_slot.items()}


async def test_what_only_a_few_homes_store_is_named_as_part_of_the_use(street: Street) -> None:
    service = StreetService(street.store, tz=COOP.tz)
    assert (await service.totals(range(DAY.start, NOON), now_slot=NOON)).in_use == frozenset()
    street.made[1, NOON] = {Measure.PV_PRODUCTION: 400, Measure.BATTERY_CHARGE: 50}
    await send(street, range(1, 13), range(NOON, NOON + 1))
    totals = await service.totals(range(DAY.start, NOON + 1), now_slot=NOON + 1)
    assert totals.in_use == {Measure.BATTERY_CHARGE}


async def test_a_whole_street_is_published_as_it_is(street: Street) -> None:
    seen = await shown(street, NOON)
    assert set(seen) == set(range(DAY.start - 96, NOON))
    made = sum(pv_wh(n, NOON - 1) for n in range(1, 13))
    used = made + sum(energy_wh(n, NOON - 1)[0] - energy_wh(n, NOON - 1)[1] for n in range(1, 13))
    assert seen[NOON - 1] == (made, used, 12)


@pytest.mark.parametrize("sharing", [False, True])
async def test_a_consent_given_or_withdrawn_changes_no_past_total(street: Street, sharing: bool) -> None:
    if sharing:
        await send(street, [7], range(NOON - 1, NOON), sharing=False)
    before = await shown(street, NOON)
    await send(street, range(1, 13), range(NOON, NOON + 8), sharing=None)
    await send(street, [7], range(NOON + 8, NOON + 9), sharing=sharing)
    after = await shown(street, NOON + 9)
    assert {slot: after[slot] for slot in before} == before


async def test_within_a_day_the_group_changes_by_five(street: Street) -> None:
    before = await shown(street, NOON)
    await send(street, range(1, 13), range(NOON, NOON + 1))
    await send(street, [7], range(NOON + 1, NOON + 2), sharing=False)
    await send(street, [n for n in range(1, 13) if n != 7], range(NOON + 1, NOON + 10))
    after = await shown(street, NOON + 10)
    assert {after[slot][2] for slot in before} == {12}
    later = {after[slot][2] for slot in after if slot > NOON + 1}
    assert later == {12 - LEAST_HOMES}


async def test_a_backlog_changes_no_past_total(street: Street) -> None:
    late = range(NOON, NOON + 8)
    await send(street, [n for n in range(1, 13) if n != 3], late)
    before = await shown(street, NOON + 8)
    assert set(before) >= set(range(NOON, NOON + 8 - LATE_SLOTS))
    assert {before[slot][2] for slot in before if slot >= NOON} == {12 - 1 - LEAST_HOMES}
    await send(street, [3], late)
    after = await shown(street, NOON + 8)
    assert {slot: after[slot] for slot in before} == before


async def test_a_total_without_some_homes_is_scaled_to_all(street: Street) -> None:
    await send(street, [n for n in range(1, 13) if n != 12], range(NOON, NOON + 8))
    row = (await shown(street, NOON + 8))[NOON]
    made = sum(pv_wh(n, NOON) for n in range(1, MAKERS + 1))
    assert row[0] == made
    assert row[2] == 12 - 1 - LEAST_HOMES  # the late one may still be settled, so five others are left out


async def test_production_that_homes_keep_to_themselves_hides_nobody(tmp_path: Path) -> None:
    """Six homes make power and send it; only one of them lets it into the totals, which would then be its own."""
    street = await open_street(tmp_path, homes=12)
    slots = range(NOON, NOON + 2)
    try:
        await send(street, range(1, 13), slots, sharing=True)
        await send(street, range(2, MAKERS + 1), range(slots.stop, slots.stop + 1), measures=GRID, sharing=True)
        await send(street, [1, *range(MAKERS + 1, 13)], range(slots.stop, slots.stop + 1))
        service = StreetService(street.store, tz=COOP.tz)
        totals = await service.totals(range(slots.start, slots.stop + 1), now_slot=slots.stop + 1)
    finally:
        await street.store.close()
    assert totals.makers == {"h01"}
    assert not totals.by_slot
    assert Measure.PV_PRODUCTION not in totals.sources


@pytest.mark.parametrize("owners", [0, 1, LEAST_HOMES - 1, LEAST_HOMES])
async def test_use_less_what_was_made_shows_the_batteries_of_five_homes_or_none(street: Street, owners: int) -> None:
    """The settlement publishes the sums of what all homes drew and fed in: the rest of the use is the batteries'."""
    await send(street, range(owners + 1, 13), range(NOON, NOON + 1))
    for number in range(1, owners + 1):
        message = street.message(number, NOON)
        numbers = {
            Measure.BATTERY_CHARGE: 0,
            Measure.BATTERY_DISCHARGE: 300 + number,
            Measure.PV_PRODUCTION: pv_wh(number, NOON),
        }
        rows = (ReadingRow(f"h{number:02d}", m, NOON, 1, wh, Mark.MEASURED, Gap.NONE) for m, wh in numbers.items())
        await street.store.store_messages([replace(message, readings=(*message.readings, *rows))])
    made, used, homes = (await shown(street, NOON + 1))[NOON]
    drawn = sum(energy_wh(n, NOON)[0] - energy_wh(n, NOON)[1] for n in range(1, 13))
    batteries = sum(300 + n for n in range(1, owners + 1))
    assert homes == 12
    assert used - made - drawn == (batteries if owners >= LEAST_HOMES else 0)


async def send_wind(street: Street, number: int, slot: int, wind: int, grid: tuple[int, int]) -> None:
    """One quarter hour of this home by night, with what its turbine makes if it has one."""
    street.values[number, slot] = grid
    message = street.message(number, slot)
    made = {Measure.PV_PRODUCTION: 0} if number <= MAKERS else {}
    made |= {Measure.WIND_PRODUCTION: wind} if wind else {}
    rows = (ReadingRow(f"h{number:02d}", m, slot, 1, wh, Mark.MEASURED, Gap.NONE) for m, wh in made.items())
    await street.store.store_messages([replace(message, readings=(*message.readings, *rows))])


@pytest.mark.parametrize("turbines", [1, LEAST_HOMES - 1, LEAST_HOMES])
async def test_the_wind_of_one_to_four_homes_is_left_in_the_use(street: Street, turbines: int) -> None:
    """By night nothing else is made: the sum would be theirs. What they make beyond the street's use counts as wind."""
    calm, windy = NOON, NOON + 1
    for slot, fed_in in ((calm, 0), (windy, 5_000)):
        for number in range(1, 13):
            has_turbine = number <= turbines
            grid = (0, fed_in) if has_turbine else (200, 0)
            await send_wind(street, number, slot, 300 + fed_in if has_turbine else 0, grid)
    seen = await StreetService(street.store, tz=COOP.tz).totals(range(DAY.start - 96, windy + 1), now_slot=windy + 5)
    found = [(seen.by_slot[slot].wind_wh, seen.by_slot[slot].used_wh) for slot in (calm, windy)]
    drawn, fed_in = 200 * (12 - turbines), 5_000 * turbines
    if turbines < LEAST_HOMES:
        assert found == [(0, drawn), (fed_in - drawn, 0)]
        assert Measure.WIND_PRODUCTION not in seen.sources
    else:
        assert found == [(300 * turbines, drawn + 300 * turbines), (300 * turbines + fed_in, drawn + 300 * turbines)]


async def test_the_night_of_a_few_turbines_is_not_shown_where_few_homes_have_roofs_too(tmp_path: Path) -> None:
    """Six homes make power, so the street has a total; by night it would be the three turbines'."""
    street = await open_street(tmp_path, homes=12)
    night, windy_day = DAY.start + 4, NOON
    for slot in DAY:
        for number in range(1, 13):
            roof, turbine = {Measure.PV_PRODUCTION: 0}, {Measure.WIND_PRODUCTION: 300 + number}
            if slot >= NOON:
                roof = {Measure.PV_PRODUCTION: 400 + number}
            street.made[number, slot] = roof if number <= 3 else turbine if number <= 6 else {}
    try:
        await send(street, range(1, 13), range(DAY.start, NOON + 4), sharing=True)
        service = StreetService(street.store, tz=COOP.tz)
        seen = (await service.totals(range(DAY.start, NOON + 4), now_slot=NOON + 8)).by_slot
    finally:
        await street.store.close()
    assert night not in seen
    assert seen[windy_day].sun_wh + seen[windy_day].wind_wh == 1206 + 915


@pytest.mark.parametrize(("grid", "is_shown"), [((90_000, 0), False), ((900, 0), True)])
async def test_a_total_that_is_nearly_one_homes_is_not_published(
    street: Street, grid: tuple[int, int], is_shown: bool
) -> None:
    street.values[12, NOON] = grid
    await send(street, range(1, 13), range(NOON, NOON + 2))
    seen = await shown(street, NOON + 2)
    assert (NOON in seen, NOON + 1 in seen) == (is_shown, True)


async def test_a_small_street_waits_for_its_last_home(tmp_path: Path) -> None:
    street = await open_street(tmp_path, homes=8)
    try:
        await send(street, range(1, 9), range(DAY.start - 96, NOON), sharing=True)
        await send(street, range(1, 8), range(NOON, NOON + 8))
        before = await shown(street, NOON + 8)
        assert set(before) == set(range(DAY.start - 96, NOON))
        await send(street, [8], range(NOON, NOON + 8))
        after = await shown(street, NOON + 8)
        assert set(after) == set(range(DAY.start - 96, NOON + 8))
    finally:
        await street.store.close()


async def test_a_day_begins_with_the_consents_of_its_morning(street: Street) -> None:
    await shown(street, NOON)
    tomorrow = DAY.stop
    await send(street, range(1, 13), range(NOON, tomorrow + 8))
    await send(street, range(8, 13), range(tomorrow + 8, tomorrow + 9), sharing=False)
    await send(street, range(1, 8), range(tomorrow + 8, tomorrow + 9))
    service = StreetService(street.store, tz=COOP.tz)
    totals = await service.totals(range(tomorrow, tomorrow + 9), now_slot=tomorrow + 9)
    assert totals.homes == {f"h{n:02d}" for n in range(1, 8)}
    assert {len(row.homes) for row in totals.by_slot.values()} == {7}


async def test_use_is_right_when_only_homes_without_production_are_left_out(street: Street) -> None:
    slots = range(NOON, NOON + 3)
    await send(street, range(1, 8), slots)  # the six makers and one more: five homes without production are silent
    now = slots.stop + LATE_SLOTS
    totals = await StreetService(street.store, tz=COOP.tz).totals(range(DAY.start - 96, now), now_slot=now)
    for slot in slots:
        row = totals.by_slot[slot]
        assert len(row.homes) == 7
        made = sum(pv_wh(n, slot) for n in range(1, 8))
        used = made + sum(energy_wh(n, slot)[0] - energy_wh(n, slot)[1] for n in range(1, 8))
        assert row.sun_wh == made
        assert row.used_wh == round(used * 12 / 7)


async def test_totals_are_published_each_hour_though_nobody_looks(street: Street) -> None:
    await StreetTotalsJob(StreetService(street.store, tz=COOP.tz))(NOON * 900 + 600)
    assert set(await street.store.street_totals(slots=range(DAY.start - 96, NOON))) == set(range(DAY.start - 96, NOON))
