"""Which homes are behind each number that a settled slot publishes, and whether two runs of a day differ by too few.

A number is safe if five homes are behind it and none of them makes up nearly all of it, and so is the difference of two
numbers. What members can work out from their own shares counts as published: in a scarce slot a share tells the ratio
of surplus to demand, so either both are shown or neither; and where neither is, members see their shares by day only.
A day's share less those shown is the sum of the others, so the intervals without shares are chosen as a whole.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.core.allocation.published_steps import buyer_steps
from hub.core.allocation.rounding import largest_remainder
from hub.core.rules.allocation_key import AllocationKey
from hub.core.rules.group_size import GroupRule
from hub.core.rules.rulebook import check_rule
from hub.core.settlement.period import Settlement
from hub.core.settlement.prepared_readings import Presence

Parts = Mapping[str, Mapping[str, int]]
"""For each published number of a slot, the homes behind it with what each adds to it. Units: Wh."""

Reasons = tuple[str | None, ...]
"""Why each interval of a run is withheld from members, None if it is shown."""

SURPLUS, DEMAND = "surplus", "demand"
UNEVEN: Final = "uneven"
HIDING: Final = frozenset({"few_homes", "few_makers", "single_homes", UNEVEN})


@dataclass(frozen=True, slots=True)
class SharedSlot:
    """What one slot shares, by column: surplus and demand after the participation factor, who is there, who makes."""

    members: tuple[str, ...]
    surplus: Sequence[int]
    demand: Sequence[int]
    present: Sequence[bool]
    makers: Sequence[bool]

    def homes(self) -> set[str]:
        """The members present."""
        return {member for member, here in zip(self.members, self.present, strict=True) if here}

    def counted(self) -> dict[str, tuple[int, int]]:
        """Each member present with what counts of it; the same in two runs if nothing about the interval changed."""
        rows = zip(self.members, self.surplus, self.demand, self.present, strict=True)
        return {member: (surplus, demand) for member, surplus, demand, here in rows if here}

    def parts(self, key: AllocationKey) -> Parts:
        """The homes behind each number. Makers are all homes that fed in at any time of the day."""
        found = {
            DEMAND: self._named(i for i, here in enumerate(self.present) if here),
            SURPLUS: {
                self.members[i]: self.surplus[i]
                for i, (here, makes) in enumerate(zip(self.present, self.makers, strict=True))
                if here and makes
            },
        }
        groups = {name: self._named(columns) for name, columns in self._groups(key).items()}
        return found | {name: group for name, group in groups.items() if group}

    def _named(self, columns: Iterable[int]) -> dict[str, int]:
        return {self.members[i]: self.demand[i] for i in columns if self.present[i]}

    def _groups(self, key: AllocationKey) -> dict[str, list[int]]:
        match key.method:
            case "equal":
                return self._level([1] * len(self.demand), key)
            case "weighted":
                taking = [i for i, weight in enumerate(key.weights) if weight]
                others = [i for i, weight in enumerate(key.weights) if not weight]
                return self._level(key.weights, key) | {"taking": taking, "not taking": others}
            case "static" | "static_rounds" | "static_then_proportional":
                return self._rounds(key)
            case "solidarity":
                group = set(key.group)
                rest = [i for i in range(len(self.demand)) if i not in group]
                level = self._level([int(i in group) for i in range(len(self.demand))], key)
                return {"group": sorted(group), "rest": rest} | level
            case "priority":
                return self._rationed(key)
        return {}

    def _level(self, weights: Sequence[int], key: AllocationKey) -> dict[str, list[int]]:
        """Those filled below the level of water-filling and those at it; nobody if there is enough for all."""
        step = buyer_steps(self.surplus, self.demand, self.present, key=key, members=self.members)[0]
        asking = [i for i, weight in enumerate(weights) if weight and self.demand[i]]
        rising = [i for i in asking if self.demand[i] * step.weight_sum > step.total * weights[i]]
        if not step.weight_sum or not step.total:
            return {}
        return {"at the level": rising, "below the level": [i for i in asking if i not in rising]}

    def _rounds(self, key: AllocationKey) -> dict[str, list[int]]:
        """Those who had enough after each round: their demand follows from the totals and the published weights."""
        weights = [weight if here else 0 for weight, here in zip(key.weights, self.present, strict=True)]
        got, groups = [0] * len(self.demand), {}
        for n in range(key.rounds):
            left = sum(self.surplus) - sum(got)
            if left == 0 or not any(weights):
                break
            quota = largest_remainder(left, weights)
            got = [a + min(q, d - a) for a, q, d in zip(got, quota, self.demand, strict=True)]
            full = [i for i, weight in enumerate(weights) if weight and got[i] == self.demand[i]]
            groups[f"full after round {n + 1}"] = [i for i in full if self.demand[i]]
            weights = [0 if i in full else weight for i, weight in enumerate(weights)]
        groups["unmet"] = [i for i, (a, d) in enumerate(zip(got, self.demand, strict=True)) if a < d]
        return groups

    def _rationed(self, key: AllocationKey) -> dict[str, list[int]]:
        left = sum(self.surplus)
        for tier in key.tiers:
            wanted = sum(self.demand[i] for i in tier)
            if 0 < left < wanted:
                return {"rationed": [i for i in tier if self.demand[i]]}
            left -= min(left, wanted)
        return {}


def shared_slots(settled: Settlement) -> tuple[SharedSlot, ...]:
    """Each interval of the settlement."""
    factor = settled.rule.participation_percent
    percent = np.array([factor.get(member, 100) for member in settled.members], dtype=np.int64)
    surplus, demand = settled.surplus_wh * percent // 100, settled.demand_wh * percent // 100
    made: Presence = np.any((surplus > 0) & settled.present, axis=0)
    makers = [bool(makes) for makes in made]
    rows = zip(surplus.tolist(), demand.tolist(), settled.present.tolist(), strict=True)
    return tuple(SharedSlot(settled.members, s, d, here, makers) for s, d, here in rows)


def withheld_reasons(
    settled: Settlement, group: GroupRule, *, known: Mapping[int, str | None] | None = None
) -> Reasons:
    """Why each interval's numbers may not be shown to members; None if they may. Tiers of `priority`: see pool_series.

    If the sum over the withheld intervals of the day is about too few homes or uneven itself, others are withheld with
    them until it is not. Where one to four homes feed in all day, no other interval would help, and none is added.
    `known` has the intervals, by place, that an earlier run has shown or withheld as they are (see known_reasons): what
    was withheld stays so, and what was shown hides nothing.
    """
    key, known = check_rule(settled.rule, settled.members), known or {}
    slots = shared_slots(settled)
    found = [_too_few(slot, key, group) for slot in slots]
    reasons = [known.get(t) if hides_shares(known.get(t)) else reason for t, reason in enumerate(found)]
    sums = _DaySums(group)
    for t, (slot, reason) in enumerate(zip(slots, reasons, strict=True)):
        if hides_shares(reason) and (t not in known or hides_shares(known[t])):
            sums.add(slot)
    free = [t for t, slot in enumerate(slots) if reasons[t] is None and t not in known and any(slot.surplus)]
    free.sort(key=lambda t: (sum(slots[t].surplus), t))
    if sums.is_few() and sums.is_few(*(slots[t] for t in free)):
        return tuple(reasons)
    while sums.tells_one() and free:
        chosen = next((t for t in free if not sums.tells_one(slots[t])), free[-1])
        sums.add(slots[chosen])
        free.remove(chosen)
        reasons[chosen] = UNEVEN
    return tuple(reasons)


def known_reasons(earlier: Iterable[tuple[Settlement, Reasons]], settled: Settlement) -> dict[int, str | None]:
    """The intervals that are the same in a run shown before, by place, with why they were withheld there, or None."""
    known: dict[int, str | None] = {}
    for before, reasons in earlier:
        if before.slots == settled.slots:
            for t, (old, new) in enumerate(zip(shared_slots(before), shared_slots(settled), strict=True)):
                if old.counted() == new.counted() and not hides_shares(known.get(t)):
                    known[t] = reasons[t]
    return known


def hides_shares(reason: str | None) -> bool:
    """Whether a member's own share of such an interval would tell another home's energy, so it is part of the day's."""
    return reason in HIDING


