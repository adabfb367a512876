"""A meter that restarts shows 0 everywhere for a moment: no power that says nothing flowed meanwhile."""

import pytest

from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, Sample
from protocols.quantities import Measure
from protocols.slots import SLOT_S, start_of

PLACE, FIRST = MeasuringPoint("it", "grid", 15_000), 2_000_000
BEGINS_WH = 1_234_567


def shown(at_s: int, power_w: int, *, awake_s: tuple[int, int]) -> Sample | None:
    """300 W, and `power_w` from the moment on at which it goes down; it is silent at first and then shows 0."""
    off_s, up_s = awake_s
    true_wh = BEGINS_WH + (300 * min(at_s, off_s) + power_w * max(0, at_s - off_s)) // 3600
    if off_s <= at_s < off_s + 120:
        return None
    is_zero = off_s <= at_s < up_s
    counters = {"import_wh": 0 if is_zero else true_wh, "export_wh": 0 if is_zero else 5000}
    return Sample(start_of(FIRST) + at_s, counters, 0 if is_zero else power_w if at_s >= off_s else 300)


@pytest.mark.parametrize("power_w", [300, 1500, 2600, 6000])
@pytest.mark.parametrize("off_s", [4 * SLOT_S, 4 * SLOT_S + 300])
def test_what_the_counter_knows_is_told_after_a_start_from_0(off_s: int, power_w: int) -> None:
    meter = HomeMeter([PLACE], next_slot=FIRST, longest_hole_s=300)
    told_wh, slots = 0, 16
    for at_s in range(0, slots * SLOT_S + 1, 60):
        if (sample := shown(at_s, power_w, awake_s=(off_s, off_s + 320))) is not None:
            meter.add_sample(PLACE, sample)
        if at_s == 0:
            meter.open(PLACE)
        elif at_s % SLOT_S == 0:
            meter.close(PLACE)
        while found := meter.next_closed_slot():
            told_wh += found[0].values[Measure.GRID_IMPORT].energy_wh or 0
            told_wh += sum(each.energy_wh for each in found[0].long_intervals if each.measure is Measure.GRID_IMPORT)
    flowed_wh = (300 * off_s + power_w * (slots * SLOT_S - off_s)) / 3600
    assert told_wh == pytest.approx(flowed_wh, abs=3)
