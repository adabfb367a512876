"""The lines in the log of rows that the hub writes by itself, where a trigger's way would cost more than the row.

A trigger's line goes into a table, comes to the hub as text and goes back. Of the rows that intake adds, the hub knows
all that the text says. A row that anybody else adds the trigger tells of, and `verify` finds one without a line.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from hub.storage.sql.row_log.protection import LOGGED

OWN_LINES: Final[Mapping[str, str]] = {"message": "position"}
"""The tables whose new rows the hub tells itself, each with its key, which is a number."""

SETTING: Final = "commonwatt.own_lines"
"""Has the table's name in it while the hub adds rows whose lines it writes itself: their trigger then says nothing."""

OwnLine = tuple[int, str, str, str, str, str]
"""As a waiting line: id (none here), source, key, change, content, says."""


def own_lines(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[OwnLine]:
    """The lines of these new rows: the same text that the trigger gives. `columns` are all of the table's, in order."""
    left_out = LOGGED[table].left_out
    at = [place for place, name in enumerate(columns) if name not in left_out]
    key = columns.index(OWN_LINES[table])
    for row in rows:
        content = "|".join([_cell(row[place]) for place in at])
        yield 0, table, f"[{row[key]}]", "added", content, ""


def _cell(held: int | str | bytes | None) -> str:
    if type(held) is bytes:
        return f"b{held.hex().upper()}"
    return _kept_cell(held)


@lru_cache(maxsize=4096)
def _kept_cell(held: int | str | None) -> str:
    """The same numbers and names stand in most rows of a group."""
    if held is None:
        return "n"
    kind = "i" if isinstance(held, int) else "t"
    return kind + str(held).encode().hex().upper()
