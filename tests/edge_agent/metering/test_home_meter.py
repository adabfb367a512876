"""The home's meter: places that close on their own, sums over devices, what survives a restart."""

from decimal import Decimal

import pytest

from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.home_meter import ClosedSlot, HomeMeter, MeasuringPoint, Sample, read_checkpoint, sample_of
from protocols.consent.reduction import SlotValue
from protocols.maps.roles import RoleReading
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import start_of
from protocols.wire.readings import LongInterval

FIRST = 2_000_000
GRID = MeasuringPoint("meter", "grid", 15_000)
EAST, WEST = MeasuringPoint("east", "pv", 5_000), MeasuringPoint("west", "pv", 5_000)


def boundary(metering: HomeMeter, slot: int, place: MeasuringPoint, **counters: int) -> None:
    """A good reading at the beginning of `slot`, which ends the slot before or begins the first."""
    assert metering.add_sample(place, Sample(start_of(slot), counters)) is ReadingVerdict.GOOD
    if metering.next_of(place) == slot:
        metering.open(place)
    else:
        metering.close(place)


def finished(metering: HomeMeter) -> ClosedSlot:
    found = metering.next_closed_slot()
    assert found is not None
    return found[0]


def test_import_and_export_of_a_meter() -> None:
    metering = HomeMeter([GRID], next_slot=FIRST, longest_hole_s=300)
    boundary(metering, FIRST, GRID, import_wh=1000, export_wh=50)
    assert metering.next_closed_slot() is None
    boundary(metering, FIRST + 1, GRID, import_wh=1100, export_wh=55)
    closed = finished(metering)
    assert closed.slot == FIRST
    assert closed.values == {
        Measure.GRID_IMPORT: SlotValue(100, Mark.DERIVED),
        Measure.GRID_EXPORT: SlotValue(5, Mark.MEASURED),
    }


def test_a_slot_waits_for_its_slowest_place_while_others_go_on() -> None:
    metering = HomeMeter([GRID, EAST], next_slot=FIRST, longest_hole_s=300)
    for place, counter in ((GRID, "import_wh"), (EAST, "production_wh")):
        boundary(metering, FIRST, place, **{counter: 100})
    boundary(metering, FIRST + 1, GRID, import_wh=110)
    boundary(metering, FIRST + 2, GRID, import_wh=150)
    assert metering.next_closed_slot() is None
    boundary(metering, FIRST + 1, EAST, production_wh=107)
    found = metering.next_closed_slot()
    assert found is not None
    closed, checkpoint = found
    assert closed.values[Measure.GRID_IMPORT].energy_wh == 10
    assert closed.values[Measure.PV_PRODUCTION].energy_wh == 7
    next_slot, bases = read_checkpoint(checkpoint)
    assert next_slot == FIRST + 1
    assert bases["meter/grid/import_wh"].counter_wh == 110, "the checkpoint is of the slot that was handed out"


def test_two_inverters_are_one_measure_and_one_silent_makes_it_missing() -> None:
    metering = HomeMeter([EAST, WEST], next_slot=FIRST, longest_hole_s=300)
    for place in (EAST, WEST):
        boundary(metering, FIRST, place, production_wh=1000)
    boundary(metering, FIRST + 1, EAST, production_wh=1010)
    boundary(metering, FIRST + 1, WEST, production_wh=1020)
    assert finished(metering).values[Measure.PV_PRODUCTION] == SlotValue(30, Mark.MEASURED)
    for slot in (FIRST + 2, FIRST + 3):
        boundary(metering, slot, EAST, production_wh=1010 + 10 * (slot - FIRST - 1))
        metering.close(WEST, Gap.DEVICE_SILENT)
        closed = finished(metering)
        assert closed.values[Measure.PV_PRODUCTION] == SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT)
        assert closed.long_intervals == ()
    boundary(metering, FIRST + 4, EAST, production_wh=1040)
    boundary(metering, FIRST + 4, WEST, production_wh=1080)
    closed = finished(metering)
    assert closed.long_intervals == (LongInterval(Measure.PV_PRODUCTION, FIRST + 1, 3, 90),)
    boundary(metering, FIRST + 5, EAST, production_wh=1041)
    boundary(metering, FIRST + 5, WEST, production_wh=1081)
    assert finished(metering).values[Measure.PV_PRODUCTION] == SlotValue(2, Mark.DERIVED)


