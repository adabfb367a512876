"""A device whose values are wrong, read by the agent: what is told as measured is what flowed, the rest is flagged.

The simulator shows the faults, the agent's reader and meter read them, and the street's physics knows the truth.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf

import pytest

from edge_agent.devices.reader import Readout
from edge_agent.metering.home_meter import ClosedSlot, HomeMeter
from protocols.maps.model import RoleName
from protocols.maps.prepared.decoding import RepeatedDecoding
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOT_S, slot_of
from simulator.commands.device import home_of_family
from simulator.devices.faults import VALUE_FAULTS, Fault, FaultScript
from simulator.devices.image import DeviceImage
from simulator.world.families import family_map
from simulator.world.street import Street
from tests.edge_agent.devices.scans import Recorder
from tests.edge_agent.devices.test_reader import device
from tests.simulator.conftest import FIRST_DAY, NOON_S

STREET = Street(seed=7, homes=12, first_day=FIRST_DAY)
FAMILIES: Mapping[str, RoleName] = {
    "carlo-gavazzi-em24": "grid", "sunspec-meter": "grid", "sofar-ktl-x": "pv", "eastron-sdm630": "grid",
}  # fmt: skip
"""Counters in tenths of a kWh, with a scale factor and a known end, in whole kWh, and floats, which have no end."""

FLOWS = {Measure.GRID_IMPORT: "import", Measure.GRID_EXPORT: "export", Measure.PV_PRODUCTION: "output"}
POLL_S, SLOTS = 60, 7
BEGINS_S, ENDS_S = SLOT_S + 420, 4 * SLOT_S + 300
INSIDE, AFTER = (2, 3), (5, 6)
"""The fault begins in the second quarter hour and ends in the fifth."""


@dataclass(frozen=True)
class Told:
    """What a meter told of one device. `shown_wh`: the counters at each reading."""

    closed: list[ClosedSlot]
    step_wh: int
    home: str
    shown_wh: list[Mapping[str, int | None]]

    def flowed_wh(self, measure: Measure, first: int = 0, slots: int = SLOTS) -> float:
        counted, begin_s = STREET.physics(self.home).counted_ws, NOON_S + first * SLOT_S
        return (counted(FLOWS[measure], begin_s + slots * SLOT_S) - counted(FLOWS[measure], begin_s)) / 3600

    def marks(self, measure: Measure, slots: Iterable[int]) -> set[Mark]:
        return {self.closed[each].values[measure].mark for each in slots}


async def told_of(family: str, kind: str, from_s: float = BEGINS_S, to_s: float = ENDS_S) -> Told:
    device_map = family_map(family)
    home, unit = home_of_family(STREET, device_map)
    mine = replace(unit, families=(family,))
    fault = Fault(home.id, mine.link, mine.unit, kind, NOON_S + from_s, NOON_S + to_s)  # type: ignore[arg-type]
    image = DeviceImage(
        mine, home, physics=STREET.physics(home.id), seed=7, step_s=POLL_S, disturbance=FaultScript([fault]),
        device_map=device_map,
    )  # fmt: skip
    under_test = device(family, FAMILIES[family], device_map=device_map)
    await under_test.read(Recorder(dict(image.words(NOON_S))))  # type: ignore[arg-type]
    (place,) = under_test.places
    meter = HomeMeter([place], next_slot=slot_of(NOON_S), longest_hole_s=300)
    closed: list[ClosedSlot] = []
    shown: list[Mapping[str, int | None]] = []
    step_wh = 1
    for at_s in range(NOON_S, NOON_S + SLOTS * SLOT_S + 1, POLL_S):
        words = dict(image.words(at_s))
        sample = under_test.samples(Readout(words, RepeatedDecoding(under_test.resolved, words)), at_s)[place]
        step_wh = max(step_wh, *sample.steps_wh.values(), 1)
        shown.append(sample.counters_wh)
        meter.add_sample(place, sample)
        if at_s == NOON_S:
            meter.open(place)
        elif at_s % SLOT_S == 0:
            meter.close(place)
            closed += [found[0] for found in iter(meter.next_closed_slot, None)]
    return Told(closed, step_wh, home.id, shown)


def check_told(told: Told) -> None:
    """Measured is what flowed; no value is negative; all that was told together is no more than what flowed."""
    for measure in told.closed[0].values:
        sum_wh = sum(each.energy_wh for slot in told.closed for each in slot.long_intervals if each.measure is measure)
        for at, slot in enumerate(told.closed):
            value = slot.values[measure]
            if value.mark is Mark.MEASURED:
                assert value.energy_wh == pytest.approx(told.flowed_wh(measure, at, 1), abs=2 * told.step_wh), at
            if value.mark is Mark.MISSING:
                assert value.gap is not Gap.NONE
            assert (value.energy_wh or 0) >= 0
            sum_wh += value.energy_wh or 0
        assert sum_wh <= told.flowed_wh(measure) + 2 * told.step_wh, measure


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", [kind for kind in VALUE_FAULTS if kind != "night_sleep"])
async def test_a_wrong_value_is_never_told_as_measured(family: str, kind: str) -> None:
    told = await told_of(family, kind)
    check_told(told)
    is_right = (family, kind) in {("sunspec-meter", "scale_change"), ("eastron-sdm630", "rollover")}
    for measure in told.closed[0].values:
        assert Mark.MISSING not in told.marks(measure, (0,))
        if is_right:
            # The factor is read with every value; a float has no end to run over.
            assert told.marks(measure, range(SLOTS)) == {Mark.MEASURED}
            continue
        if told.flowed_wh(measure) < 10:
            continue
        assert Mark.MEASURED not in told.marks(measure, (1,) if kind in ("rollover", "counter_reset") else INSIDE)
        if (family, kind) != ("eastron-sdm630", "swapped_words"):
            # Swapped, its power says 0 as well: the counter is believed again after an hour.
            assert Mark.MISSING not in told.marks(measure, AFTER)


async def test_a_counter_that_runs_over_the_end_of_its_register_loses_nothing() -> None:
    told = await told_of("sunspec-meter", "rollover", from_s=0, to_s=inf)
    exported = [each["export_wh"] or 0 for each in told.shown_wh]
    assert exported[0] > 10**9 > exported[-1], "it did not run over"
    check_told(told)
    for measure in told.closed[0].values:
        assert told.marks(measure, range(SLOTS)) == {Mark.MEASURED}


@pytest.mark.parametrize("kind", ["frozen", "counter_stands"])
async def test_a_counter_that_stands_while_power_flows_is_flagged_within_a_quarter_of_an_hour(kind: str) -> None:
    told = await told_of("sunspec-meter", kind)
    assert told.closed[1].values[Measure.GRID_EXPORT].gap is Gap.IMPLAUSIBLE
