"""On a server too no statement walks a table that grows, except those named: PostgreSQL's plan of each one is read.

Its tables are filled, so that there is something to plan for, and the planner may read none from end to end as long as
an index leads to the rows. The names of the statements that may walk are those of SQLite's list, where it has them.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import asyncpg
import pytest

from hub.storage.postgres.statements import spelled
from tests.hub.postgres_server import SCHEMA, Databases
from tests.hub.storage.postgres.filled_tables import fill
from tests.hub.storage.postgres.server_plans import Planner, planner
from tests.hub.storage.statement_texts import SERVER_ROOMS, Statement, all_statements
from tests.hub.storage.test_statement_plans import VERIFIED, WALKS

FEW: Final = "written by people's hands, so that there are few"
NEWEST: Final = "read from the newest row on, and only what stands between is passed over"

ONLY_THERE: Final[Mapping[str, str]] = {
    "statements SELECT measure, string_agg(slot": VERIFIED,
    "view SELECT 'finding_decision'": VERIFIED,
    "books SELECT max(day) FROM run": NEWEST,
    "rulebook SELECT coalesce(max(day), '') FROM run": NEWEST,
    "notices SELECT id, kind, member, about, facts, secret, made_at, last_try_at, next_try_at, tries, state,"
    " settled_at, answer FROM notice WHERE settled_at IS NULL": NEWEST,
    "erasures SELECT home.id, coalesce(member.held_by": FEW,
}
"""Statements that may walk on a server, beside those of SQLite's list, and why."""


@pytest.fixture
async def plans() -> AsyncIterator[Planner]:
    """A planner on a filled store."""
    databases = Databases()
    server, name, _ = await databases.fresh()
    session = await server.ask(name)
    try:
        await session.execute(f"SET search_path = {SCHEMA}")
        await fill(session)
        yield await planner(session)
    finally:
        session.terminate()
        await databases.drop()


async def test_no_statement_walks_a_growing_table_on_a_server(plans: Planner) -> None:
    statements = all_statements(SERVER_ROOMS)
    assert len(statements) > 250, "the statements were not found"
    wholes = {*statements, *all_statements()}
    walking: dict[str, tuple[str, ...]] = {}
    for each in statements:
        try:
            walks = await plans.walks_of(spelled(each.text))
        except asyncpg.PostgresSyntaxError:
            assert any(each.text in other.text for other in wholes if other != each), f"{_shown(each)}: not planned"
            continue
        if walks:
            walking[_shown(each)] = walks
    named = {shown for shown in walking if shown.startswith((*WALKS, *ONLY_THERE))}
    assert {shown: walks for shown, walks in walking.items() if shown not in named} == {}
    unused = [begins for begins in ONLY_THERE if not any(shown.startswith(begins) for shown in walking)]
    assert unused == [], "these walk no longer: take them off the list"


WALKING: Final[Mapping[str, tuple[str, ...]]] = {
    "SELECT * FROM reading WHERE mark = $1": ("walks reading",),
    "SELECT r.energy_wh FROM reading AS r WHERE r.slot = $1 AND r.home > $2": (
        "walks reading: measure of its index is left open, and slot behind it is named",
    ),
    "SELECT 1 FROM home WHERE EXISTS (SELECT 1 FROM message WHERE kind = home.id)": ("walks message",),
    "DELETE FROM forecast WHERE first_slot < $1": ("walks forecast",),
    "UPDATE prompt SET answer = NULL WHERE member = $1": ("walks prompt",),
    "SELECT 1 FROM reading WHERE home = $1 AND measure BETWEEN 1 AND 7 AND slot >= $2": (
        "walks reading from a range on: its key goes on with slot, which the statement also names",
    ),
    "SELECT count(*) FROM entry": ("walks an index of entry",),
    "SELECT * FROM entry WHERE unit = $1 ORDER BY position DESC LIMIT 1": ("walks an index of entry",),
    "SELECT 1 FROM reading WHERE home = $1 AND measure IN (1, 2) AND slot >= $2": (),
    "SELECT home, slot FROM reading WHERE slot >= $1 AND slot < $2": (),
    "SELECT * FROM message WHERE agent = $1 AND epoch = $2 AND seq > $3": (),
    "SELECT * FROM message WHERE agent = $1 AND (epoch, seq) > ($2, $3) ORDER BY epoch, seq LIMIT $4": (),
    "SELECT max(position) FROM entry": (),
    "SELECT * FROM entry ORDER BY position DESC LIMIT 1": (),
    "SELECT * FROM home": (),
}


async def test_a_walk_is_told_from_a_search_on_a_server(plans: Planner) -> None:
    assert {text: await plans.walks_of(text) for text in WALKING} == WALKING


def _shown(statement: Statement) -> str:
    return f"{statement.place.split(':')[0]} {' '.join(statement.text.split())}"
