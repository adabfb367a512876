"""Energy out of power: the trapezoid rule in whole numbers, holes left open."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.metering.counters import ClosedCounterSlot
from edge_agent.metering.integration import PowerMeter
from protocols.quantities import Gap, Mark


def begun(power_w: int, at_s: float = 0) -> PowerMeter:
    meter = PowerMeter(300)
    meter.add_sample(at_s, power_w)
    meter.open()
    return meter


def energies(closed: tuple[ClosedCounterSlot, ClosedCounterSlot] | None) -> tuple[int | None, int | None]:
    assert closed is not None
    return closed[0].energy_wh, closed[1].energy_wh


def test_constant_power_gives_its_energy_marked_derived() -> None:
    meter = begun(1200)
    for at in range(60, 901, 60):
        meter.add_sample(at, 1200)
    closed = meter.close(Gap.NONE)
    assert closed == (ClosedCounterSlot(300, Mark.DERIVED, Gap.NONE), ClosedCounterSlot(0, Mark.DERIVED, Gap.NONE))


def test_nothing_is_told_before_the_first_boundary() -> None:
    meter = PowerMeter(300)
    meter.add_sample(500, 1000)
    meter.add_sample(700, 1000)
    assert meter.close(Gap.DEVICE_SILENT) is None
    meter.add_sample(900, 1000)
    assert meter.close(Gap.NONE) is None
    for at in (1200, 1500, 1800):
        meter.add_sample(at, 1000)
    assert energies(meter.close(Gap.NONE)) == (250, 0)


def test_a_hole_is_not_filled_and_makes_the_slot_partial() -> None:
    meter = begun(3600)
    meter.add_sample(300, 3600)
    meter.add_sample(900, 3600)
    closed = meter.close(Gap.NONE)
    assert closed is not None
    assert closed[0] == ClosedCounterSlot(300, Mark.PARTIAL, Gap.DEVICE_SILENT)


def test_silence_is_missing_not_zero() -> None:
    meter = begun(3600)
    closed = meter.close(Gap.DEVICE_REFUSED)
    assert closed is not None
    assert closed[0] == ClosedCounterSlot(None, Mark.MISSING, Gap.DEVICE_REFUSED)


def test_import_and_export_are_split_where_power_crosses_zero() -> None:
    meter = PowerMeter(900)
    meter.add_sample(0, 4000)
    meter.open()
    meter.add_sample(900, -4000)
    assert energies(meter.close(Gap.NONE)) == (250, 250)


@given(st.lists(st.integers(0, 20_000), min_size=6, max_size=60))
def test_slots_add_up_to_the_whole_integral(powers: list[int]) -> None:
    meter = begun(0)
    told, area = 0, 0
    last = 0
    for at, power in enumerate(powers, 1):
        meter.add_sample(at * 300, power)
        area += (last + power) * 300
        last = power
        if at % 3 == 0:
            told += energies(meter.close(Gap.NONE))[0] or 0
    whole = sum((a + b) * 300 for a, b in zip([0, *powers], powers[: len(powers) // 3 * 3], strict=False))
    assert told == whole // 7200
