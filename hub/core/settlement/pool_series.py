"""A settled day's pool series: what the neighbourhood shared slot by slot, so that members can recompute their part.

Two forms of it: the auditor's is whole, the members' leaves out what fewer than five homes stand behind. It settles
nothing and holds no member's reading, but for `pairwise`, whose steps are single homes' surplus: these are the
auditor's alone.

Privacy: every number for members is a sum over the homes that take part in the slot, or a bound; for `priority` over
the homes of a tier. A sum over five homes still tells something of four others to the fifth, and in a scarce slot the
total shared is what the homes with surplus made: that is the price of a statement one can check, set by the rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.core.allocation.published_steps import SharingStep, buyer_steps, producer_step, share_step
from hub.core.allocation.rounding import largest_remainder
from hub.core.rules.allocation_key import GRID_PPM, AllocationKey
from hub.core.rules.rulebook import check_rule
from hub.core.settlement.period import Settlement

LEAST_HOMES: Final = 5
SERIES_FORMAT: Final = "commonwatt-pool-series-1"


@dataclass(frozen=True, slots=True)
class Producer:
    """One producer's pairwise sharing in a slot: the quota step and what each consumer took, by member."""

    member: str
    step: SharingStep
    taken_wh: tuple[tuple[str, int], ...]

    def plain(self) -> list[object]:
        """The producer as a list for JSON."""
        return [self.member, self.step.plain(), dict(self.taken_wh)]


@dataclass(frozen=True, slots=True)
class PoolSlot:
    """One interval: how many homes took part, the buyers' steps and the sellers' one; `producers` for pairwise only.

    `hidden` has one word for each of `buy`: whether too few homes stand behind that step for members to see it.
    """

    slot: int
    homes: int
    buy: tuple[SharingStep, ...] = ()
    hidden: tuple[bool, ...] = ()
    sell: SharingStep | None = None
    producers: tuple[Producer, ...] = ()

    def for_auditor(self) -> dict[str, object]:
        """All of it."""
        whole: dict[str, object] = {"slot": self.slot, "homes": self.homes}
        if self.sell is None:
            return whole | {"producers": [producer.plain() for producer in self.producers]}
        return whole | {"buy": [step.plain() for step in self.buy], "sell": self.sell.plain()}

    def for_members(self) -> dict[str, object]:
        """What at least five homes stand behind; `withheld` says that something is left to the auditor."""
        shown: dict[str, object] = {"slot": self.slot, "homes": self.homes}
        if self.homes < LEAST_HOMES or self.sell is None:
            return shown | {"withheld": True}
        buy = [None if hidden else step.plain() for step, hidden in zip(self.buy, self.hidden, strict=True)]
        return shown | {"buy": buy, "sell": self.sell.plain(), "withheld": None in buy}


@dataclass(frozen=True, slots=True)
class PoolSeries:
    """A settled day for publication. `record` is the hash of the allocation record that the day's entries cite."""

    coop: str
    day: str
    run: str
    record: str
    rule: str
    slots: tuple[PoolSlot, ...]

    def for_members(self) -> dict[str, object]:
        """The series every member may have, as plain data."""
        return self._document("members", [slot.for_members() for slot in self.slots])

    def for_auditor(self, salt: str) -> dict[str, object]:
        """The whole series. `salt` is a secret of the hub's, so that the hash of this tells nobody what is in it."""
        return {**self._document("auditor", [slot.for_auditor() for slot in self.slots]), "salt": salt}

    def _document(self, readers: str, slots: list[dict[str, object]]) -> dict[str, object]:
        return {
            "format": SERIES_FORMAT,
            "for": readers,
            "coop": self.coop,
            "day": self.day,
            "run": self.run,
            "record": self.record,
            "rule": self.rule,
            "slots": slots,
        }


def pool_series(settled: Settlement, *, coop: str, day: str, run: str) -> PoolSeries:
    """The series of a settled day."""
    key, rule = check_rule(settled.rule, settled.members), settled.rule
    percent = np.array([rule.participation_percent.get(member, 100) for member in settled.members], dtype=np.int64)
    surplus, demand = (settled.surplus_wh * percent // 100).tolist(), (settled.demand_wh * percent // 100).tolist()
    present, used = settled.present.tolist(), [sum(row) for row in settled.alloc_wh.tolist()]
    slots = []
    for t, slot in enumerate(settled.slots):
        rows = (surplus[t], demand[t], present[t])
        if key.method == "pairwise":
            slots.append(PoolSlot(slot, sum(present[t]), producers=_producers(*rows, key=key, members=settled.members)))
        else:
            slots.append(_pool_slot(slot, *rows, used=used[t], key=key, members=settled.members))
    return PoolSeries(coop, day, run, settled.result_hash(), rule.version(), tuple(slots))


def _pool_slot(
    slot: int,
    surplus: Sequence[int],
    demand: Sequence[int],
    present: Sequence[bool],
    *,
    used: int,
    key: AllocationKey,
    members: Sequence[str],
) -> PoolSlot:
    buy = buyer_steps(surplus, demand, present, key=key, members=members)
    return PoolSlot(
        slot,
        homes=sum(present),
        buy=buy,
        hidden=_hidden(len(buy), present, key),
        sell=share_step(used, surplus, members),
    )


def _hidden(steps: int, present: Sequence[bool], key: AllocationKey) -> tuple[bool, ...]:
    """Which steps single out too few homes. With one sum of a part, the whole gives away the sum of the other part."""
    if key.method == "priority":
        return _hidden_tiers([sum(present[i] for i in tier) for tier in key.tiers])
    if key.method == "solidarity":
        group = sum(present[i] for i in key.group)
        return (0 < group < LEAST_HOMES or 0 < sum(present) - group < LEAST_HOMES,) * steps
    return (False,) * steps


def _hidden_tiers(homes: Sequence[int]) -> tuple[bool, ...]:
    """Tiers of less than five homes, and the next smallest with them if these are less than five together."""
    hidden = [0 < count < LEAST_HOMES for count in homes]
    left_out = sum(count for count, hide in zip(homes, hidden, strict=True) if hide)
    others = [tier for tier, count in enumerate(homes) if count >= LEAST_HOMES]
    if 0 < left_out < LEAST_HOMES and others:
        hidden[min(others, key=lambda tier: homes[tier])] = True
    return tuple(hidden)


def _producers(
    surplus: Sequence[int],
    demand: Sequence[int],
    present: Sequence[bool],
    *,
    key: AllocationKey,
    members: Sequence[str],
) -> tuple[Producer, ...]:
    unmet, producers = list(demand), []
    for producer, consumers in key.coefficients:
        here = [(column, ppm) for column, ppm in consumers if present[column]]
        weights = [(members[column], ppm) for column, ppm in here]
        grid_ppm = GRID_PPM - sum(ppm for _, ppm in here)
        quota = largest_remainder(surplus[producer], [*(ppm for _, ppm in here), grid_ppm])
        taken = []
        for (column, _), share in zip(here, quota[:-1], strict=True):
            amount = min(share, unmet[column])
            unmet[column] -= amount
            taken.append((members[column], amount))
        step = producer_step(surplus[producer], weights)
        producers.append(Producer(members[producer], step, tuple(taken)))
    return tuple(producers)
