"""A settled day's pool series: what the neighbourhood shared slot by slot, so that members can recompute their part.

The series has two forms: the auditor's is complete; the members' has null for what is withheld, with the reasons. It
contains no single reading, except with `pairwise`: its steps are the surplus of single homes, which only the auditor
gets. This module settles nothing.

Privacy: every number shown to members is a bound, or a sum over at least five homes on its side: those that draw, or
those that feed in, none of which makes up nearly all of it. hub/core/settlement/disclosure.py names the homes. A sum
over five homes still tells each of them something about the other four. The rules accept this so that
members can check their statements.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from hub.core.allocation.published_steps import SharingStep, buyer_steps, producer_step, share_step
from hub.core.allocation.rounding import largest_remainder
from hub.core.rules.allocation_key import GRID_PPM, AllocationKey
from hub.core.rules.group_size import LEAST_HOMES, GroupRule
from hub.core.rules.rulebook import check_rule
from hub.core.settlement.disclosure import Reasons, SharedSlot, hides_shares, shared_slots, withheld_reasons
from hub.core.settlement.period import Settlement

__all__ = ["LEAST_HOMES", "PoolSeries", "pool_series"]

SERIES_FORMAT: Final = "commonwatt-pool-series-2"
CORRECTION: Final = "correction"
STREET_TOTAL: Final = "street_total"
ANYBODY: Final = GroupRule()


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

    `withheld` says why members see none of the steps, `hidden` which steps of `buy` cover too few homes to be seen.
    With `by_day`, a member's own share is told as a part of the day's sum only.
    """

    slot: int
    homes: int
    buy: tuple[SharingStep, ...] = ()
    hidden: tuple[bool, ...] = ()
    sell: SharingStep | None = None
    demand: int = 0
    producers: tuple[Producer, ...] = ()
    withheld: str | None = None
    by_day: bool = False

    def for_auditor(self) -> dict[str, object]:
        """The complete interval."""
        whole: dict[str, object] = {"slot": self.slot, "homes": self.homes}
        if self.sell is None:
            return whole | {"producers": [producer.plain() for producer in self.producers]}
        return whole | {"demand": self.demand, "buy": [step.plain() for step in self.buy], "sell": self.sell.plain()}

    def for_members(self) -> dict[str, object]:
        """The numbers that members may see, null for the others, and the reasons."""
        shown: dict[str, object] = {"slot": self.slot, "homes": self.homes}
        if self.withheld is not None or self.sell is None:
            return shown | {"demand": None, "buy": None, "sell": None, "withheld": [self.withheld]}
        buy = [None if hidden else step.plain() for step, hidden in zip(self.buy, self.hidden, strict=True)]
        reasons = ["few_in_step"] if None in buy else []
        return shown | {"demand": self.demand, "buy": buy, "sell": self.sell.plain(), "withheld": reasons}


@dataclass(frozen=True, slots=True)
class PoolSeries:
    """A settled day for publication. `run` is the name under which members know the run."""

    coop: str
    day: str
    run: str
    rule: str
    slots: tuple[PoolSlot, ...]

    @property
    def by_day(self) -> tuple[bool, ...]:
        """For each interval, whether a member's own share is told as a part of the day's sum only."""
        return tuple(slot.by_day for slot in self.slots)

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


def pool_series(
    settled: Settlement,
    *,
    coop: str,
    day: str,
    run: str,
    group: GroupRule = ANYBODY,
    totals: Mapping[int, Set[str]] | None = None,
    is_correction: bool = False,
    reasons: Reasons | None = None,
) -> PoolSeries:
    """The series of a settled day. `totals` are the members in each slot's published street total.

    `reasons` say why intervals are withheld, where earlier runs of the day have a part in it.
    With `is_correction`, the run changes fewer than five homes, and all of its series is the auditor's alone.
    """
    key = check_rule(settled.rule, settled.members)
    used = [sum(row) for row in settled.alloc_wh.tolist()]
    slots = []
    reasons = withheld_reasons(settled, group) if reasons is None else reasons
    for t, (shared, reason) in enumerate(zip(shared_slots(settled), reasons, strict=True)):
        span = range(settled.slots[t], settled.slots[t] + settled.rule.aggregate)
        withheld = CORRECTION if is_correction else reason
        if withheld is None and not group.allows(_beside_totals(settled, shared, totals or {}, span)):
            withheld = STREET_TOTAL
        slot = _pool_slot(span.start, shared, used=used[t], key=key, group=group, withheld=withheld)
        slots.append(replace(slot, by_day=hides_shares(reason) and any(shared.surplus)))
    return PoolSeries(coop, day, run, settled.rule.version(), tuple(slots))


def _beside_totals(
    settled: Settlement, shared: SharedSlot, totals: Mapping[int, Set[str]], span: range
) -> frozenset[str]:
    """The members that a difference of these sums and the street totals of the same time would be about."""
    homes, beside = shared.homes(), set()
    for slot in span:
        if slot in totals:
            estimated = {name for name, marks in settled.marks.items() if slot in {at for at, _, _ in marks.estimated}}
            beside |= (homes ^ totals[slot]) | (estimated & totals[slot])
    return frozenset(beside)


def _pool_slot(
    slot: int, shared: SharedSlot, *, used: int, key: AllocationKey, group: GroupRule, withheld: str | None
) -> PoolSlot:
    homes, members = len(shared.homes()), shared.members
    if key.method == "pairwise":
        rows = (shared.surplus, shared.demand, shared.present)
        return PoolSlot(slot, homes, producers=_producers(*rows, key=key, members=members), withheld=withheld)
    buy = buyer_steps(shared.surplus, shared.demand, shared.present, key=key, members=members)
    sell, hidden = share_step(used, shared.surplus, members), _hidden(len(buy), shared, key, group)
    return PoolSlot(slot, homes, buy, hidden, sell, demand=sum(shared.demand), withheld=withheld)


def _hidden(steps: int, shared: SharedSlot, key: AllocationKey, group: GroupRule) -> tuple[bool, ...]:
    """Which steps cover too few homes: the total and the sum of one tier reveal the sum of the others."""
    if key.method != "priority":
        return (False,) * steps
    tiers = [{shared.members[i] for i in tier if shared.present[i]} for tier in key.tiers]
    hidden = [not group.allows(tier) for tier in tiers]
    left_out = {home for tier, hide in zip(tiers, hidden, strict=True) if hide for home in tier}
    others = [i for i, tier in enumerate(tiers) if tier and not hidden[i]]
    if not group.allows(left_out) and others:
        hidden[min(others, key=lambda i: len(tiers[i]))] = True
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
