"""Coefficients by pair: tables read back, a rule's parameters survive, and settled slots come out again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.grid.pairs import (
    PairCoefficient,
    pairs_of_params,
    pairs_of_settlement,
    params_of_pairs,
    read_pairs,
    write_pairs,
)
from hub.core.grid.tables import PPM, GridFileError
from hub.core.rules.rulebook import Rule
from hub.core.settlement.period import settle
from hub.core.settlement.prepared_readings import Readings

names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=6)
tables = st.dictionaries(names, st.dictionaries(names, st.integers(0, PPM // 4), min_size=1, max_size=4), max_size=4)


@given(tables, st.sampled_from([",", "."]), st.one_of(st.none(), st.integers(0, 2_000_000)))
def test_a_table_reads_back(table: dict[str, dict[str, int]], sign: str, slot: int | None) -> None:
    rows = [PairCoefficient(slot, p, c, share) for p, shares in table.items() for c, share in shares.items()]
    assert list(read_pairs(write_pairs(rows, decimal_sign=sign))) == rows


@given(tables)
def test_a_rules_coefficients_survive(table: dict[str, dict[str, int]]) -> None:
    assert params_of_pairs(read_pairs(write_pairs(pairs_of_params(table)))) == table


energies = st.lists(st.integers(0, 5000), min_size=4, max_size=4)


@given(st.lists(st.tuples(energies, energies), min_size=1, max_size=6))
def test_a_settlement_comes_out_again_from_its_coefficients(slots: list[tuple[list[int], list[int]]]) -> None:
    surplus = np.array([row[0] for row in slots], dtype=np.int64)
    demand = np.array([row[1] for row in slots], dtype=np.int64)
    settled = settle(Readings(("a", "b", "c", "d"), tuple(range(len(slots))), surplus, demand), Rule("proportional"))
    again = np.zeros_like(surplus)
    sums: dict[tuple[int | None, str], int] = {}
    for row in pairs_of_settlement(settled):
        at = settled.slots.index(row.slot)
        column = settled.members.index(row.consumer)
        produced = int(surplus[at, settled.members.index(row.producer)])
        again[at, column] += produced * row.share_ppm
        sums[row.slot, row.producer] = sums.get((row.slot, row.producer), 0) + row.share_ppm
    assert all(total <= PPM for total in sums.values())
    pool = surplus.sum(axis=1)[:, None]
    assert (np.abs(again - settled.alloc_wh * PPM) <= pool).all(), "within a millionth of the pool"
    assert read_pairs(write_pairs(pairs_of_settlement(settled))) == pairs_of_settlement(settled)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no header"),
        ("from;producer;consumer\n", "the columns are not"),
        ("from;producer;consumer;coefficient\n;p;;0,5\n", "line 2: producer or consumer"),
        ("from;producer;consumer;coefficient\n;p;c;-0,5\n", "line 2: '-0,5' is not a number"),
        ("from;producer;consumer;coefficient\n;p;c;0,5\n;p;c;0,4\n", "stands twice"),
        ("from;producer;consumer;coefficient\n;p;c;0,6\n;p;d;0,400001\n", "more than one"),
        ("from;producer;consumer;coefficient\n2026-01-01T00:07Z;p;c;0,6\n", "is not the beginning of a slot"),
        ("from;producer;consumer;coefficient\n;p;c\n", "line 2 has 3 columns"),
    ],
)
def test_wrong_tables_are_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(GridFileError, match=reason) as refused:
        read_pairs(text.encode())
    assert "\n" not in str(refused.value)


def test_a_rule_takes_no_coefficients_that_change() -> None:
    with pytest.raises(GridFileError, match="one set"):
        params_of_pairs([PairCoefficient(5, "p", "c", 1)])


@pytest.mark.parametrize("name", [" p", "a\nb", "p\t"])
def test_a_name_no_table_can_hold_is_refused(name: str) -> None:
    with pytest.raises(GridFileError, match="cannot stand in a table"):
        write_pairs([PairCoefficient(None, name, "c", 1)])
