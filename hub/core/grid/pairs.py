"""Sharing coefficients by producer and consumer as a table: for France's PMO and Portugal's EGAC, or between two hubs.

One row `from;producer;consumer;coefficient`, times in UTC, six decimals; without a time a row holds throughout. The
operators' own column layouts are not published where we could read them, so this is ours, to be mapped onto theirs.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.core.allocation.rounding import share_rows
from hub.core.grid.tables import PPM, GridFileError, read_micro, read_table, write_micro
from hub.core.settlement.period import Settlement
from protocols.slots import Slot, format_slot, parse_slot

COLUMNS: Final = ("from", "producer", "consumer", "coefficient")
DELIMITER: Final = ";"


@dataclass(frozen=True, slots=True)
class PairCoefficient:
    """The part of a producer's surplus that goes to a consumer, in millionths; from `slot` on, or throughout."""

    slot: Slot | None
    producer: str
    consumer: str
    share_ppm: int


def write_pairs(rows: Iterable[PairCoefficient], *, decimal_sign: str = ",") -> bytes:
    """The table, rows in the order given. Raises: GridFileError for a set that adds up to more than one."""
    checked = _checked(rows)
    lines = [DELIMITER.join(COLUMNS)]
    for row in checked:
        at = "" if row.slot is None else format_slot(row.slot)
        names = (_cell(row.producer), _cell(row.consumer))
        lines.append(DELIMITER.join((at, *names, write_micro(row.share_ppm, decimal_sign))))
    return ("\n".join(lines) + "\n").encode("utf-8")


def read_pairs(content: bytes) -> tuple[PairCoefficient, ...]:
    """The rows of a table. Raises: GridFileError for a double, a sum over one, or a cell that is no such thing."""
    header, table = read_table(content)
    if tuple(header) != COLUMNS:
        raise GridFileError(f"the columns are not {DELIMITER.join(COLUMNS)}")
    rows = []
    for line, (at, producer, consumer, coefficient) in table:
        where = f"line {line}"
        if not producer or not consumer:
            raise GridFileError(f"{where}: producer or consumer is missing")
        share, _ = read_micro(coefficient, where)
        try:
            slot = parse_slot(at) if at else None
        except ValueError as error:
            raise GridFileError(f"{where}: {error}") from None
        rows.append(PairCoefficient(slot, producer, consumer, share))
    return _checked(rows)


def pairs_of_params(coefficients: Mapping[str, Mapping[str, int]]) -> tuple[PairCoefficient, ...]:
    """A rule's `params.coefficients` as rows that hold throughout, in the byte order of names."""
    pairs = [(producer, consumer) for producer, shares in coefficients.items() for consumer in shares]
    pairs.sort(key=lambda pair: (pair[0].encode("utf-8"), pair[1].encode("utf-8")))
    return tuple(PairCoefficient(None, p, c, coefficients[p][c]) for p, c in pairs)


def params_of_pairs(rows: Iterable[PairCoefficient]) -> dict[str, dict[str, int]]:
    """Rows that hold throughout as a rule's `params.coefficients`.

    Raises: GridFileError for rows of single slots: a rule holds one set of coefficients.
    """
    table: dict[str, dict[str, int]] = defaultdict(dict)
    for row in _checked(rows):
        if row.slot is not None:
            raise GridFileError("the coefficients change with time; a rule takes one set, in rows without a time")
        table[row.producer][row.consumer] = row.share_ppm
    return dict(table)


def pairs_of_settlement(settled: Settlement) -> tuple[PairCoefficient, ...]:
    """What was settled as coefficients for each slot: every producer's surplus divided as the whole pool was.

    Largest remainder of one million by what each consumer got, with what nobody took as the last. So each producer's
    shares add up to one million less the grid's part, and a share differs from the settled one by less than 1e-6.
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
    sums: dict[tuple[Slot | None, str], int] = defaultdict(int)
    seen: set[tuple[Slot | None, str, str]] = set()
    kept: Sequence[PairCoefficient] = tuple(rows)
    for row in kept:
        key = (row.slot, row.producer, row.consumer)
        if key in seen:
            raise GridFileError(f"{_pair(row)} stands twice")
        seen.add(key)
        sums[row.slot, row.producer] += row.share_ppm
        if sums[row.slot, row.producer] > PPM:
            raise GridFileError(f"{_pair(row)}: the shares of this producer add up to more than one")
    return tuple(kept)


def _pair(row: PairCoefficient) -> str:
    at = "" if row.slot is None else f" at {format_slot(row.slot)}"
    return f"{row.producer[:40]!a} to {row.consumer[:40]!a}{at}"


def _cell(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise GridFileError(f"the name {text[:40]!a} cannot stand in a table: it has spaces around or signs inside")
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if DELIMITER in text or '"' in text else text
