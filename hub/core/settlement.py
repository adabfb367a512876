"""One period settled: readings and a rule in, energy, money and a hash out. It fetches nothing and books nothing."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub.core.allocation import Energy, allocate
from hub.core.money import Money, price_energy
from hub.core.refusal import MAX_INTEGER, Refusal, one_line, require_integer
from hub.core.rulebook import Rule, check_rule, sort_members

MISSING_WH: Final = -1
RECORD_TAG: Final = b"commonwatt allocation record v1\n"
INPUT_TAG: Final = b"commonwatt settlement input v1\n"

Window = tuple[int, int | None]


@dataclass(frozen=True)
class Readings:
    """What was registered at each connection point; `MISSING_WH` where nothing was.

    Shape: `surplus_wh` and `demand_wh` are [slots, members]. A member without a window is there throughout.
    """

    members: tuple[str, ...]
    slots: tuple[int, ...]
    surplus_wh: Energy
    demand_wh: Energy
    windows: Mapping[str, Window] = field(default_factory=dict)


@dataclass(frozen=True)
class Settlement:
    """A settled period. Columns are `members` in byte order; rows are settled intervals, named by their first slot.

    Readings of members who are not `present` stand as zero. Units: Wh.
    """

    rule: Rule
    members: tuple[str, ...]
    slots: tuple[int, ...]
    present: NDArray[np.bool_]
    provisional: NDArray[np.bool_]
    surplus_wh: Energy
    demand_wh: Energy
    alloc_wh: Energy
    sold_wh: Energy

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
        """The rows from `start` up to `stop` as a settlement of their own, e.g. one day of a month."""
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
        )

    def record(self) -> bytes:
        """The packed allocation record: the bytes the hash covers and an entry cites."""
        head = {"rule": self.rule.version(), "members": self.members, "intervals": len(self.slots)}
        energy = (self.surplus_wh, self.demand_wh, self.alloc_wh, self.sold_wh)
        return b"".join(
            [
                RECORD_TAG,
                _canonical_line(head),
                _big_endian(np.array(self.slots, dtype=np.int64)),
                np.packbits(self.present).tobytes(),
                np.packbits(self.provisional).tobytes(),
                *(_big_endian(column) for column in energy),
            ]
        )

    def result_hash(self) -> str:
        """SHA-256 of the record: the same accepted readings and rule give the same, whatever their order was."""
        return hashlib.sha256(self.record()).hexdigest()


def settle(readings: Readings, rule: Rule) -> Settlement:
    """The period settled by the rule, or a Refusal before any slot is settled."""
    members = sort_members(readings.members)
    key = check_rule(rule, members)
    readings = put_in_order(readings)
    _check_energy(readings)
    inside = _membership(readings)
    given = (readings.surplus_wh >= 0) & (readings.demand_wh >= 0)
    gaps = inside & ~given
    if rule.missing == "refuse" and gaps.any():
        row, column = np.argwhere(gaps)[0].tolist()
        where = f"member {one_line(members[column])} in slot {readings.slots[row]}"
        raise Refusal("missing_reading", f"no reading of {where}, and the rule refuses gaps")
    present = inside & given
    surplus = np.where(present, readings.surplus_wh, 0)
    demand = np.where(present, readings.demand_wh, 0)
    slots, provisional = readings.slots, gaps.any(axis=1)
    if rule.aggregate > 1:
        slots, present, provisional, surplus, demand = _aggregate(
            slots, present, provisional=provisional, energy=(surplus, demand), size=rule.aggregate
        )
    percent = np.array([rule.participation_percent.get(member, 100) for member in members], dtype=np.int64)
    highest = MAX_INTEGER * rule.aggregate
    shared = allocate(
        surplus * percent // 100, demand * percent // 100, key=key, present=present, highest_wh=highest
    )
    return Settlement(
        rule=rule,
        members=members,
        slots=slots,
        present=present,
        provisional=provisional,
        surplus_wh=surplus,
        demand_wh=demand,
        alloc_wh=shared.alloc_wh,
        sold_wh=shared.sold_wh,
    )


def digest_inputs(readings: Readings, rule: Rule) -> str:
    """SHA-256 naming what a run settles: rule version, members, windows and every reading. Part of the run key."""
    readings = put_in_order(readings)
    windows = {member: list(window) for member, window in readings.windows.items()}
    head = {"rule": rule.version(), "members": readings.members, "windows": windows, "slots": len(readings.slots)}
    parts = [INPUT_TAG, _canonical_line(head), _big_endian(np.array(readings.slots, dtype=np.int64))]
    parts += [_big_endian(readings.surplus_wh), _big_endian(readings.demand_wh)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def put_in_order(readings: Readings) -> Readings:
    """The same readings with members in byte order and slots ascending; refuses a slot that stands twice."""
    columns = sorted(range(len(readings.members)), key=lambda i: readings.members[i].encode("utf-8"))
    rows = sorted(range(len(readings.slots)), key=lambda i: readings.slots[i])
    slots = tuple(readings.slots[i] for i in rows)
    for left, right in zip(slots, slots[1:], strict=False):
        if left == right:
            raise Refusal("duplicate_interval", f"slot {left} stands twice")
    if columns == list(range(len(columns))) and rows == list(range(len(rows))):
        return readings
    return replace(
        readings,
        members=tuple(readings.members[i] for i in columns),
        slots=slots,
        surplus_wh=readings.surplus_wh[np.ix_(rows, columns)],
        demand_wh=readings.demand_wh[np.ix_(rows, columns)],
    )


def sum_columns(energy_wh: Energy) -> tuple[int, ...]:
    """Exact sums down the columns, in Python integers where 64 bits might not hold them."""
    top = int(energy_wh.max(initial=0))
    if top * len(energy_wh) < 2**63:
        return tuple(energy_wh.sum(axis=0, dtype=np.int64).tolist())
    high, low = (energy_wh >> 32).sum(axis=0).tolist(), (energy_wh & 0xFFFFFFFF).sum(axis=0).tolist()
    return tuple((h << 32) + lo for h, lo in zip(high, low, strict=True))


def _check_energy(readings: Readings) -> None:
    shape = (len(readings.slots), len(readings.members))
    for name, energy in (("surplus", readings.surplus_wh), ("demand", readings.demand_wh)):
        if energy.shape != shape or energy.dtype != np.int64:
            raise ValueError(f"{name} is {energy.dtype}{energy.shape}, not int64{shape}")
        if energy.size and int(energy.min()) < MISSING_WH:
            raise Refusal("negative", f"{name} holds a negative reading")
        if energy.size and int(energy.max()) > MAX_INTEGER:
            raise Refusal("out_of_range", f"{name} holds a reading greater than 2^53-1")


def _membership(readings: Readings) -> NDArray[np.bool_]:
    inside = np.ones(readings.demand_wh.shape, dtype=np.bool_)
    columns = {member: column for column, member in enumerate(readings.members)}
    slots = np.array(readings.slots, dtype=np.int64)
    for member, (first, end) in readings.windows.items():
        if member not in columns:
            raise Refusal("unknown_member", f"windows names {one_line(member)}, who is not a member")
        require_integer(first, f"windows.{one_line(member)}[0]")
        here = slots >= first
        if end is not None:
            here &= slots < require_integer(end, f"windows.{one_line(member)}[1]")
        inside[:, columns[member]] = here
    return inside


def _aggregate(
    slots: tuple[int, ...],
    present: NDArray[np.bool_],
    *,
    provisional: NDArray[np.bool_],
    energy: tuple[Energy, Energy],
    size: int,
) -> tuple[tuple[int, ...], NDArray[np.bool_], NDArray[np.bool_], Energy, Energy]:
    """Every `size` slots as one; who misses one of them is not in the sum, and one gap makes it provisional."""
    if len(slots) % size:
        raise Refusal("interval_count", f"{len(slots)} intervals do not make whole groups of {size}")
    starts = slots[::size]
    for start, end in zip(starts, slots[size - 1 :: size], strict=True):
        if end - start != size - 1:
            raise Refusal("interval_count", f"the group that starts at slot {start} has a hole")
    groups, members = len(starts), present.shape[1]
    whole = present.reshape(groups, size, members).all(axis=1)
    summed = [np.where(whole, wh.reshape(groups, size, members).sum(axis=1), 0) for wh in energy]
    return starts, whole, provisional.reshape(groups, size).any(axis=1), summed[0], summed[1]


def _big_endian(energy: Energy) -> bytes:
    return energy.astype(">i8").tobytes()


def _canonical_line(document: Mapping[str, object]) -> bytes:
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8") + b"\n"
