"""Which homes are behind each number that a settled slot publishes, and whether two runs of a day differ by too few.

A number is safe if five homes are behind it, and so is the difference of two numbers. What members can work out from
their own shares counts as published: in a scarce slot a share tells the ratio of surplus to demand, so either both are
shown or neither.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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

SURPLUS, DEMAND = "surplus", "demand"


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


def too_few(slot: SharedSlot, key: AllocationKey, group: GroupRule) -> str | None:
    """Why this slot's numbers may not be shown to members; None if they may (of a `priority` tier: see pool_series)."""
    if not slot.homes() or not group.allows(slot.homes()):
        return "few_homes"
    if key.method == "pairwise":
        return "single_homes"
    parts = slot.parts(key)
    if any(parts[SURPLUS].values()) and not group.allows(parts[SURPLUS].keys()):
        return "few_makers"
    others = (homes for name, homes in parts.items() if name not in (SURPLUS, DEMAND))
    return None if all(group.allows(homes.keys()) for homes in others) else "few_in_step"


def changed_homes(before: Settlement, after: Settlement) -> frozenset[str] | None:
    """Everybody whose own readings count differently in the two runs; None if they do not have the same intervals."""
    if before.slots != after.slots:
        return None
    changed = set()
    for old, new in zip(shared_slots(before), shared_slots(after), strict=True):
        changed |= _differing(old.parts(AllocationKey("")), new.parts(AllocationKey("")), (SURPLUS, DEMAND))
    return frozenset(changed)


def hides_each_home(before: Settlement, after: Settlement, group: GroupRule) -> bool:
    """Whether members who know both runs' numbers learn nothing about fewer than five homes."""
    if before.slots != after.slots:
        return False
    keys = [check_rule(run.rule, run.members) for run in (before, after)]
    for old, new in zip(shared_slots(before), shared_slots(after), strict=True):
        sides = old.parts(keys[0]), new.parts(keys[1])
        if not all(group.allows(_differing(*sides, [name])) for name in {*sides[0], *sides[1]}):
            return False
    return True


def _differing(old: Parts, new: Parts, names: Iterable[str]) -> set[str]:
    """The homes that these numbers count differently; a home that is there in one run only counts, whatever it adds."""
    arrived = old[DEMAND].keys() ^ new[DEMAND].keys()
    found = set()
    for name in names:
        one, other = old.get(name, {}), new.get(name, {})
        found |= {home for home in {*one, *other} if home in arrived or one.get(home, 0) != other.get(home, 0)}
    return found