class _DaySums:
    """What each home adds to the sums over some intervals, and which homes those are."""

    def __init__(self, group: GroupRule) -> None:
        self._group = group
        self._sides: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self._homes: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())

    def add(self, slot: SharedSlot) -> None:
        self._homes = self._homes_with(slot)
        for sums, side in zip(self._sides, (slot.surplus, slot.demand), strict=True):
            sums.update(_present(slot, side))

    def is_few(self, *more: SharedSlot) -> bool:
        """Whether either sum is about too few homes, with these intervals too; no shares if there is no surplus."""
        has_surplus = any(self._sides[0].values()) or any(any(slot.surplus) for slot in more)
        return has_surplus and not all(self._group.allows(homes) for homes in self._homes_with(*more))

    def tells_one(self, more: SharedSlot | None = None) -> bool:
        """Whether either sum is about too few homes or uneven, with this interval too."""
        sides = self._sides
        if more is not None:
            sides = (sides[0] + _present(more, more.surplus), sides[1] + _present(more, more.demand))
        if not any(sides[0].values()):
            return False
        few = self.is_few() if more is None else self.is_few(more)
        return few or any(self._group.is_uneven(side) for side in sides)

    def _homes_with(self, *more: SharedSlot) -> tuple[frozenset[str], frozenset[str]]:
        makers, homes = self._homes
        for slot in more:
            here = slot.homes()
            homes |= here
            makers |= {member for member, makes in zip(slot.members, slot.makers, strict=True) if makes} & here
        return makers, homes


