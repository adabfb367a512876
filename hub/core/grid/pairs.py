"""Sharing coefficients by producer and consumer as a table: for France's PMO and Portugal's EGAC, or between two hubs.

A row is `from;producer;consumer;coefficient`, with the time in UTC and six decimals. We found no published description
of the operators' own columns, so these are ours and have to be mapped onto theirs.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.core.allocation.rounding import share_rows
from hub.core.grid.tables import PPM, GridFileError, write_micro
from hub.core.settlement.period import Settlement
from protocols.slots import Slot, format_slot

COLUMNS: Final = ("from", "producer", "consumer", "coefficient")
DELIMITER: Final = ";"


@dataclass(frozen=True, slots=True)
class PairCoefficient:
    """The part of a producer's surplus that goes to a consumer in a slot, in millionths."""

    slot: Slot
    producer: str
    consumer: str
    share_ppm: int


def write_pairs(rows: Iterable[PairCoefficient]) -> bytes:
    """The table, its rows in the order given. Raises: GridFileError for a pair that appears twice or a sum above one.

    >>> write_pairs([PairCoefficient(0, "m01", "m02", 250_000)]).decode().splitlines()[1]
    '1970-01-01T00:00Z;m01;m02;0,250000'
    """
    lines = [DELIMITER.join(COLUMNS)]
    for row in _checked(rows):
        cells = (format_slot(row.slot), _cell(row.producer), _cell(row.consumer), write_micro(row.share_ppm, ","))
        lines.append(DELIMITER.join(cells))
    return ("\n".join(lines) + "\n").encode("utf-8")


def pairs_of_settlement(settled: Settlement) -> tuple[PairCoefficient, ...]:
    """A settlement as coefficients for each slot: every producer's surplus is divided like the whole pool.

    One million is divided by largest remainder in proportion to what each consumer got and, last, what nobody used. A
    producer's shares therefore add up to one million less the grid's part, and each differs from the settled share by
    less than 1e-6.
    """
    used = settled.alloc_wh.sum(axis=1)
    pool = settled.surplus_wh.sum(axis=1)
    weights = np.concatenate([settled.alloc_wh, (pool - used)[:, None]], axis=1)
    million = np.full(len(settled.slots), PPM, dtype=np.int64)
    shares = share_rows(million, weights, pool)
    rows = []
    for t, p in np.argwhere(settled.surplus_wh > 0).tolist():
        for c in np.flatnonzero(shares[t, :-1]).tolist():
            share = int(shares[t, c])
            rows.append(PairCoefficient(settled.slots[t], settled.members[p], settled.members[c], share))
    return tuple(rows)


def _checked(rows: Iterable[PairCoefficient]) -> tuple[PairCoefficient, ...]:
    sums: dict[tuple[Slot, str], int] = defaultdict(int)
    seen: set[tuple[Slot, str, str]] = set()
    checked = tuple(rows)
    for row in checked:
        key = (row.slot, row.producer, row.consumer)
        if key in seen:
            raise GridFileError(f"{_pair(row)} appears twice")
        seen.add(key)
        sums[row.slot, row.producer] += row.share_ppm
        if sums[row.slot, row.producer] > PPM:
            raise GridFileError(f"{_pair(row)}: the shares of this producer add up to more than one")
    return checked


def _pair(row: PairCoefficient) -> str:
    return f"{row.producer[:40]!a} to {row.consumer[:40]!a} at {format_slot(row.slot)}"


def _cell(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise GridFileError(
            f"the name {text[:40]!a} does not fit in a table: spaces around it or control characters in it"
        )
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if DELIMITER in text or '"' in text else text