def test_a_restart_gives_the_slots_between_as_off_and_the_total_over_them() -> None:
    first = HomeMeter([GRID], next_slot=FIRST, longest_hole_s=300)
    boundary(first, FIRST, GRID, import_wh=1000)
    boundary(first, FIRST + 1, GRID, import_wh=1100)
    found = first.next_closed_slot()
    assert found is not None
    next_slot, bases = read_checkpoint(found[1])
    again = HomeMeter([GRID], next_slot=next_slot, longest_hole_s=300, bases=bases)
    again.close(GRID, Gap.AGENT_OFF)
    assert finished(again).values[Measure.GRID_IMPORT] == SlotValue(None, Mark.MISSING, Gap.AGENT_OFF)
    boundary(again, FIRST + 3, GRID, import_wh=1500)
    closed = finished(again)
    assert closed.values[Measure.GRID_IMPORT].energy_wh is None
    assert closed.long_intervals == (LongInterval(Measure.GRID_IMPORT, FIRST + 1, 2, 400),)


def test_a_restart_within_a_slot_loses_nothing() -> None:
    first = HomeMeter([GRID], next_slot=FIRST, longest_hole_s=300)
    boundary(first, FIRST, GRID, import_wh=1000)
    boundary(first, FIRST + 1, GRID, import_wh=1100)
    found = first.next_closed_slot()
    assert found is not None
    again = HomeMeter([GRID], next_slot=FIRST + 1, longest_hole_s=300, bases=read_checkpoint(found[1])[1])
    boundary(again, FIRST + 2, GRID, import_wh=1234)
    assert finished(again).values[Measure.GRID_IMPORT] == SlotValue(134, Mark.DERIVED)


def test_a_place_that_never_answered_is_a_gap_with_a_reason() -> None:
    metering = HomeMeter([EAST], next_slot=FIRST, longest_hole_s=300)
    metering.close(EAST, Gap.DEVICE_SILENT)
    assert finished(metering).values == {Measure.PV_PRODUCTION: SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT)}


def test_wind_without_a_counter_is_derived_from_power() -> None:
    wind = MeasuringPoint("turbine", "wind", 5_000)
    metering = HomeMeter([wind], next_slot=FIRST, longest_hole_s=450)
    for at in range(4):
        metering.add_sample(wind, Sample(start_of(FIRST) + at * 300, {}, power_w=1200))
        if at == 0:
            metering.open(wind)
    metering.close(wind)
    assert finished(metering).values == {Measure.WIND_PRODUCTION: SlotValue(300, Mark.DERIVED)}


def test_a_reading_becomes_whole_numbers_by_floor() -> None:
    reading = RoleReading(
        "grid",
        import_wh=Decimal("123.999"),
        power_w=Decimal("-17.5"),
        steps_wh={"import_wh": Decimal("0.01"), "export_wh": Decimal(10)},
        wraps_wh={"import_wh": Decimal(2**32)},
    )
    sample = sample_of(reading, 5.0, ("import_wh", "export_wh"))
    assert sample.counters_wh == {"import_wh": 123, "export_wh": None}
    assert sample.power_w == -18
    assert sample.steps_wh == {"import_wh": 1, "export_wh": 10}
    assert sample.wraps_wh == {"import_wh": 2**32}


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"next_slot": 1, "bases": {"a": [1]}}', b"null"])
def test_a_damaged_checkpoint_is_said_to_be_one(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_checkpoint(text)


def wind_slot(*readings_w: int, every_s: int = 60) -> tuple[SlotValue, list[ReadingVerdict]]:
    """What a turbine of 1,500 W without a counter produced in one slot, read once a minute."""
    wind = MeasuringPoint("turbine", "wind", 1_500)
    metering = HomeMeter([wind], next_slot=FIRST, longest_hole_s=300)
    verdicts = []
    for minute, power_w in enumerate(readings_w):
        verdicts.append(metering.add_sample(wind, Sample(start_of(FIRST) + minute * every_s, {}, power_w)))
        if minute == 0:
            metering.open(wind)
    metering.close(wind, Gap.NONE)
    return finished(metering).values[Measure.WIND_PRODUCTION], verdicts


def test_a_power_no_turbine_has_becomes_no_energy() -> None:
    usual, _ = wind_slot(*[400] * 16)
    glitch, verdicts = wind_slot(*[400] * 5, 65_535, *[400] * 10)
    assert usual == glitch == SlotValue(100, Mark.DERIVED)
    assert verdicts[5] is ReadingVerdict.SUSPECT
    assert verdicts.count(ReadingVerdict.GOOD) == 15


@pytest.mark.parametrize("power_w", [1_500, 1_600, 1_650, 1_651, 65_535, 2**31])
def test_the_integral_is_never_more_than_the_nameplate_allows(power_w: int) -> None:
    value, _ = wind_slot(1_000, *[power_w] * 14, 1_000)
    assert (value.energy_wh or 0) <= 375


def test_a_feed_in_is_bounded_as_well() -> None:
    assert [GRID.bounded_w(power_w) for power_w in (-15_000, -16_500, -16_501, 16_501, None)] == [
        -15_000, -15_000, None, None, None,
    ]  # fmt: skip