def _present(slot: SharedSlot, side: Sequence[int]) -> Counter[str]:
    return Counter({home: wh for home, wh, here in zip(slot.members, side, slot.present, strict=True) if here})


def _too_few(slot: SharedSlot, key: AllocationKey, group: GroupRule) -> str | None:
    if not slot.homes() or not group.allows(slot.homes()):
        return "few_homes"
    if key.method == "pairwise":
        return "single_homes"
    parts = slot.parts(key)
    if any(parts[SURPLUS].values()) and not group.allows(parts[SURPLUS].keys()):
        return "few_makers"
    if group.is_uneven(parts[SURPLUS]) or group.is_uneven(parts[DEMAND]):
        return UNEVEN
    others = [homes for name, homes in parts.items() if name not in (SURPLUS, DEMAND)]
    return None if all(group.allows(homes.keys()) and not group.is_uneven(homes) for homes in others) else "few_in_step"


def changed_homes(before: Settlement, after: Settlement) -> frozenset[str] | None:
    """Everybody whose own readings count differently in the two runs; None if they do not have the same intervals."""
    if before.slots != after.slots:
        return None
    changed: set[str] = set()
    for old, new in zip(shared_slots(before), shared_slots(after), strict=True):
        changed |= _differing(old.parts(AllocationKey("")), new.parts(AllocationKey("")), (SURPLUS, DEMAND)).keys()
    return frozenset(changed)


def hides_each_home(before: Settlement, after: Settlement, group: GroupRule) -> bool:
    """Whether members who know both runs' numbers learn nothing about fewer than five homes, or mostly about one."""
    if before.slots != after.slots:
        return False
    keys = [check_rule(run.rule, run.members) for run in (before, after)]
    for old, new in zip(shared_slots(before), shared_slots(after), strict=True):
        sides = old.parts(keys[0]), new.parts(keys[1])
        for name in sorted({*sides[0], *sides[1]}):
            homes = _differing(*sides, [name])
            if not group.allows(homes.keys()) or group.is_uneven(homes):
                return False
    return True


def same_shares_hidden(one: Reasons, other: Reasons) -> bool:
    """Whether members see their shares of the same intervals in both runs."""
    return [hides_shares(reason) for reason in one] == [hides_shares(reason) for reason in other]


def _differing(old: Parts, new: Parts, names: Iterable[str]) -> dict[str, int]:
    """The homes that these numbers count differently, each with the energy by which they do.

    A home that is there in one run only counts, whatever it adds.
    """
    arrived = old[DEMAND].keys() ^ new[DEMAND].keys()
    found: dict[str, int] = {}
    for name in names:
        one, other = old.get(name, {}), new.get(name, {})
        for home in {*one, *other}:
            energy_wh = abs(one.get(home, 0) - other.get(home, 0))
            if home in arrived or energy_wh:
                found[home] = found.get(home, 0) + energy_wh
    return found
