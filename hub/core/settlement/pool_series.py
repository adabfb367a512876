"""A settled day's pool series: what the neighbourhood shared slot by slot, so that members can recompute their part.

The series has two forms: the auditor's is complete; the members' leaves out sums over fewer than five homes. It
contains no single reading, except with `pairwise`: its steps are the surplus of single homes, which only the auditor
gets. This module settles nothing.

Privacy: every number shown to members is a bound, or a sum over the homes that take part in the slot (for `priority`,
over the homes of a tier). A sum over five homes still tells each of them something about the other four, and in a
scarce slot the total shared is the surplus of the homes that had any. The rules accept this so that members can check
their statements.
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
SERIES_FORMAT: Final = "commonwatt-pool-series-2"


@dataclass(frozen=True, slots=True)
class Producer:
    """One producer's pairwise sharing in a slot: the quota step, and what each consumer took."""

    member: str
    step: SharingStep
    taken_wh: tuple[tuple[str, int], ...]

    def plain(self) -> list[object]:
        """The producer as a list for JSON."""
        return [self.member, self.step.plain(), dict(self.taken_wh)]


@dataclass(frozen=True, slots=True)
class PoolSlot:
    """One interval: how many homes took part, what they drew, the buyers' steps and the sellers'; or `producers`.

    `hidden` says for each step of `buy` whether it covers too few homes for members to see it.
    """

    slot: int
    homes: int
    buy: tuple[SharingStep, ...] = ()
    hidden: tuple[bool, ...] = ()
    sell: SharingStep | None = None
    demand: int = 0
    producers: tuple[Producer, ...] = ()

    def for_auditor(self) -> dict[str, object]:
        """The complete interval."""
        whole: dict[str, object] = {"slot": self.slot, "homes": self.homes}
        if self.sell is None:
            return whole | {"producers": [producer.plain() for producer in self.producers]}
        return whole | {"demand": self.demand, "buy": [step.plain() for step in self.buy], "sell": self.sell.plain()}

    def for_members(self) -> dict[str, object]:
        """The sums over at least five homes; `withheld` says that the auditor's series has more."""
        shown: dict[str, object] = {"slot": self.slot, "homes": self.homes}
        if self.homes < LEAST_HOMES or self.sell is None:
            return shown | {"withheld": True}
        buy = [None if hidden else step.plain() for step, hidden in zip(self.buy, self.hidden, strict=True)]
        return shown | {"demand": self.demand, "buy": buy, "sell": self.sell.plain(), "withheld": None in buy}


@dataclass(frozen=True, slots=True)
class PoolSeries:
    """A settled day for publication. `run` is the name under which members know the run."""

    coop: str
    day: str
    run: str
    rule: str
    slots: tuple[PoolSlot, ...]

    def for_members(self) -> dict[str, object]:
        """The series that every member may see, as plain data."""
        return self._document("members", [slot.for_members() for slot in self.slots])

    def for_auditor(self, salt: str) -> dict[str, object]:
        """The complete series. `salt`, a secret of the hub, keeps anyone from guessing the content from the hash."""
        return {**self._document("auditor", [slot.for_auditor() for slot in self.slots]), "salt": salt}

    def _document(self, readers: str, slots: list[dict[str, object]]) -> dict[str, object]:
        return {
            "format": SERIES_FORMAT,
            "for": readers,
            "coop": self.coop,
            "day": self.day,
            "run": self.run,
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
    return PoolSeries(coop, day, run, rule.version(), tuple(slots))


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
        demand=sum(demand),
    )


def _hidden(steps: int, present: Sequence[bool], key: AllocationKey) -> tuple[bool, ...]:
    """Which steps cover too few homes. The total and the sum of one part reveal the sum of the other part."""
    if key.method == "priority":
        return _hidden_tiers([sum(present[i] for i in tier) for tier in key.tiers])
    if key.method == "solidarity":
        group = sum(present[i] for i in key.group)
        return (0 < group < LEAST_HOMES or 0 < sum(present) - group < LEAST_HOMES,) * steps
    return (False,) * steps


def _hidden_tiers(homes: Sequence[int]) -> tuple[bool, ...]:
    """Hides tiers of fewer than five homes; if these total fewer than five homes, the next smallest tier too."""
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
