"""No statement of the store walks a table that grows, except those named here: SQLite's plan of each one is read.

A plan may look like a search and walk all the same: where the second column of a key is given as a range, the key is
used no further, so that `measure BETWEEN 1 AND 7 AND slot >= ?` reads every slot ever stored.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from types import ModuleType
from typing import Final

import pytest

from tests.hub.new_store import open_new_store
from tests.hub.storage.plan_walks import walks_of
from tests.hub.storage.statement_texts import Statement, all_statements, statements_of

VERIFIED: Final = "verification reads everything: that is its purpose"
UPGRADED: Final = "once, when an upgrade has changed the schema"
ERASED: Final = "once, when the time for which a member's data is kept is over"
FEW: Final = "written by people's hands, so that there are few; the board's page shows them all"
ONE_A_DAY: Final = "a row or two a day, of which only the index is read"
HELD: Final = "only findings that ever held credits, from an index of their own; each is looked up by two keys"
FIRST_OF: Final = "min() stops at the first row of the range"

WALKS: Final[Mapping[str, str]] = {
    "access_log SELECT count(*) FROM access_log": VERIFIED,
    "sealing SELECT count(*), coalesce(max(position), 0) FROM row_log": UPGRADED,
    "install SELECT 1 FROM row_log WHERE source = ?": UPGRADED,
    "view SELECT 'agent ' || id": VERIFIED,
    "view SELECT CAST(said AS BLOB)": VERIFIED,
    "stored SELECT measure, slot, span, energy_wh, mark, gap FROM reading WHERE home = ? AND slot >= ?": VERIFIED,
    "dialect SELECT measure, group_concat(line, '')": VERIFIED,
    "erasures DELETE FROM notice WHERE member IN": ERASED,
    "erasures DELETE FROM kept_part WHERE part = ?": ERASED,
    "attestations SELECT run_key, kind, day": ONE_A_DAY,
    "books SELECT run_key, kind, day": ONE_A_DAY,
    "findings SELECT id FROM finding WHERE day >= ?1 UNION": HELD,
    "findings SELECT home, count(*) FROM finding WHERE id IN (SELECT id FROM finding WHERE day >= ?1 UNION": HELD,
    "findings SELECT finding.id, day, found_at": HELD,
    "findings SELECT id, finding, board_member": HELD,
    "forecasts WITH RECURSIVE hours(hour_s)": FIRST_OF,
    "forecasts DELETE FROM weather": "the issues of one hour, of which all but two go",
    "messages SELECT agent, epoch, seq, refused FROM": "once, when intake starts; the index has only refused messages",
    "objections SELECT o.id, o.member, o.month": FEW,
    "notices SELECT id, kind, member, about": "the command's list; notices are forgotten after some weeks",
}
"""What the statements begin with, after their module, and why they may walk."""


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A new store's schema."""
    path = tmp_path_factory.mktemp("plans") / "hub.sqlite"

    async def make() -> None:
        await (await open_new_store(path, now=lambda: 1.0)).close()

    asyncio.run(make())
    with closing(sqlite3.connect(path)) as opened:
        yield opened


def test_no_statement_walks_a_growing_table(db: sqlite3.Connection) -> None:
    statements = all_statements()
    assert len(statements) > 300, "the statements were not found"
    wholes = [each for each in statements if _is_whole(db, each, statements)]
    walking = {_shown(each): walks for each in wholes if (walks := walks_of(db, each.text))}
    named = {shown: begins for shown in walking for begins in WALKS if shown.startswith(begins)}
    assert {shown: walks for shown, walks in walking.items() if shown not in named} == {}
    assert sorted(set(WALKS) - set(named.values())) == [], "these walk no longer: take them off the list"


def _is_whole(db: sqlite3.Connection, statement: Statement, others: tuple[Statement, ...]) -> bool:
    """Whether it is a statement; a part of one has to stand in another."""
    try:
        walks_of(db, statement.text)
    except sqlite3.OperationalError:
        is_part = any(statement.text in each.text for each in others if each != statement)
        if not is_part:
            raise
        return False
    return True


def _shown(statement: Statement) -> str:
    return f"{statement.place.split(':')[0]} {' '.join(statement.text.split())}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT * FROM reading WHERE slot = ?", ("walks reading",)),
        ("SELECT r.energy_wh FROM reading AS r WHERE r.mark = ?", ("walks reading",)),
        ("SELECT 1 FROM home WHERE EXISTS (SELECT 1 FROM message WHERE kind = home.id)", ("walks message",)),
        ("DELETE FROM forecast WHERE first_slot < ?", ("walks forecast",)),
        ("UPDATE prompt SET answer = NULL WHERE member = ?", ("walks prompt",)),
        (
            "SELECT 1 FROM reading WHERE home = ? AND measure BETWEEN 1 AND 7 AND slot >= ?",
            ("walks reading from measure on: its key goes on with slot, which the statement also names",),
        ),
        (
            "SELECT 1 FROM access_log WHERE home = ? AND +at > ?",
            ("walks access_log from home on: its key goes on with at, which the statement also names",),
        ),
        ("SELECT 1 FROM reading WHERE home = ? AND measure IN (1, 2) AND slot >= ?", ()),
        ("SELECT * FROM message WHERE agent = ? AND epoch = ? AND seq > ?", ()),
        ("SELECT max(position) FROM entry", ()),
        ("SELECT * FROM entry ORDER BY position DESC LIMIT 1", ()),
        ("SELECT * FROM entry WHERE unit = ? ORDER BY position DESC LIMIT 1", ("walks entry",)),
        ("SELECT * FROM home", ()),
    ],
)
def test_a_walk_is_told_from_a_search(db: sqlite3.Connection, text: str, found: tuple[str, ...]) -> None:
    assert walks_of(db, text) == found


SOURCE = '''"""A module's words."""
_TABLE = "reading"
_ALL = f"SELECT * FROM {_TABLE}"

def read(where: str, count: int) -> None:
    """SELECT is a word in a description too."""
    columns = "slot, span" if count else "slot"
    run(f"SELECT {columns} FROM reading WHERE {where}", "SELECT 1 FROM home WHERE id IN ({marks})".format(marks="?"))

def both() -> None:
    read("home = ?", 1)
    read("slot = ?", 0)
'''


def test_statements_are_found_in_the_source_with_what_is_put_into_them() -> None:
    module = ModuleType("made_up")
    vars(module).update(_TABLE="reading", _ALL="SELECT * FROM reading")
    assert sorted({each.text for each in statements_of(SOURCE, module, name="made_up")}) == [
        "SELECT * FROM reading",
        "SELECT 1 FROM home WHERE id IN (?)",
        "SELECT slot FROM reading WHERE home = ?",
        "SELECT slot FROM reading WHERE slot = ?",
        "SELECT slot, span FROM reading WHERE home = ?",
        "SELECT slot, span FROM reading WHERE slot = ?",
    ]


def test_a_statement_that_cannot_be_completed_is_not_passed_over() -> None:
    source = "def read(table):\n    run(f'SELECT * FROM {table}')\n"
    with pytest.raises(AssertionError, match="what table puts into a statement is not known"):
        list(statements_of(source, ModuleType("made_up"), name="made_up"))


def test_a_name_left_open_is_not_passed_over() -> None:
    source = "_SQL = 'SELECT * FROM reading WHERE {which} = ?'\n"
    with pytest.raises(AssertionError, match="which is left open"):
        list(statements_of(source, ModuleType("made_up"), name="made_up"))
