"""A device with a known true flow that misbehaves on purpose, and the agent's reading of it, boundary by boundary.

Everything comes from one seed. The device knows what truly flowed, so whatever the meter says can be checked.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.home_meter import (
    FIELDS_OF_ROLE,
    ClosedSlot,
    HomeMeter,
    MeasuringPoint,
    Sample,
    read_checkpoint,
)
from protocols.maps.model import RoleName
from protocols.quantities import Gap
from protocols.slots import SLOT_S, start_of

FIRST = 2_000_000
TICK_S = 5
POLL_S = 60
WINDOW_TRIES_S = (0.0, 4.0, 11.0, 25.0, 52.0)
"""When a boundary is asked again within its window of 60 s."""

GARBAGE_WH = (-1, -1000, 0xFFFFFFFF, 0xFFFFFFFF * 10, 0x7FFFFFFF, 34 * 10**37, 65_535_000)
ONE_ANSWER = frozenset({"glitch", "dip_once", "garbage_once", "zero_once", "scale_once", "refused_once", "spike"})
HELD = ("dip", "wobble", "garbage", "stuck", "cached", "scale", "late", "zero", "silence", "refused", "power_off")
LASTING = ("reset", "swap")
WHOLE_ANSWER = ("cached", "silence", "late", "spike", "power_off", *LASTING)
KINDS = (*sorted(ONE_ANSWER), *HELD, *LASTING, "restart")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a shipped map says about one of its roles. Units: Wh."""

    role: RoleName
    step_wh: int
    wraps_wh: int | None = None
    is_shaped: bool = False
    max_power_w: int = 15_000
    has_power: bool = True
    poll_s: int = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. Seconds since the start; `size` means what the kind makes of it."""

    kind: str
    from_s: float
    to_s: float
    size: int
    counters: tuple[int, ...]

    def slots(self, poll_s: int) -> range:
        """The slots whose boundaries or readings it can touch."""
        return range(int(self.from_s // SLOT_S) - (self.from_s % SLOT_S < poll_s), int(self.to_s // SLOT_S) + 1)

    def shows(self, half: int | None) -> bool:
        """Whether it changes what is shown of this counter (of any)."""
        return half is None or half in self.counters or self.kind in WHOLE_ANSWER


class Flow:
    """The true power of a home or a plant, every five seconds, and its energy in both directions."""

    def __init__(self, role: RoleName, seconds: int, rng: random.Random) -> None:
        count = seconds // TICK_S + 2
        at_h = (np.arange(count) * TICK_S / 3600 + rng.uniform(0, 24)) % 24
        noise = np.random.default_rng(rng.getrandbits(32))
        load = rng.uniform(80, 500) + 60 * ((np.arange(count) * TICK_S // 1500) % 2)
        for _ in range(seconds // 2400):
            begin, length = rng.randrange(count), rng.randrange(12, 360)
            load[begin : begin + length] += rng.choice((300, 900, 2000, 3500))
        sun = np.clip(np.sin((at_h - 6) / 12 * math.pi), 0, None) * rng.uniform(1500, 8000)
        clouds = np.clip(np.repeat(noise.uniform(0.3, 1.2, count // 24 + 1), 24)[:count], 0.3, 1.0)
        sun = sun * clouds
        if role in ("pv", "wind"):
            power = sun if role == "pv" else sun * 0 + 400 * np.repeat(noise.uniform(0, 6, count // 60 + 1), 60)[:count]
        elif role == "battery":
            power = np.clip(sun - load, -3000, 3000)
        elif role == "load":
            power = load
        else:
            power = load - sun * rng.choice((0, 0, 1))
        self.power_w = power
        begin = np.zeros(1)
        self._sums = [
            np.concatenate((begin, np.cumsum(np.clip(sign * power, 0, None)) * TICK_S / 3600)) for sign in (1, -1)
        ]

    def energy_wh(self, half: int, at_s: float) -> float:
        """What had flowed by then."""
        whole, rest = divmod(at_s, TICK_S)
        sums = self._sums[half]
        at = int(whole)
        return float(sums[at] + (sums[at + 1] - sums[at]) * rest / TICK_S)


@dataclass
class Account:
    """What was told about one counter, to be held against the truth."""

    energy_wh: dict[int, int] = field(default_factory=dict)
    marks: dict[int, str] = field(default_factory=dict)
    gaps: dict[int, Gap] = field(default_factory=dict)
    totals: list[tuple[int, int, int]] = field(default_factory=list)


class FaultyDevice:
    """The device as it shows itself at one instant, under the faults in force."""

    def __init__(self, profile: Profile, flow: Flow, faults: list[Fault], rng: random.Random) -> None:
        self.profile, self.flow, self.faults, self._rng = profile, flow, faults, rng
        self.halves = len(FIELDS_OF_ROLE[profile.role])
        self._begins_wh = [rng.choice((0, 250_000, 900_000, 12_345_678)) for _ in range(self.halves)]
        self._kept: dict[tuple[int, str], object] = {}

    def counter_wh(self, half: int, at_s: float) -> int:
        """What the counter truly shows, after the resets and swaps so far."""
        begins_wh, since_s = self._begins_wh[half], 0.0
        for fault in self.faults:
            if fault.kind in LASTING and fault.from_s <= at_s:
                swapped_wh = fault.size if begins_wh > 200_000 else 400_000 + fault.size
                begins_wh, since_s = (0 if fault.kind == "reset" else swapped_wh), fault.from_s
        ran_wh = self.flow.energy_wh(half, at_s) - (self.flow.energy_wh(half, since_s) if since_s else 0.0)
        return int((begins_wh + ran_wh) // self.profile.step_wh) * self.profile.step_wh

    def shown_wh(self, fault: Fault, half: int) -> int | None:
        """What this fault makes of the counter at first."""
        return self._wrong(fault, half, self.counter_wh(half, fault.from_s))

    def flowed_wh(self, half: int, first: int, slots: int) -> float:
        """What truly flowed in these slots."""
        return self.flow.energy_wh(half, (first + slots) * SLOT_S) - self.flow.energy_wh(half, first * SLOT_S)

    def answer(self, at_s: float) -> Sample | None:
        """One answer; None for silence."""
        active = [each for each in self.faults if each.from_s <= at_s < each.to_s and each.kind not in LASTING]
        shown: list[int | None] = [self.counter_wh(half, at_s) for half in range(self.halves)]
        power: int | None = round(float(self.flow.power_w[int(at_s // TICK_S)]) * self._rng.uniform(0.99, 1.01))
        for fault in active:
            if fault.kind == "silence":
                return None
            if fault.kind == "cached":
                then = max(fault.from_s, 0.0)
                shown = [self.counter_wh(half, then) for half in range(self.halves)]
                power = round(float(self.flow.power_w[int(then // TICK_S)]))
            elif fault.kind == "spike":
                power = self.profile.max_power_w if fault.size % 2 else 0
            elif fault.kind == "power_off":
                power = None
            for half in fault.counters:
                if half < self.halves:
                    shown[half] = self._wrong(fault, half, shown[half])
        power = power if self.profile.has_power else None
        names = list(FIELDS_OF_ROLE[self.profile.role])
        wraps = {name: self.profile.wraps_wh for name in names if self.profile.wraps_wh}
        return Sample(
            0.0, dict(zip(names, shown, strict=True)), power, dict.fromkeys(names, self.profile.step_wh),
            {name: each for name, each in wraps.items() if each}, self.profile.is_shaped,
        )  # fmt: skip

    def _wrong(self, fault: Fault, half: int, true_wh: int | None) -> int | None:
        kind, size, step_wh = fault.kind.removesuffix("_once"), fault.size, self.profile.step_wh
        if true_wh is None or kind in ("refused",):
            return None
        if kind == "glitch":
            return true_wh + max(step_wh, size // step_wh * step_wh)
        if kind == "dip":
            return max(0, true_wh - max(step_wh, size // step_wh * step_wh))
        if kind == "wobble":
            return max(0, true_wh - self._rng.randrange(2, 6)) if step_wh == 1 and true_wh > 5 else true_wh
        if kind == "garbage":
            return GARBAGE_WH[size % len(GARBAGE_WH)]
        if kind == "stuck":
            return self.counter_wh(half, fault.from_s)
        if kind == "scale":
            return true_wh * 10 if size % 3 == 0 else true_wh * 100 if size % 3 == 1 else true_wh // 10
        return 0 if kind == "zero" else true_wh

    def late_s(self, at_s: float) -> float:
        """How long the device thinks before it answers."""
        late = [each for each in self.faults if each.kind == "late" and each.from_s <= at_s < each.to_s]
        return float(late[0].size % 50 + 5) if late else self._rng.choice((0.0, 0.2, 1.0))


def make_faults(rng: random.Random, seconds: int, *, mean_gap_s: float, poll_s: int = POLL_S) -> list[Fault]:
    """Faults in a row, of every kind, at any place in a slot; a third of them exactly at a boundary."""
    faults, at_s = [], SLOT_S * 2.0
    while True:
        at_s += rng.expovariate(1 / mean_gap_s)
        kind = rng.choice(KINDS)
        begins_s = at_s
        if rng.random() < 0.4:
            begins_s = math.ceil(at_s / SLOT_S) * SLOT_S - rng.choice((0.0, 0.0, 1.0, 2.0)) * poll_s
        length_s = 1.0 if kind in ONE_ANSWER else rng.choice((60.0, 130.0, 400.0, 1000.0, 2400.0, 7000.0))
        if kind in ("dip", "scale", "late", "power_off"):
            length_s = min(length_s, 2400.0)
        if kind in ONE_ANSWER and begins_s % poll_s:
            begins_s = math.ceil(begins_s / poll_s) * poll_s
        if begins_s + length_s > seconds - 8 * SLOT_S:
            return faults
        size = rng.choice((6, 12, 40, 150, 700, 1000, 3000, 20_000)) + rng.randrange(6)
        counters = rng.choice(((0,), (0, 1), (0, 1), (1,)))
        faults.append(Fault(kind, begins_s, begins_s + length_s, size, counters))
        at_s = begins_s + length_s


def read_device(device: FaultyDevice, slots: int) -> tuple[list[ClosedSlot], int]:
    """Read the device for so many slots as the agent does; the closed slots and the number of answers."""
    place = MeasuringPoint("it", device.profile.role, device.profile.max_power_w)
    longest_hole_s = max(2.5 * device.profile.poll_s, 300)
    meter = HomeMeter([place], next_slot=FIRST, longest_hole_s=longest_hole_s)
    restarts = sorted(each.from_s for each in device.faults if each.kind == "restart")
    closed: list[ClosedSlot] = []
    kept, answers = meter.first_checkpoint(), 0
    for at_s in range(0, slots * SLOT_S + 1, device.profile.poll_s):
        if restarts and restarts[0] <= at_s:
            restarts.pop(0)
            next_slot, bases = read_checkpoint(kept)
            meter = HomeMeter([place], next_slot=next_slot, longest_hole_s=longest_hole_s, bases=bases)
        boundary = FIRST + at_s // SLOT_S if at_s % SLOT_S == 0 else None
        for sample in _tries(device, at_s, is_boundary=boundary is not None):
            answers += 1
            if sample is not None and meter.add_sample(place, sample) is ReadingVerdict.GOOD:
                break
        if boundary is None:
            continue
        if meter.next_of(place) == boundary:
            meter.open(place)
        else:
            while meter.next_of(place) < boundary:
                meter.close(place)
        while found := meter.next_closed_slot():
            closed.append(found[0])
            kept = found[1]
    return closed, answers


def _tries(device: FaultyDevice, at_s: int, *, is_boundary: bool) -> Iterator[Sample | None]:
    for after_s in WINDOW_TRIES_S if is_boundary else WINDOW_TRIES_S[:1]:
        late_s = after_s + device.late_s(at_s + after_s)
        if late_s > 59 and after_s:
            return
        found = device.answer(at_s + late_s) if late_s > after_s + 2 else device.answer(at_s + after_s)
        if found is None:
            yield None
            continue
        yield Sample(
            float(start_of(FIRST) + at_s), found.counters_wh, found.power_w, found.steps_wh, found.wraps_wh,
            found.is_shaped, late_s if late_s > after_s + 2 else after_s,
        )  # fmt: skip


def accounts_of(device: FaultyDevice, closed: list[ClosedSlot]) -> Mapping[int, Account]:
    """What was told, by direction; slots count from 0."""
    found = {half: Account() for half in range(device.halves)}
    for half, measure in enumerate(FIELDS_OF_ROLE[device.profile.role].values()):
        mine = found[half]
        for each in closed:
            value = each.values[measure]
            at = each.slot - FIRST
            mine.marks[at], mine.gaps[at] = value.mark.name, value.gap
            if value.energy_wh is not None:
                mine.energy_wh[at] = value.energy_wh
            mine.totals += [
                (long.first_slot - FIRST, long.slots, long.energy_wh)
                for long in each.long_intervals
                if long.measure is measure
            ]
    return found
