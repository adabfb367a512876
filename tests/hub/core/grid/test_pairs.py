"""Coefficients by pair: the table has every row, wrong sets are refused, and a settlement comes out of them again."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.grid.pairs import COLUMNS, PairCoefficient, pairs_of_settlement, write_pairs
from hub.core.grid.tables import PPM, GridFileError
from hub.core.rules.rulebook import Rule
from hub.core.settlement.period import settle
from hub.core.settlement.prepared_readings import Readings
from protocols.slots import parse_slot

bounded = settings(deadline=None, derandomize=True, max_examples=100)
names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=6)
tables = st.dictionaries(names, st.dictionaries(names, st.integers(0, PPM // 4), min_size=1, max_size=4), max_size=4)


def rows_of(content: bytes) -> list[PairCoefficient]:
    """The table as another program reads it."""
    header, *lines = csv.reader(content.decode("utf-8").splitlines(), delimiter=";")
    assert tuple(header) == COLUMNS
    found = []
    for at, producer, consumer, share in lines:
        whole, decimals = share.split(",")
        assert len(decimals) == 6
        found.append(PairCoefficient(parse_slot(at), producer, consumer, int(whole) * PPM + int(decimals)))
    return found


@given(tables, st.integers(0, 2_000_000))
@bounded
def test_another_program_reads_the_same_rows(table: dict[str, dict[str, int]], slot: int) -> None:
    rows = [PairCoefficient(slot, p, c, share) for p, shares in table.items() for c, share in shares.items()]
    assert rows_of(write_pairs(rows)) == rows


energies = st.lists(st.integers(0, 5000), min_size=4, max_size=4)


@given(st.lists(st.tuples(energies, energies), min_size=1, max_size=6))
@bounded
def test_a_settlement_comes_out_again_from_its_coefficients(slots: list[tuple[list[int], list[int]]]) -> None:
    surplus = np.array([row[0] for row in slots], dtype=np.int64)
    demand = np.array([row[1] for row in slots], dtype=np.int64)
    settled = settle(Readings(("a", "b", "c", "d"), tuple(range(len(slots))), surplus, demand), Rule("proportional"))
    again = np.zeros_like(surplus)
    sums: dict[tuple[int, str], int] = {}
    for row in pairs_of_settlement(settled):
        at = settled.slots.index(row.slot)
        column = settled.members.index(row.consumer)
        produced = int(surplus[at, settled.members.index(row.producer)])
        again[at, column] += produced * row.share_ppm
        sums[row.slot, row.producer] = sums.get((row.slot, row.producer), 0) + row.share_ppm
    assert all(total <= PPM for total in sums.values())
    pool = surplus.sum(axis=1)[:, None]
    assert (np.abs(again - settled.alloc_wh * PPM) <= pool).all(), "within a millionth of the pool"
    assert rows_of(write_pairs(pairs_of_settlement(settled))) == list(pairs_of_settlement(settled))


def test_two_producers_share_one_pool_by_hand() -> None:
    surplus, demand = np.array([[300, 100, 0, 0]]), np.array([[0, 0, 100, 200]])
    settled = settle(Readings(("a", "b", "c", "d"), (7,), surplus, demand), Rule("proportional"))
    assert pairs_of_settlement(settled) == tuple(
        PairCoefficient(7, producer, consumer, share)
        for producer in "ab"
        for consumer, share in (("c", 250_000), ("d", 500_000))  # of 400 Wh, c takes 100 and d takes 200
    )


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ([("c", 500_000), ("c", 400_000)], "'p' to 'c' at 1970-01-01T00:00Z appears twice"),
        ([("c", 600_000), ("d", 400_001)], "add up to more than one"),
    ],
)
def test_a_wrong_set_is_refused_in_one_line(shares: list[tuple[str, int]], reason: str) -> None:
    with pytest.raises(GridFileError, match=reason) as refused:
        write_pairs([PairCoefficient(0, "p", consumer, share) for consumer, share in shares])
    assert "\n" not in str(refused.value)


def test_sums_are_of_one_producer_and_slot() -> None:
    rows = [PairCoefficient(slot, producer, "c", PPM) for slot in (0, 1) for producer in "pq"]
    assert rows_of(write_pairs(rows)) == rows


@pytest.mark.parametrize("name", [" p", "a\nb", "p\t"])
def test_a_name_that_fits_in_no_table_is_refused(name: str) -> None:
    with pytest.raises(GridFileError, match="does not fit in a table"):
        write_pairs([PairCoefficient(0, name, "c", 1)])
