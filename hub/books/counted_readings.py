"""What counts of the readings over several days, each by its own rule: what was measured, and some of what was derived.

For a look at readings beside settlement; a day's settlement reads its own inputs.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from hub.books.stored_rules import read_rule
from hub.core.rules.derived_energy import NO_DERIVED, DerivedRule
from hub.core.rules.rulebook import Rule
from hub.storage.contract import BookStore, ReadingStore
from hub.storage.records import Access, SettlementInputs
from protocols.slots import day_of, slots_of_day


class CountedStore(BookStore, ReadingStore, Protocol):
    """The parts of the store that say what was read, and by which rule it counts."""


@dataclass(frozen=True, slots=True)
class DayRule:
    """The slots of a local day, or what of it was asked for, and the rule in force on it."""

    slots: range
    rule: Rule


async def rules_of_days(store: BookStore, slots: range, *, tz: str) -> list[DayRule]:
    """The rule of each local day that these slots reach into, in order."""
    rules: list[DayRule] = []
    known: dict[str, Rule] = {}
    day = day_of(slots.start, tz)
    while (mine := slots_of_day(day, tz)).start < slots.stop:
        version, canonical = await store.rule_on(day.isoformat())
        rule = known.setdefault(version, read_rule(canonical))
        rules.append(DayRule(range(max(mine.start, slots.start), min(mine.stop, slots.stop)), rule))
        day += timedelta(days=1)
    return rules


async def counted_inputs(
    store: ReadingStore, slots: range, *, rules: Sequence[DayRule], access: Access
) -> SettlementInputs:
    """The readings of these slots, with what was derived and counts by each day's rule. The access is logged."""
    inputs = await store.settlement_inputs(slots=slots, access=access)
    by_rule = {NO_DERIVED: inputs}
    for wanted in (day.rule.derived for day in rules):
        if wanted not in by_rule:
            by_rule[wanted] = await store.settlement_inputs(slots=slots, access=access, derived=wanted)
    return inputs if len(by_rule) == 1 else await asyncio.to_thread(_by_each_rule, by_rule, slots, rules)


def _by_each_rule(
    by_rule: Mapping[DerivedRule, SettlementInputs], slots: range, rules: Sequence[DayRule]
) -> SettlementInputs:
    inputs = by_rule[NO_DERIVED]
    surplus_wh, demand_wh, derived = inputs.surplus_wh.copy(), inputs.demand_wh.copy(), inputs.derived.copy()
    for day in rules:
        counted, here = by_rule[day.rule.derived], slice(day.slots.start - slots.start, day.slots.stop - slots.start)
        surplus_wh[here], demand_wh[here] = counted.surplus_wh[here], counted.demand_wh[here]
        derived[here] = counted.derived[here]
    return replace(inputs, surplus_wh=surplus_wh, demand_wh=demand_wh, derived=derived)
