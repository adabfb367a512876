"""A device that restarts under the running agent's connection, reader and meter: no Wh is invented, none lost for good.

`make test` goes through a few restarts of each kind of counter; `make campaign` through six times a hundred of each.
"""

import asyncio
import logging
import random
from dataclasses import dataclass, replace

import pytest

from edge_agent.devices.line import DeviceReadError, LineSettings
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.counters import CERTAIN_WH
from edge_agent.metering.home_meter import FIELDS_OF_ROLE, ClosedSlot, HomeMeter
from edge_agent.settings import Endpoint
from protocols.maps.model import RoleName
from protocols.quantities import Mark
from protocols.slots import SLOT_S
from simulator.world.families import family_map
from tests.conformance.restarting_device import Counts, RestartingDevice, make_restarts
from tests.edge_agent.devices.test_reader import device
from tests.edge_agent.metering.faulty_device import WINDOW_TRIES_S, Flow
from tests.edge_agent.warped_loop import run_warped, wired_to

# The library logs every odd frame as an error; here they are sent on purpose.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

POLL_S, FIRST = 60, 2_000_000
STEP_WH = {"eastron-sdm630": 1, "shelly-pro3em": 2, "sunspec-meter": 1, "carlo-gavazzi-em24": 100, "huawei-sun2000": 10}
NEAR_THE_END_WH = 2**32 - 20_000
CASES: list[tuple[str, RoleName, Counts, int]] = [
    ("eastron-sdm630", "grid", "keeps", 1_234_567),
    ("sunspec-meter", "grid", "keeps", NEAR_THE_END_WH),
    ("shelly-pro3em", "grid", "begins_at_0", 250_000),
    ("carlo-gavazzi-em24", "grid", "keeps", 900_000),
    ("huawei-sun2000", "pv", "keeps", 900_000),
    ("eastron-sdm630", "grid", "saves", 1_234_567),
]


@dataclass
class Trial:
    """What the agent told of a device that restarted, and the device itself."""

    far: RestartingDevice
    closed: list[ClosedSlot]
    reached: int


def run_trial(family: str, role: RoleName, counts: Counts, begins_wh: int, *, restarts: int, seed: int) -> Trial:
    chance = random.Random(seed)
    planned = make_restarts(chance, restarts)
    slots = int(planned[-1].awake_s // SLOT_S) + 14
    flow = Flow(role, slots * SLOT_S + 200, chance)
    far = RestartingDevice(family, role, counts=counts, restarts=planned, flow=flow, begins_wh=begins_wh)
    trial = Trial(far, [], 0)

    async def run() -> None:
        clock = asyncio.get_running_loop().time
        link = ModbusLink(Endpoint("tcp", "it", 502), LineSettings(timeout_s=1.0), monotonic=clock, make=wired_to(far))
        under_test = device(family, role, device_map=family_map(family), monotonic=clock)
        (place,) = under_test.places
        meter = HomeMeter([place], next_slot=FIRST, longest_hole_s=300)
        far.start(clock())
        for at_s in range(0, slots * SLOT_S + 1, POLL_S):
            boundary = FIRST + at_s // SLOT_S if at_s % SLOT_S == 0 else None
            for after_s in WINDOW_TRIES_S if boundary is not None else WINDOW_TRIES_S[:1]:
                if (early_s := at_s + after_s - far.now_s()) < 0 < after_s:
                    continue
                await asyncio.sleep(max(0.0, early_s))
                try:
                    readout = await under_test.read_places(link)
                except DeviceReadError:
                    continue
                late_s = far.now_s() - at_s
                if late_s >= POLL_S:
                    break
                sample = under_test.samples(readout, float(FIRST * SLOT_S + at_s))[place]
                trial.reached += 1
                if meter.add_sample(place, replace(sample, late_s=late_s)) is ReadingVerdict.GOOD:
                    break
            if boundary is None:
                continue
            if meter.next_of(place) == boundary:
                meter.open(place)
            while meter.next_of(place) < boundary:
                meter.close(place)
            while found := meter.next_closed_slot():
                trial.closed.append(found[0])
        await link.close()

    run_warped(run)
    return trial


def check(trial: Trial, step_wh: int) -> None:
    """Measured is what flowed; all that was told together is what the counters know, never more than what flowed."""
    far, slots = trial.far, len(trial.closed)
    for half, measure in enumerate(FIELDS_OF_ROLE[far.role].values()):
        flowed = [flowed_wh(far, half, at * SLOT_S, (at + 1) * SLOT_S) for at in range(slots)]
        told_wh = 0
        for at, slot in enumerate(trial.closed):
            value = slot.values[measure]
            if value.mark is Mark.MEASURED:
                assert value.energy_wh == pytest.approx(flowed[at], abs=2 * (step_wh + CERTAIN_WH)), (measure, at)
            told_wh += value.energy_wh or 0
            for total in (each for each in slot.long_intervals if each.measure is measure):
                inside = flowed[total.first_slot - FIRST : total.first_slot - FIRST + total.slots]
                assert total.energy_wh <= sum(inside) + 2 * (step_wh + CERTAIN_WH), (measure, at, total)
                told_wh += total.energy_wh
        assert told_wh <= sum(flowed) + step_wh, f"{measure.name}: {told_wh} told, {sum(flowed):.0f} flowed"
        unknown_wh = sum(flowed_wh(far, half, begin_s, end_s) for begin_s, end_s in unknown_spans(far))
        assert told_wh >= sum(flowed) - unknown_wh - 2 * step_wh, (
            f"{measure.name}: {told_wh} told of {sum(flowed):.0f} that flowed, {unknown_wh:.0f} of it unknown"
        )


def flowed_wh(far: RestartingDevice, half: int, begin_s: float, end_s: float) -> float:
    return far.flow.energy_wh(half, end_s) - far.flow.energy_wh(half, begin_s)


def unknown_spans(far: RestartingDevice) -> list[tuple[float, float]]:
    """Where no two boundaries of one register lie around: from the last before a restart to the first after it."""
    spans: list[tuple[float, float]] = []
    for each in far.restarts if far.counts != "keeps" else ():
        begin_s, end_s = each.off_s // SLOT_S * SLOT_S, -(-(each.awake_s + POLL_S) // SLOT_S) * SLOT_S
        begin_s -= SLOT_S * (each.off_s == begin_s)
        if spans and begin_s <= spans[-1][1]:
            begin_s = spans.pop()[0]
        spans.append((begin_s, end_s))
    return spans


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case[:3])))
def test_a_few_restarts_invent_nothing_and_lose_nothing_for_good(case: tuple[str, RoleName, Counts, int]) -> None:
    trial = run_trial(*case, restarts=6, seed=4)
    assert trial.reached > 500
    assert trial.far.cut_off > 0
    check(trial, STEP_WH[case[0]])


@pytest.mark.campaign
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case[:3])))
def test_a_hundred_restarts_invent_nothing_and_lose_nothing_for_good(
    case: tuple[str, RoleName, Counts, int], seed: int
) -> None:
    check(run_trial(*case, restarts=100, seed=seed), STEP_WH[case[0]])
