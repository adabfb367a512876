"""Random device faults against a known true flow: nothing that did not flow is measured, and totals are kept.

The whole campaign goes through 100,000 faults of devices as the shipped maps describe them, which give power beside
nearly each counter, and as many of the same counters without power. `make test` runs a short part with the same checks.
Devices are read as seldom as a home may read them (`LONGEST_INTERVAL_S`).
"""

import math
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from zlib import crc32

import pytest

from edge_agent.metering.counters import CERTAIN_WH
from edge_agent.metering.witness import HIDDEN_W, WOBBLE_WH
from edge_agent.settings import LONGEST_INTERVAL_S
from protocols.maps.loading import resolve_map
from protocols.maps.roles import role_values
from protocols.slots import SLOT_S
from tests.edge_agent.metering.faulty_device import (
    LASTING,
    ONE_ANSWER,
    POLL_S,
    TICK_S,
    Account,
    Fault,
    FaultyDevice,
    Flow,
    Profile,
    accounts_of,
    make_faults,
    read_device,
)
from tests.protocols.maps.shipped import FAMILIES, shipped_map

SLOTS = 192
MEAN_GAP_S = 5400.0
SUNSPEC_STEPS_WH = (1, 10, 100, 1000)
ESTABLISHING_SLOTS = 6
WITHOUT_POWER = {("huawei-dtsu666h", "grid"), ("megarevo-kh3", "battery"), ("megarevo-kh3", "grid")}
"""Their power has no agreed unit or sign."""
SHORT_PART = 5
"""The short part takes every fifth kind of counter, each with a seed of its own: a new map changes no other's case."""
QUIET = frozenset({"silence", "refused", "refused_once", "late", "restart"})
"""Faults that show nothing wrong."""


@cache
def shipped_profiles() -> list[Profile]:
    """Every kind of counter in the shipped maps; SunSpec devices choose their own step."""
    found: dict[Profile, None] = {}
    for device_map in map(shipped_map, FAMILIES):
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
    return [replace(each, has_power=power, poll_s=LONGEST_INTERVAL_S) for power in (True, False) for each in found]


@dataclass
class Tally:
    """What a campaign has counted. `wrong` names each slot that is not what flowed, `off` each such total.

    `clean`, `single` and `known`: how many of how many slots without a fault, with one bad answer, and known to the
    counter.
    """

    faults: Counter[str] = field(default_factory=Counter)
    clean: list[int] = field(default_factory=lambda: [0, 0])
    single: list[int] = field(default_factory=lambda: [0, 0])
    known: list[int] = field(default_factory=lambda: [0, 0])
    measured: int = 0
    indistinguishable: int = 0
    exchanged: int = 0
    lost: list[str] = field(default_factory=list)
    off: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        shares = (f"{done / max(1, of):.4%} of {of}" for done, of in (self.clean, self.single, self.known))
        clean, single, known = shares
        return (
            f"{sum(self.faults.values())} faults of {len(self.faults)} kinds: {self.measured} slots measured, "
            f"{len(self.wrong)} wrong, {self.indistinguishable} of a kind that nothing shown tells; "
            f"{len(self.off)} totals off, {self.exchanged} over an exchange; "
            f"without a fault {clean} measured, with one bad answer {single}, of what the counter knows {known} told"
        )


def tolerance_wh(device: FaultyDevice, half: int, slot: int) -> float:
    """What a slot may differ by: what its two boundaries may."""
    return edge_wh(device, half, slot * SLOT_S) + edge_wh(device, half, (slot + 1) * SLOT_S)


