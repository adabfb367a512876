"""Random device faults against a known true flow: nothing that did not flow is measured, and totals are kept.

The whole campaign goes through 100,000 faults; `make test` runs a short part with the same checks.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from edge_agent.metering.witness import HIDDEN_W, WOBBLE_WH
from protocols.maps.loading import load_map, resolve_map
from protocols.maps.roles import role_values
from protocols.slots import SLOT_S
from tests.edge_agent.metering.faulty_device import (
    LASTING,
    ONE_ANSWER,
    POLL_S,
    Account,
    Fault,
    FaultyDevice,
    Flow,
    Profile,
    accounts_of,
    make_faults,
    read_device,
)
from tests.edge_agent.modbus_stand import MAPS

SLOTS = 192
MEAN_GAP_S = 5400.0
SUNSPEC_STEPS_WH = (1, 10, 100, 1000)
ESTABLISHING_SLOTS = 6


def shipped_profiles() -> list[Profile]:
    """Every kind of counter in the shipped maps; SunSpec devices choose their own step."""
    found: dict[Profile, None] = {}
    for path in sorted(MAPS.glob("*.toml")):
        device_map = load_map(path.read_text(), name=path.stem)
        for role, described in device_map.roles.items():
            if described.derived:
                continue
            if device_map.is_sunspec:
                found |= {Profile(role, step, None, described.shape_by_power): None for step in SUNSPEC_STEPS_WH[:2]}
                found |= {Profile(role, step, None, True): None for step in SUNSPEC_STEPS_WH[2:]}
                continue
            resolved = resolve_map(device_map)
            reading = role_values(resolved, {name: Decimal(1) for name in resolved.points}, role)
            step_wh = max(1, *(int(each) for each in reading.steps_wh.values()))
            wraps = {int(each) for each in reading.wraps_wh.values()} or {None}
            found[Profile(role, step_wh, wraps.pop(), reading.shape_by_power)] = None
    return list(found)


@dataclass
class Tally:
    """What a campaign has counted. `wrong` names each slot or total that is not what flowed."""

    faults: Counter[str] = field(default_factory=Counter)
    clean: list[int] = field(default_factory=lambda: [0, 0])
    single: list[int] = field(default_factory=lambda: [0, 0])
    known: list[int] = field(default_factory=lambda: [0, 0])
    measured: int = 0
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        shares = (f"{done / max(1, of):.4%} of {of}" for done, of in (self.clean, self.single, self.known))
        clean, single, known = shares
        return (
            f"{sum(self.faults.values())} faults of {len(self.faults)} kinds: {self.measured} slots measured, "
            f"{len(self.wrong)} wrong; without a fault {clean} measured, with one bad answer {single}, told or in a "
            f"total {known}"
        )


def tolerance_wh(device: FaultyDevice, half: int, slot: int) -> float:
    """What a slot may differ by: two counter steps, the wobble, and what a reading each minute cannot see.

    At either boundary that is a load of 2 kW between two readings and what the power changed by in that minute.
    """
    open_wh = 0.0
    for edge_s in (slot * SLOT_S, (slot + 1) * SLOT_S):
        minute = [
            abs(float(device.flow.power_w[at // 5])) for at in range(max(0, edge_s - 2 * POLL_S), edge_s + POLL_S, 5)
        ]
        open_wh = max(open_wh, (max(minute) - min(minute) + 0.1 * max(minute)) * POLL_S / 3600)
    return 2 * device.profile.step_wh + 2 * WOBBLE_WH + HIDDEN_W * POLL_S / 3600 + open_wh


def touched_by(device: FaultyDevice, half: int) -> dict[int, list[Fault]]:
    """The faults of each slot; a counter that begins again has its fault until it has run for an hour."""
    touched: dict[int, list[Fault]] = {}
    idle = Fault("reset", 0.0, 0.0, 0, (0, 1))
    for fault in (*([idle] if device.profile.role in ("pv", "wind") else []), *device.faults):
        slots = fault.slots()
        last = slots.stop
        if fault.kind in LASTING:
            enough_wh = max(3 * device.profile.step_wh, 30)
            began_wh = device.flow.energy_wh(half, fault.from_s)
            while last < SLOTS and device.flow.energy_wh(half, last * SLOT_S) - began_wh < enough_wh:
                last += 1
            last = max(last, slots.stop) + (0 if fault is idle else ESTABLISHING_SLOTS)
        for slot in range(slots.start, last + 1):
            touched.setdefault(slot, []).append(fault)
    return touched


def check(device: FaultyDevice, half: int, told: Account, *, seed: int, tally: Tally) -> None:
    """Hold one counter's account against the truth."""
    touched, in_total = touched_by(device, half), set[int]()
    where = f"seed {seed}, {device.profile}, direction {half}"

    def flowed_wh(first: int, slots: int) -> float:
        return device.flow.energy_wh(half, (first + slots) * SLOT_S) - device.flow.energy_wh(half, first * SLOT_S)

    for first, slots, energy_wh in told.totals:
        in_total.update(range(first, first + slots))
        if abs(energy_wh - flowed_wh(first, slots)) > 2 * tolerance_wh(device, half, first):
            tally.wrong.append(f"{where}: total {first}+{slots} {energy_wh} for {flowed_wh(first, slots):.0f}")
    for slot, mark in told.marks.items():
        faults = touched.get(slot, [])
        is_good = mark == "MEASURED" or (device.profile.is_shaped and mark == "DERIVED")
        if mark == "MEASURED":
            tally.measured += 1
            if abs(told.energy_wh[slot] - flowed_wh(slot, 1)) > tolerance_wh(device, half, slot):
                kinds = sorted({each.kind for each in faults})
                energy_wh = told.energy_wh[slot]
                tally.wrong.append(f"{where}: slot {slot} {energy_wh} for {flowed_wh(slot, 1):.0f} with {kinds}")
        if not faults:
            _count(tally.clean, is_good)
        elif len(faults) == 1 and faults[0].kind in ONE_ANSWER:
            _count(tally.single, is_good)
        # What ran between the last good boundary and a counter's exchange is in no register any more.
        ends = [each for at in range(slot, slot + 3) for each in touched.get(at, [])]
        if not any(each.kind in LASTING for each in ends) and 0 < slot < SLOTS - 8:
            _count(tally.known, slot in told.energy_wh or slot in in_total)


