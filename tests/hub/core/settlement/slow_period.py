"""A whole period written a second time, slowly, around slow_reference: windows, gaps, sums of slots, participation.

Written from the rules page alone; it shares no line with hub/core.
"""

from dataclasses import dataclass

from hub.core.rules.rulebook import Rule
from hub.core.settlement.prepared_readings import Readings
from tests.hub.core.allocation.slow_reference import Amounts, settle_slot


@dataclass(frozen=True)
class SlowInterval:
    """What each member present was allocated, sold, drew from and fed into the grid."""

    slot: int
    alloc: Amounts
    sold: Amounts
    drawn: Amounts
    fed: Amounts
    is_provisional: bool


def settle_slowly(readings: Readings, rule: Rule) -> list[SlowInterval]:
    """Every interval of the period in order."""
    rows = sorted(range(len(readings.slots)), key=lambda row: readings.slots[row])
    size = rule.aggregate
    return [_settle_interval(readings, rule, rows[at : at + size]) for at in range(0, len(rows), size)]


def _settle_interval(readings: Readings, rule: Rule, rows: list[int]) -> SlowInterval:
    surplus: Amounts = {}
    demand: Amounts = {}
    is_provisional = False
    for column, member in enumerate(readings.members):
        inside = [_is_inside(readings, member, row) for row in rows]
        told = [(int(readings.surplus_wh[row, column]), int(readings.demand_wh[row, column])) for row in rows]
        missing = [min(pair) < 0 for pair in told]
        is_provisional |= any(here and gap for here, gap in zip(inside, missing, strict=True))
        if all(inside) and not any(missing):
            surplus[member], demand[member] = sum(s for s, _ in told), sum(d for _, d in told)
    percent = {member: rule.participation_percent.get(member, 100) for member in surplus}
    alloc, sold = settle_slot(
        rule.method,
        dict(rule.params),
        {member: surplus[member] * percent[member] // 100 for member in surplus},
        {member: demand[member] * percent[member] // 100 for member in demand},
    )
    return SlowInterval(
        slot=readings.slots[rows[0]],
        alloc=alloc,
        sold=sold,
        drawn={member: demand[member] - alloc[member] for member in demand},
        fed={member: surplus[member] - sold[member] for member in surplus},
        is_provisional=is_provisional,
    )


def _is_inside(readings: Readings, member: str, row: int) -> bool:
    first, end = readings.windows.get(member, (0, None))
    return first <= readings.slots[row] and (end is None or readings.slots[row] < end)
