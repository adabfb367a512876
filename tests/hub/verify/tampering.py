"""A hub's folder with a row in every table, and changes to it by somebody who has the file but not the hub's key."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from hub.commands.operation.verify import verify_hub
from hub.core.rules.rulebook import Prices, Rule
from hub.folder.opening import open_store
from hub.storage.finding_records import ConnectionAgreement
from hub.storage.maps.records import MapFile, MapRelease
from hub.storage.rule_records import NewProposal
from hub.storage.sqlite.store import SqliteStore
from protocols.timeline import Clock
from protocols.wire.map_bundles.content import MapBundle, ReleasedMap, encode_bundle
from tests.releases.invented_coop import run_coop
from tests.releases.release_state import LATER_S

CLOCK: Final = Clock(real=lambda: LATER_S)
STORE: Final = "hub.sqlite"
LOG: Final = ("row_log", "row_log_head", "row_log_waiting")
LEFT_EMPTY: Final = ("erasure", "person_erasure")
"""What they say must be true of other tables: test_erasures.py fills them."""


def make_hub(folder: Path) -> Path:
    """The folder of the made-up co-op's hub, with one more row in each table that the co-op left empty."""
    hub = run_coop(folder).folder
    asyncio.run(_fill_empty_tables(hub))
    return hub


async def _fill_empty_tables(hub: Path) -> None:
    """Through the hub's own writer, so that these rows are logged like all others."""
    store = await open_store(hub, clock=CLOCK)
    assert isinstance(store, SqliteStore)
    try:
        await store.add_connection_agreement(ConnectionAgreement("h02", 14_000, 1, "m01", int(LATER_S)))
        other = Rule("equal", prices=Prices(170_000, 150_000))
        proposal = NewProposal(other.version(), other.canonical(), "2099-01-01", "a file", "m01", int(LATER_S))
        await store.withdraw_rule(await store.propose_rule(proposal), by="m01", at=int(LATER_S))
        board = [member.id for member in await store.members() if member.is_board]
        given = ReleasedMap("acme-meter", "x = 1\n")
        await store.add_map_file(MapFile(given.digest.hex(), given.id, "bronze", given.text, board[0], int(LATER_S)))
        taken_back = await store.propose_maps([given.digest.hex()], by=board[0], at=int(LATER_S))
        await store.withdraw_maps(taken_back, by=board[0], at=int(LATER_S))
        maps = await store.propose_maps([given.digest.hex()], by=board[0], at=int(LATER_S))
        bundle = encode_bundle(MapBundle((await store.coop()).id, 1, int(LATER_S), (given,)))
        await store.release_maps(MapRelease(1, maps, 1, bundle, board[1], int(LATER_S)))
        agent = (await store.agents())[-1].id
        for sql, row in (
            ("INSERT INTO agent_objection VALUES (?, ?, ?, ?)", (agent, "m03", "who is this?", 1)),
            ("INSERT INTO agent_objection_decision VALUES (?, ?, ?, ?, ?)", (agent, "m01", "counts", "ours", 1)),
        ):
            await store.write(lambda to, sql=sql, row=row: to.execute(sql, row))
        with closing(sqlite3.connect(hub / STORE)) as db:
            rows = {
                table: made_up_row(db, table)
                for table in tables_of(db)
                if table not in (*LOG, *LEFT_EMPTY) and not row_count(db, table)
            }
        for table, row in rows.items():
            places = ", ".join("?" * len(row))
            await store.write(lambda to, sql=f"INSERT INTO {table} VALUES ({places})", row=row: to.execute(sql, row))
    finally:
        await store.close()


def made_up_row(db: sqlite3.Connection, table: str) -> list[Any]:
    """A value for each column; a column that refers to another table takes a value from there."""
    parents = {row[3]: (row[2], row[4]) for row in db.execute(f"PRAGMA foreign_key_list({table})")}
    row: list[Any] = []
    for name, kind in columns_of(db, table):
        if name in parents:
            parent, column = parents[name]
            row.append(db.execute(f"SELECT {column} FROM {parent} ORDER BY {column} DESC LIMIT 1").fetchone()[0])
        elif name == "board_member":
            row.append("m01")
        else:
            row.append({"INTEGER": 1, "REAL": 1.5, "BLOB": bytes(32)}.get(kind, "[]"))
    return row


def tables_of(db: sqlite3.Connection) -> list[str]:
    """Every table of the store."""
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    return [str(name) for (name,) in db.execute(sql)]


def columns_of(db: sqlite3.Connection, table: str) -> list[tuple[str, str]]:
    """(name, type) of every column of a table."""
    return [(str(row[1]), str(row[2])) for row in db.execute(f"PRAGMA table_info({table})")]


def row_count(db: sqlite3.Connection, table: str) -> int:
    """How many rows a table has."""
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@contextmanager
def tampering(hub: Path) -> Iterator[sqlite3.Connection]:
    """A connection without the store's triggers and constraints; the triggers are put back afterwards."""
    with closing(sqlite3.connect(hub / STORE, isolation_level=None)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f'DROP TRIGGER "{name}"')
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("PRAGMA foreign_keys = OFF")
        try:
            yield db
        finally:
            for _, sql in triggers:
                db.execute(sql)


def change_value(db: sqlite3.Connection, table: str, column: str, *, last: bool = False) -> str:
    """Change one column of the table's first (or last) row; returns the row's key as it was."""
    keys = [row[1] for row in sorted(db.execute(f"PRAGMA table_info({table})"), key=lambda row: row[5]) if row[5]]
    order = ", ".join(f"{key} {'DESC' if last else 'ASC'}" for key in keys)
    found = db.execute(f"SELECT {', '.join(keys)}, {column} FROM {table} ORDER BY {order} LIMIT 1").fetchone()
    *place, value = found
    where = " AND ".join(f"{key} IS ?" for key in keys)
    db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (other_value(value), *place))
    return "/".join(part.hex().upper() if isinstance(part, bytes) else str(part) for part in place)


def other_value(value: Any) -> Any:
    """Another value of the same type."""
    if value is None:
        return 1
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1]) if value else b"x"
    return value + "x" if isinstance(value, str) else value + 1_000_000


def findings_of(hub: Path, *, only: str | None = None) -> list[str]:
    """What `verify` finds, all parts together."""
    found = asyncio.run(verify_hub(hub, clock=CLOCK, only=only))
    parts = [part for part in found.values() if isinstance(part, dict)]
    assert found["ok"] is not any(part["wrong"] for part in parts)
    return [sentence for part in parts for sentence in part["findings"]]
