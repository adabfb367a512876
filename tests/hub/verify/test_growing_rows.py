"""A table that only grows and its lines in the log, read side by side: what differs is what a slow comparison finds."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from hub.storage.audit_records import ADDED, FORM, REMOVED, TAKEN_OVER, LogLine, RowLogView
from hub.verify.folder_check.growing_rows import AHEAD, GrowingRows

KEYS = [f'["{name}"]' for name in "abcdef"]
CHANGES = st.lists(
    st.tuples(st.sampled_from((ADDED, "changed", REMOVED, TAKEN_OVER, FORM)), st.sampled_from(KEYS), st.integers(0, 2)),
    max_size=30,
)
ROWS = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 2))


class Rows:
    """The rows of one table, some to a page."""

    def __init__(self, rows: dict[str, int], page: int) -> None:
        self._rows, self._page = [(key, bytes([digest])) for key, digest in rows.items()], page

    async def rows(self, _table: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        for at in range(0, len(self._rows), self._page):
            yield self._rows[at : at + self._page]


def line(change: str, key: str, digest: int) -> LogLine:
    return LogLine(1, 0, "message", key, change, bytes([digest]), "")


async def differences(rows: dict[str, int], changes: Sequence[tuple[str, str, int]], page: int = 2) -> list[str]:
    growing = GrowingRows("message", cast("RowLogView", Rows(rows, page)))
    for change in changes:
        growing.add(line(*change))
        await growing.keep_up()
    return await growing.differences()


def slowly(rows: dict[str, int], changes: Sequence[tuple[str, str, int]]) -> list[str]:
    """Every newest line in memory, then every row."""
    said: dict[str, int] = {}
    for change, key, digest in changes:
        if change == REMOVED:
            said.pop(key, None)
        elif change != FORM:
            said[key] = digest
    names = {key: key[2] for key in KEYS}
    found = [f"message {names[key]}: the row was added past the hub" for key in rows.keys() - said.keys()]
    found += [f"message {names[key]}: the row was removed past the hub" for key in said.keys() - rows.keys()]
    same = rows.keys() & said.keys()
    return found + [f"message {names[key]}: the row was changed past the hub" for key in same if rows[key] != said[key]]


@given(ROWS, CHANGES, st.integers(1, 4))
def test_what_differs_is_what_a_slow_comparison_finds(
    rows: dict[str, int], changes: list[tuple[str, str, int]], page: int
) -> None:
    assert sorted(asyncio.run(differences(rows, changes, page))) == sorted(slowly(rows, changes))


def test_rows_are_read_no_further_than_the_lines_and_what_has_met_is_forgotten() -> None:
    keys = [f'["{n}"]' for n in range(5 * AHEAD)]
    rows = Rows(dict.fromkeys(keys, 1), page=500)
    growing = GrowingRows("message", cast("RowLogView", rows))

    async def follow() -> tuple[int, list[str]]:
        most = 0
        for key in keys:
            growing.add(line(ADDED, key, 1))
            await growing.keep_up()
            most = max(most, growing.kept)
        return most, await growing.differences()

    most, found = asyncio.run(follow())
    assert found == []
    assert most <= AHEAD + 500