def _count(of: list[int], is_good: bool) -> None:
    of[0] += is_good
    of[1] += 1


def run(seed: int, profiles: list[Profile], tally: Tally) -> None:
    """Two days of one device."""
    rng = random.Random(seed)
    profile, seconds = profiles[seed % len(profiles)], SLOTS * SLOT_S
    flow = Flow(profile.role, seconds + 120, rng)
    device = FaultyDevice(profile, flow, make_faults(rng, seconds, mean_gap_s=MEAN_GAP_S), rng)
    closed, _ = read_device(device, SLOTS)
    tally.faults.update(each.kind for each in device.faults)
    for half, told in accounts_of(device, closed).items():
        check(device, half, told, seed=seed, tally=tally)


def judge(tally: Tally) -> None:
    assert not tally.wrong, "\n".join(tally.wrong[:20])
    assert tally.clean[0] >= 0.999 * tally.clean[1], tally.line()
    assert tally.single[0] >= 0.95 * tally.single[1], tally.line()
    assert tally.known[0] >= 0.998 * tally.known[1], tally.line()


def test_a_few_hundred_faults_of_every_kind() -> None:
    tally = Tally()
    for seed in range(12):
        run(seed, shipped_profiles(), tally)
    assert len(tally.faults) > 15
    judge(tally)


@pytest.mark.campaign
def test_a_hundred_thousand_faults_of_every_kind() -> None:
    tally, seed = Tally(), 1_000
    while sum(tally.faults.values()) < 100_000:
        run(seed, shipped_profiles(), tally)
        seed += 1
    print(tally.line())
    judge(tally)