def edge_wh(device: FaultyDevice, half: int, at_s: int) -> float:
    """What a boundary may be wrong by: a counter step, and what an answer that comes late is taken back by.

    Where something wrong is shown at the boundary, also the wobble and what no reading near it can see: what the
    power changed by between two readings, or a load of 2 kW.
    """
    profile, poll_s = device.profile, device.profile.poll_s
    if is_honest(device, at_s // SLOT_S, half):
        return profile.step_wh + CERTAIN_WH
    powers = [
        abs(float(device.flow.power_w[each // TICK_S])) for each in range(max(0, at_s - poll_s), at_s + poll_s, TICK_S)
    ]
    open_w = max(max(powers) - min(powers) + 0.02 * max(powers), HIDDEN_W)
    return profile.step_wh + WOBBLE_WH + open_w * poll_s / 3600


def is_honest(device: FaultyDevice, slot: int, half: int | None = None) -> bool:
    """Whether the device told the truth of this counter (of all) at the start of this slot and one reading later."""
    at_s, poll_s = slot * SLOT_S, device.profile.poll_s
    showing = [each for each in device.faults if each.kind not in ("restart", *LASTING) and each.shows(half)]
    return not any(each.from_s < at_s + poll_s and each.to_s >= at_s for each in showing)


def known_slots(device: FaultyDevice, half: int, touched: dict[int, list[Fault]]) -> set[int]:
    """The slots that lie between two boundaries of one register at which the device told the truth.

    What ran between the last of them and an exchange is in no register any more; and a register that begins again is
    known once it has run for an hour undisturbed, which must be over before the end.
    """
    began = {id(each): each for faults in touched.values() for each in faults if begins_again(device, half, each)}
    last_of = {key: max(at for at, faults in touched.items() if began[key] in faults) for key in began}
    found = set()
    for slot in range(1, SLOTS - 4):
        first = next((at for at in range(slot, 0, -1) if is_honest(device, at, half)), 0)
        last = next((at for at in range(slot + 1, SLOTS) if is_honest(device, at, half)), SLOTS)
        is_known = first > 0 and last < SLOTS - 4
        for key, fault in began.items():
            ends = last_of[key]
            if first * SLOT_S - device.profile.poll_s < fault.from_s <= last * SLOT_S + device.profile.poll_s:
                is_known = False
            if fault.from_s <= last * SLOT_S and slot <= ends:
                others = [each for each in device.faults if each is not fault and each.kind not in QUIET]
                is_disturbed = any(each.to_s >= fault.from_s and each.from_s <= (ends + 2) * SLOT_S for each in others)
                is_known = is_known and ends < SLOTS - 4 and not is_disturbed
        is_known = is_known and not woke_unseen(device, half, first)
        if is_known and not any(is_silent_repeat(device, half, each) for each in (first, slot, last - 1, last)):
            found.add(slot)
    return found


def woke_unseen(device: FaultyDevice, half: int, first: int) -> bool:
    """Whether what may sleep showed 0, then nothing, then a number: it may have slept at any number."""
    if device.profile.role not in ("pv", "wind"):
        return False
    quiet = [each for each in device.faults if each.kind in ("silence", "refused", "power_off", "restart")]
    later = [each for each in quiet if each.to_s >= first * SLOT_S]
    return any(device.counter_wh(half, last_known_s(each)) == 0 < device.counter_wh(half, each.to_s) for each in later)


def last_known_s(fault: Fault) -> float:
    """When the counter was last known before this fault: an agent that restarts remembers the last boundary."""
    return fault.from_s // SLOT_S * SLOT_S if fault.kind == "restart" else fault.from_s


def touched_by(device: FaultyDevice, half: int) -> dict[int, list[Fault]]:
    """The faults of each slot; a counter that begins again has its fault until it has run for an hour."""
    touched: dict[int, list[Fault]] = {}
    idle = Fault("reset", 0.0, 0.0, 0, (0, 1))
    for fault in (*([idle] if device.profile.role in ("pv", "wind") else []), *device.faults):
        slots = fault.slots(device.profile.poll_s)
        last = slots.stop
        if fault is idle or begins_again(device, half, fault):
            enough_wh = max(3 * device.profile.step_wh, 30)
            began_wh = device.flow.energy_wh(half, fault.from_s)
            while last < SLOTS and device.flow.energy_wh(half, last * SLOT_S) - began_wh < enough_wh:
                last += 1
            last, left = max(last, slots.stop), 0 if fault is idle else ESTABLISHING_SLOTS
            while left and last < SLOTS:
                last, left = last + 1, left - is_answered(device, last)
        for slot in range(slots.start, last + 1):
            touched.setdefault(slot, []).append(fault)
    return touched


def is_answered(device: FaultyDevice, slot: int) -> bool:
    """Whether counters were given in this slot: a gateway's old answers are none."""
    quiet = [each for each in device.faults if each.kind in ("silence", "refused", "cached")]
    return not any(each.from_s < (slot + 1) * SLOT_S and each.to_s > slot * SLOT_S for each in quiet)


def check(device: FaultyDevice, half: int, told: Account, *, seed: int, tally: Tally) -> None:
    """Hold one counter's account against the truth."""
    touched, in_total = touched_by(device, half), set[int]()
    where = f"seed {seed}, {device.profile}, direction {half}"
    for first, slots, energy_wh in told.totals:
        in_total.update(range(first, first + slots))
        check_total(device, half, told, total=(first, slots, energy_wh), where=where, tally=tally)
    known = known_slots(device, half, touched)
    for slot, mark in told.marks.items():
        faults = touched.get(slot, [])
        is_estimate = device.profile.is_shaped or not device.profile.has_power
        is_good = mark == "MEASURED" or (is_estimate and mark == "DERIVED")
        if mark == "MEASURED":
            tally.measured += 1
            energy_wh, flowed_wh = told.energy_wh[slot], device.flowed_wh(half, slot, 1)
            if abs(energy_wh - flowed_wh) > tolerance_wh(device, half, slot):
                is_low = energy_wh < flowed_wh and is_silent_repeat(device, half, slot)
                if is_low or is_alike(device, half, slot) or both_lie(device, half, slot):
                    tally.indistinguishable += 1
                else:
                    kinds = sorted({each.kind for each in faults})
                    tally.wrong.append(f"{where}: slot {slot} {energy_wh} for {flowed_wh:.0f} with {kinds}")
        if not faults:
            _count(tally.clean, is_good)
        elif len(faults) == 1 and faults[0].kind in ONE_ANSWER:
            _count(tally.single, is_good)
        if slot in known:
            # Where nothing at all flowed nothing can be lost.
            is_told = slot in told.energy_wh or slot in in_total or device.flowed_wh(half, slot, 1) == 0
            _count(tally.known, is_told)
            if not is_told:
                tally.lost.append(f"{where}: slot {slot}")


def check_total(
    device: FaultyDevice, half: int, told: Account, *, total: tuple[int, int, int], where: str, tally: Tally
) -> None:
    """A total is the counter's own, together with derived slots beside it, which share an estimated boundary."""
    first, slots, energy_wh = total
    over_wh = {first: energy_wh - device.flowed_wh(half, first, slots)}
    exchanges = [
        each.from_s
        for each in device.faults
        if each.kind in LASTING and first * SLOT_S - device.profile.poll_s < each.from_s < (first + slots) * SLOT_S
    ]
    if exchanges:
        tally.exchanged += 1
        allowed_wh = tolerance_wh(device, half, first) + tolerance_wh(device, half, first + slots - 1)
        lost_wh = sum(unread_wh(device, half, at_s) for at_s in exchanges)
        if not -lost_wh - allowed_wh <= over_wh[first] <= allowed_wh:
            flowed_wh = device.flowed_wh(half, first, slots)
            told_as = f"{energy_wh} for {flowed_wh:.0f} of which {lost_wh:.0f} unread"
            tally.off.append(f"{where}: total {first}+{slots} over an exchange {told_as}")
        return
    before = first - 1
    while told.marks.get(before) == "DERIVED" or (before in told.energy_wh and is_silent_repeat(device, half, before)):
        over_wh[before] = over_wh[before + 1] + told.energy_wh[before] - device.flowed_wh(half, before, 1)
        before -= 1
    after_wh = 0.0
    if told.marks.get(first + slots) == "DERIVED":
        after_wh = told.energy_wh[first + slots] - device.flowed_wh(half, first + slots, 1)
    allowed_wh = tolerance_wh(device, half, first) + tolerance_wh(device, half, first + slots - 1)
    if min(abs(each + more) for each in over_wh.values() for more in (0.0, after_wh)) > allowed_wh:
        flowed_wh = device.flowed_wh(half, first, slots)
        tally.off.append(f"{where}: total {first}+{slots} {energy_wh} for {flowed_wh:.0f}")


def unread_wh(device: FaultyDevice, half: int, at_s: float) -> float:
    """What flowed between the old register's last true reading before this exchange and the new one's first after."""
    poll_s = device.profile.poll_s
    before_s = (math.ceil(at_s / poll_s) - 1) * poll_s
    while before_s > 0 and not is_true(device, half, before_s):
        before_s -= poll_s
    after_s = math.ceil(at_s / poll_s) * poll_s
    while after_s < SLOTS * SLOT_S and not is_true(device, half, after_s):
        after_s += poll_s
    return device.flow.energy_wh(half, after_s) - device.flow.energy_wh(half, before_s)


def is_true(device: FaultyDevice, half: int, at_s: float) -> bool:
    """Whether a reading at this time is what the counter truly shows."""
    faults = [each for each in device.faults if each.kind not in ("restart", *LASTING) and each.shows(half)]
    return not any(each.from_s <= at_s < each.to_s for each in faults)


def is_silent_repeat(device: FaultyDevice, half: int, slot: int) -> bool:
    """Whether a gateway repeats an answer here whose power moves no counter by the end of this slot.

    It is told by what was shown: a quiet night looks the same.
    """
    end_s = (slot + 1) * SLOT_S + device.profile.poll_s
    repeats = [each for each in device.faults if is_silent(device, half, each, until_s=end_s)]
    return any(slot * SLOT_S - device.profile.poll_s < each.to_s and each.from_s < end_s for each in repeats)


def is_silent(device: FaultyDevice, half: int, fault: Fault, *, until_s: float) -> bool:
    """Whether this fault shows an old answer by which nothing should have been counted until then."""
    if fault.kind != "cached":
        return False
    shown_w = max(0.0, (1 if half == 0 else -1) * float(device.flow.power_w[int(fault.from_s // TICK_S)]))
    still_wh = shown_w * (min(fault.to_s, until_s) - fault.from_s) / 3600
    return still_wh * 0.9 <= device.profile.step_wh + WOBBLE_WH + 1


def begins_again(device: FaultyDevice, half: int, fault: Fault) -> bool:
    """Whether the counter must run for an hour after this: it was exchanged, or leaps after an old answer."""
    if fault.kind in LASTING or is_silent(device, half, fault, until_s=fault.to_s):
        return True
    return fault.kind in ("dip", "scale") and fault.shows(half) and is_like_a_beginning(device, half, fault)


def is_like_a_beginning(device: FaultyDevice, half: int, fault: Fault) -> bool:
    """Whether it shows so little, and runs as the power says, that a reset to 0 a moment ago shows the same.

    Without power: as much as one interval may have used.
    """
    profile, poll_s = device.profile, device.profile.poll_s
    shown_wh, sign = device.shown_wh(fault, half) or 0, 1 if half == 0 else -1
    if profile.has_power:
        ticks = (max(0, int(fault.from_s - poll_s) // TICK_S), int(fault.from_s + poll_s) // TICK_S)
        powers = [max(0.0, sign * float(each)) for each in device.flow.power_w[ticks[0] : ticks[1]]]
        hidden_w = HIDDEN_W if poll_s <= POLL_S else HIDDEN_W / 2 * (profile.role in ("pv", "wind"))
        most_wh = (1.1 * max(powers) + hidden_w) * poll_s / 3600
    else:
        ran_wh = device.flow.energy_wh(half, fault.from_s) - device.flow.energy_wh(half, fault.from_s - poll_s)
        most_wh = 1.1 * ran_wh + HIDDEN_W * poll_s / 3600
    return shown_wh <= 2 * (profile.step_wh + WOBBLE_WH) + most_wh


def both_lie(device: FaultyDevice, half: int, slot: int) -> bool:
    """Whether the counter is wrong one reading after the power was, so that the power seems to say the same."""
    poll_s, end_s = device.profile.poll_s, (slot + 1) * SLOT_S
    wrong = [each for each in device.faults if slot * SLOT_S <= each.from_s <= end_s and each.shows(half)]
    spikes = [each.from_s for each in wrong if each.kind == "spike"]
    return any(each.kind != "spike" and 0 < each.from_s - at_s <= poll_s for each in wrong for at_s in spikes)


def is_alike(device: FaultyDevice, half: int, slot: int) -> bool:
    """Whether two registers were exchanged here that read as alike as a load between two readings makes them."""
    profile, slot_s = device.profile, range(slot * SLOT_S, (slot + 1) * SLOT_S + device.profile.poll_s)
    inside = [each.from_s for each in device.faults if each.kind in LASTING and int(each.from_s) in slot_s]
    most_wh = 2 * profile.step_wh + WOBBLE_WH + HIDDEN_W * profile.poll_s / 3600
    shown = [device.counter_wh(half, at_s) - device.counter_wh(half, at_s - profile.poll_s) for at_s in inside]
    return any(-most_wh <= each <= most_wh for each in shown)


def _count(of: list[int], is_good: bool) -> None:
    of[0] += is_good
    of[1] += 1


@dataclass
class Campaign:
    """What a campaign has counted: of devices with power, and of a counter alone."""

    with_power: Tally = field(default_factory=Tally)
    counter_only: Tally = field(default_factory=Tally)

    def tallies(self) -> tuple[Tally, Tally]:
        return self.with_power, self.counter_only

    def faults(self) -> int:
        """Of the kind of device that met fewer."""
        return min(sum(each.faults.values()) for each in self.tallies())

    def run(self, seed: int, profiles: list[Profile]) -> None:
        """Two days of one device."""
        rng = random.Random(seed)
        profile, seconds = profiles[seed % len(profiles)], SLOTS * SLOT_S
        tally = self.with_power if profile.has_power else self.counter_only
        flow = Flow(profile.role, seconds + 120, rng)
        faults = make_faults(rng, seconds, mean_gap_s=MEAN_GAP_S, poll_s=profile.poll_s)
        device = FaultyDevice(profile, flow, faults, rng)
        closed, _ = read_device(device, SLOTS)
        tally.faults.update(each.kind for each in device.faults)
        for half, told in accounts_of(device, closed).items():
            check(device, half, told, seed=seed, tally=tally)

    def judge(self) -> None:
        """Never anything wrong as measured. What no power witnesses costs marks and a few totals."""
        for tally in self.tallies():
            assert not tally.wrong, "\n".join([tally.line(), *tally.wrong[:20]])
            assert tally.single[0] >= 0.95 * tally.single[1], tally.line()
            assert tally.indistinguishable <= 0.001 * tally.measured, tally.line()
        seen, alone = self.with_power, self.counter_only
        assert seen.clean[0] >= 0.999 * seen.clean[1], seen.line()
        assert not seen.off, "\n".join([seen.line(), *seen.off[:20]])
        assert not seen.lost, "\n".join([seen.line(), *seen.lost[:20]])
        assert alone.clean[0] >= 0.99 * alone.clean[1], alone.line()
        assert len(alone.off) <= 0.002 * sum(alone.faults.values()), "\n".join([alone.line(), *alone.off[:20]])
        assert alone.known[0] >= 0.995 * alone.known[1], alone.line()


def test_shipped_maps_give_power_beside_each_counter_or_say_why_not() -> None:
    """So the part of the campaign without power is mostly about maps that households write themselves."""
    roles = [(family, role, each) for family in FAMILIES for role, each in shipped_map(family).roles.items()]
    assert {(family, role) for family, role, each in roles if not each.power} == WITHOUT_POWER
    assert all("power" in " ".join(shipped_map(family).caveats) for family, _ in WITHOUT_POWER)


def test_a_few_hundred_faults_of_every_kind() -> None:
    campaign = Campaign()
    for profile in shipped_profiles():
        seed = crc32(repr(profile).encode())
        if seed % SHORT_PART == 0:
            campaign.run(seed, [profile])
    assert len(campaign.with_power.faults) > 15
    assert len(campaign.counter_only.faults) > 15
    campaign.judge()


@pytest.mark.parametrize(
    ("seed", "profile", "why"),
    [
        (2538, Profile("pv", 1000, None, True),
         "a register that was exchanged in the night stands near the old one when its day is told"),
        (3808, Profile("grid", 1, None, False), "a dip of 16 Wh, told twice, that lasted beyond two boundaries"),
        (2673, Profile("pv", 1, None, False, has_power=False),
         "an answer repeated from a minute before a boundary on, of a counter without power"),
        (126, Profile("battery", 10, 10 * 2**32, has_power=False),
         "a counter without power that began again, ran for three quarters of an hour and began again once more"),
        (2391, Profile("pv", 1), "two exchanges in the night, the last to a number 75 Wh above the first"),
        (2756, Profile("wind", 1000, 65_536_000, True),
         "a register that began at 0 and, after two hours of silence, had passed the one before it"),
        (3391, Profile("wind", 1, 2**32), "after an hour of another register one 166 Wh below where the first was"),
        (4575, Profile("pv", 1000, 65_536_000, True), "a register first believed where the one before it stood"),
        (8826, Profile("battery", 100, None, True), "three registers, and old answers before the last one was read"),
        (9054, Profile("battery", 1, 2**32), "a register 131 Wh below the one before it, which it passed in a silence"),
        (7571, Profile("pv", 1), "a boundary three minutes after the old answers of a new register had ended"),
        (9032, Profile("wind", 10), "old answers for two hours, and a restart of the agent as they ended"),
        (9050, Profile("pv", 10, 10 * 2**32), "a new register first read at a boundary, after a silence"),
        (4851, Profile("battery", 10, 10 * 2**32),
         "both registers 700 Wh low for 40 minutes, and a restart 11 minutes after they were back"),
        (4921, Profile("battery", 10, 10 * 2**32),
         "one register a tenth for 40 minutes, the other right, and a restart five minutes after it was back"),
    ],
)  # fmt: skip
def test_what_a_campaign_once_found(seed: int, profile: Profile, why: str) -> None:
    campaign = Campaign()
    campaign.run(seed, [replace(profile, poll_s=LONGEST_INTERVAL_S)])
    for tally in campaign.tallies():
        assert (tally.wrong, tally.off) == ([], []), why
    assert campaign.with_power.lost == [], why


@pytest.mark.campaign
def test_a_hundred_thousand_faults_of_every_kind() -> None:
    campaign, seed, profiles = Campaign(), 1_000, shipped_profiles()
    while campaign.faults() < 100_000:
        campaign.run(seed, profiles)
        seed += 1
    for tally in campaign.tallies():
        print(tally.line())
    campaign.judge()
