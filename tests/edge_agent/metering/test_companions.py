"""What the two registers of one device say of each other: while one stays itself, the other is not exchanged."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.metering.companions import compare_registers
from edge_agent.metering.counter_records import CounterLimits, CounterReading
from edge_agent.metering.counters import CounterMeter
from edge_agent.metering.home_meter import read_checkpoint
from edge_agent.metering.witness import CLOUDED_WH, HIDDEN_W, WOBBLE_WH, WitnessMark
from tests.edge_agent.metering.test_excursions import T0, Home

OFF_FROM, OFF_TO, RESTARTED = 20, 62, 71


def restarted_after(off_wh: int, others: tuple[int | None, int | None, int | None], *, back_wh: int = 0) -> Home:
    """Import at 1.2 kW is off for 42 minutes; the agent restarts 9 minutes later and knows only that it was off.

    `others`: what the export register shows before, meanwhile and after. `back_wh`: what import is off by after.
    """
    home = Home()
    for minute in range(91):
        if minute == RESTARTED:
            home.restart()
        part = 0 if minute < OFF_FROM else 1 if minute < OFF_TO else 2
        shown_wh = 400_000 + 20 * minute + (0, off_wh, back_wh)[part]
        home.read(minute, 1200 + 3 * (minute % 2), import_wh=shown_wh, export_wh=others[part])
    return home


@pytest.mark.parametrize("off_wh", [-700, -390_000, 600_000])
@pytest.mark.parametrize("meanwhile_wh", [40_000, 39_300, None])
def test_a_register_that_is_back_keeps_its_total_where_the_other_is_the_very_one(
    off_wh: int, meanwhile_wh: int | None
) -> None:
    """Lost before: 220 Wh flowed between the last checkpoint and the restart, in which a third one may have come."""
    home = restarted_after(off_wh, (40_000, meanwhile_wh, 40_000))
    assert home.totals() == [(1, 4, 1200)]
    assert home.told()[-1] == 300


@pytest.mark.parametrize(
    ("before_wh", "after_wh"), [(0, 0), (100, 100), (40_000, 40_030), (40_000, 39_900), (None, 40_000), (40_000, None)]
)
def test_where_the_other_register_says_nothing_or_is_another_there_is_no_total(
    before_wh: int | None, after_wh: int | None
) -> None:
    """The same readings of import may be of a third meter, whose energy in that time nobody knows."""
    home = restarted_after(-390_000, (before_wh, 300, after_wh), back_wh=90)
    assert home.totals() == []
    assert home.told()[-1] == 300, "it is followed from then on"


@given(
    others=st.tuples(st.integers(200, 900_000), st.integers(0, 900_000), st.integers(200, 900_000)),
    off_wh=st.integers(-399_000, 500_000).filter(lambda off_wh: abs(off_wh) > 500),
    back_wh=st.integers(-300, 2000),
)
@settings(max_examples=40, deadline=None)
def test_no_total_over_two_exchanges_is_more_than_the_power_around_may_have_made(
    others: tuple[int, int, int], off_wh: int, back_wh: int
) -> None:
    """Whatever three devices show, as long as the third one's other register is not by chance the first one's."""
    before_wh, meanwhile_wh, after_wh = others
    after_wh += 7 * (abs(after_wh - before_wh) <= 1 + WOBBLE_WH)
    home = restarted_after(off_wh, (before_wh, meanwhile_wh, after_wh), back_wh=back_wh)
    assert all(energy_wh <= 1.1 * 1200 + CLOUDED_WH + HIDDEN_W // 60 for *_, energy_wh in home.totals())


def test_what_the_other_register_showed_is_kept_over_a_restart() -> None:
    home = Home("battery")
    for minute in range(31):
        home.read(minute, 900, charge_wh=(12_000_000 if minute < 16 else 17) + 15 * minute, discharge_wh=7_000)
    base = read_checkpoint(home.kept)[1]["it/battery/charge_wh"]
    assert base.memory is not None
    assert base.memory.reference.other_wh == 7_000


def test_a_coarser_register_is_not_shown_to_a_finer_one() -> None:
    """It stands at the same kilowatt-hour for a day, whichever device it is in."""
    fine, coarse = CounterMeter(CounterLimits(15_000, 1)), CounterMeter(CounterLimits(15_000, 1000))
    meters, shown = {"import_wh": fine, "export_wh": coarse}, {"import_wh": 5_000, "export_wh": 40_000}
    compare_registers(meters, shown)
    for name, meter in meters.items():
        meter.add_reading(float(T0), shown[name])
    assert fine.known.reference == CounterReading(float(T0), 5_000, WitnessMark(), None)
    assert coarse.known.reference == CounterReading(float(T0), 40_000, WitnessMark(), 5_000)
