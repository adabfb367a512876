"""Settles one period: readings and a rule in; energy, money and a hash out. It fetches and books nothing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from hub.core.allocation.rounding import Energy
from hub.core.allocation.surplus import allocate
from hub.core.rules.allocation_key import AllocationKey
from hub.core.rules.input_checks import MAX_INTEGER
from hub.core.rules.rulebook import Rule, check_rule, sort_members
from hub.core.settlement.money import Money, price_energy
from hub.core.settlement.prepared_readings import (
    PreparedReadings,
    Presence,
    Readings,
    big_endian,
    canonical_line,
    digest_inputs,
    prepare_readings,
    put_in_order,
)
from hub.core.settlement.slot_marks import SlotMarks, plain_marks

__all__ = ["Readings", "Settlement", "check_inputs", "digest_inputs", "settle", "sum_columns"]

RECORD_TAG: Final = b"commonwatt allocation record v1\n"


@dataclass(frozen=True)
class Settlement:
    """A settled period. Columns are `members` in byte order, rows are intervals named by their first slot.

    Members who are not `present` have zeros. `marks` are by slot even where slots are summed into longer intervals.
    Units: Wh.
    """

    rule: Rule
    members: tuple[str, ...]
    slots: tuple[int, ...]
    present: Presence
    provisional: Presence
    surplus_wh: Energy
    demand_wh: Energy
    alloc_wh: Energy
    sold_wh: Energy
    marks: Mapping[str, SlotMarks] = field(default_factory=dict)

    @cached_property
    def columns(self) -> Mapping[str, int]:
        """The column of each member: found at once, however many there are."""
        return {member: column for column, member in enumerate(self.members)}

    @property
    def import_wh(self) -> Energy:
        """Demand the neighbourhood did not cover."""
        return self.demand_wh - self.alloc_wh

    @property
    def export_wh(self) -> Energy:
        """Surplus the neighbourhood did not use."""
        return self.surplus_wh - self.sold_wh

    @cached_property
    def totals_wh(self) -> dict[str, tuple[int, ...]]:
        """Period sums by member: surplus, demand, alloc, sold, import, export."""
        surplus, demand = sum_columns(self.surplus_wh), sum_columns(self.demand_wh)
        alloc, sold = sum_columns(self.alloc_wh), sum_columns(self.sold_wh)
        grid_in = tuple(d - a for d, a in zip(demand, alloc, strict=True))
        grid_out = tuple(s - x for s, x in zip(surplus, sold, strict=True))
        names = ("surplus", "demand", "alloc", "sold", "import", "export")
        return dict(zip(names, (surplus, demand, alloc, sold, grid_in, grid_out), strict=True))

    @cached_property
    def money(self) -> Money:
        """The period's money by member."""
        return price_energy(self.totals_wh["alloc"], self.totals_wh["sold"], prices=self.rule.prices)

    def part(self, start: int, stop: int) -> "Settlement":
        """The rows from `start` up to `stop` as a separate settlement, such as one day of a month."""
        rows = slice(start, stop)
        return replace(
            self,
            slots=self.slots[rows],
            present=self.present[rows],
            provisional=self.provisional[rows],
            surplus_wh=self.surplus_wh[rows],
            demand_wh=self.demand_wh[rows],
            alloc_wh=self.alloc_wh[rows],
            sold_wh=self.sold_wh[rows],
            marks={member: marks.within(self._slots_between(start, stop)) for member, marks in self.marks.items()},
        )

    def _slots_between(self, start: int, stop: int) -> range:
        rows = self.slots[start:stop]
        return range(rows[0], rows[-1] + self.rule.aggregate) if rows else range(0)

    def record(self) -> bytes:
        """The packed allocation record: the bytes that result_hash covers."""
        head: dict[str, object] = {
            "rule": self.rule.version(),
            "members": self.members,
            "intervals": len(self.slots),
        }
        if marks := plain_marks(self.marks):
            head["marks"] = marks
        energy = (self.surplus_wh, self.demand_wh, self.alloc_wh, self.sold_wh)
        return b"".join(
            [
                RECORD_TAG,
                canonical_line(head),
                big_endian(np.array(self.slots, dtype=np.int64)),
                np.packbits(self.present).tobytes(),
                np.packbits(self.provisional).tobytes(),
                *(big_endian(column) for column in energy),
            ]
        )

    def result_hash(self) -> str:
        """SHA-256 of the record. The same readings and rule give the same hash, in whatever order they arrived."""
        return hashlib.sha256(self.record()).hexdigest()


def settle(readings: Readings, rule: Rule) -> Settlement:
    """Settles the period by the rule. Raises: RejectedInputError before any slot is settled.

    With a participation factor, only that part of a member's energy, rounded down, is shared; the grid takes the rest.

    >>> readings = Readings(("ann", "ben"), (0,), np.array([[0, 900]]), np.array([[1_200, 300]]))
    >>> settled = settle(readings, Rule("proportional"))
    >>> settled.alloc_wh.tolist(), settled.sold_wh.tolist(), settled.import_wh.tolist()
    ([[720, 180]], [[0, 900]], [[480, 120]])
    """
    members, key, accepted = check_inputs(readings, rule)
    percent = np.array([rule.participation_percent.get(member, 100) for member in members], dtype=np.int64)
    shared = allocate(
        accepted.surplus_wh * percent // 100,
        accepted.demand_wh * percent // 100,
        key=key,
        present=accepted.present,
        highest_wh=MAX_INTEGER * rule.aggregate,
    )
    return Settlement(
        rule=rule,
        members=members,
        slots=accepted.slots,
        present=accepted.present,
        provisional=accepted.provisional,
        surplus_wh=accepted.surplus_wh,
        demand_wh=accepted.demand_wh,
        alloc_wh=shared.alloc_wh,
        sold_wh=shared.sold_wh,
        marks=readings.marks,
    )


def check_inputs(readings: Readings, rule: Rule) -> tuple[tuple[str, ...], AllocationKey, PreparedReadings]:
    """Members in order, the rule's key and the prepared readings.

    Raises: RejectedInputError in every case in which `settle` does.
    """
    members = sort_members(readings.members)
    key = check_rule(rule, members)
    return members, key, prepare_readings(put_in_order(readings), rule)


def sum_columns(energy_wh: Energy) -> tuple[int, ...]:
    """Exact sums of the columns, even where 64 bits cannot hold them."""
    top = int(energy_wh.max(initial=0))
    if top * len(energy_wh) < 2**63:
        return tuple(energy_wh.sum(axis=0, dtype=np.int64).tolist())
    high, low = (energy_wh >> 32).sum(axis=0).tolist(), (energy_wh & 0xFFFFFFFF).sum(axis=0).tolist()
    return tuple((h << 32) + lo for h, lo in zip(high, low, strict=True))
