"""Tables for a terminal: columns line up, and no line ends with blanks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.text_table import format_table

CELLS = st.text("abcdefg 12", max_size=9).map(str.strip)
TABLES = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), min_size=1, max_size=6))


def test_a_table_as_people_see_it() -> None:
    rows = [("home", "state"), ("h01", "ok"), ("a long name", "no answer since 10:15")]
    assert format_table(rows) == [
        "home         state",
        "-----------  ---------------------",
        "h01          ok",
        "a long name  no answer since 10:15",
    ]


def test_a_heading_alone_is_a_table() -> None:
    assert format_table(iter([("home", "state")])) == ["home  state", "----  -----"]


@settings(max_examples=100)
@given(rows=TABLES)
def test_every_cell_begins_where_its_column_begins(rows: list[tuple[str, ...]]) -> None:
    lines = format_table(rows)
    assert len(lines) == len(rows) + 1
    rule = lines.pop(1)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    assert rule == "  ".join("-" * width for width in widths)
    for row, line in zip(rows, lines, strict=True):
        assert line == line.rstrip()
        at = 0
        for text, width in zip(row, widths, strict=True):
            assert line.ljust(at + width)[at : at + width].rstrip() == text
            at += width + 2


def test_rows_of_different_widths_are_a_broken_program() -> None:
    with pytest.raises((IndexError, ValueError)):
        format_table([("a", "b"), ("c",)])
    with pytest.raises((IndexError, ValueError)):
        format_table([("a",), ("b", "c")])
