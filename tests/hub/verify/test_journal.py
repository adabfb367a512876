"""A changed byte anywhere in the journal is found, and the finding names the row: 1,000 of 1,000, or 100 in a hurry."""

import asyncio
import random
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.board.run_approval import approve_run, publish_run
from hub.books.days import settle_day
from hub.books.runs import settle_month
from hub.books.signing import sign_older_runs
from hub.commands.operation.verify import verify_lines
from hub.core.ledger.entries import GENESIS, entry_hash
from hub.core.ledger.fund_entries import FeeScale
from hub.core.ledger.run_calendar import days_of
from hub.money.funds import book_fund, plan_fees
from hub.storage.sqlite.store import SqliteStore
from hub.verify.books import check_books
from hub.verify.check_result import CheckResult
from hub.verify.hub_keys import HubKeys
from hub.verify.journal import check_journal
from hub.verify.messages import MessageCheck
from tests.hub.settled_street import KEY, Street, arrivals_of, open_street

CHANGES = 1_000
MAY = date(2026, 5, 1)
DAYS = days_of(MAY)[27:]
TABLES = ("entry", "run", "attestation")


@pytest.fixture(scope="module")
def kept_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of one street for all tests of the module; each works on a copy."""
    folder = tmp_path_factory.mktemp("street")
    asyncio.run(_book(folder))
    return folder / "hub.sqlite"


async def _book(folder: Path) -> None:
    """D, M1, its approvals and publication, then late readings, R1 and the month's fees."""
    street = await open_street(folder)
    late = arrivals_of(DAYS[1], 3)[30:40]
    await street.arrive_days(DAYS, without=late)
    for day in DAYS:
        await settle_day(street.store, day=day, made_at=1_780_000_000, key=KEY)
    run = await settle_month(street.store, month=MAY, kind="M1", made_at=1_780_700_000, key=KEY)
    for member in ("m01", "m02"):
        await approve_run(street.store, run=run.run_key, member=member, at=1_780_800_000, key=KEY)
    await publish_run(street.store, run=run.run_key, member="m01", at=1_780_900_000, key=KEY)
    await street.arrive(late)
    await settle_month(street.store, month=MAY, kind="R1", made_at=1_786_000_000, key=KEY)
    scale = FeeScale({"full": 3_000_000_000}, "full")
    fees = await plan_fees(street.store, month=MAY, scale=scale, decided="assembly")
    await book_fund(street.store, fees, made_at=1_786_000_001, key=KEY)
    await street.store.close()


@pytest.fixture
async def street(kept_store: Path, tmp_path: Path) -> AsyncIterator[Street]:
    """A copy of it."""
    shutil.copy(kept_store, tmp_path / "hub.sqlite")
    store = await SqliteStore.open(tmp_path / "hub.sqlite", now=lambda: 1_800_000_000.0)
    yield Street(store, 0)
    await store.close()


@pytest.fixture
def damage(street: Street, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for which the journal is no longer append-only."""
    with closing(sqlite3.connect(tmp_path / "hub.sqlite", isolation_level=None)) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f'DROP TRIGGER "{trigger}"')
        db.execute("PRAGMA ignore_check_constraints = ON")
        yield db


async def found_in(store: SqliteStore) -> list[str]:
    found = CheckResult()
    await check_journal(store, found, keys=HubKeys(KEY.public_key()))
    return found.findings


async def test_a_whole_journal_has_no_findings(street: Street) -> None:
    books = await check_books(street.store, KEY.public_key())
    assert (books.findings, books.late_days, books.recomputed) == ([], [], len(DAYS))
    assert (books.runs, books.attestations) == (7, 7 + 2 + 2 + 1)


@pytest.mark.parametrize("changes", [100, pytest.param(CHANGES, marks=pytest.mark.campaign)])
async def test_changed_bytes_are_found_in_their_place(street: Street, damage: sqlite3.Connection, changes: int) -> None:
    dice, missed, tried = random.Random(20261121), [], 0
    columns = {table: [row[1] for row in damage.execute(f"PRAGMA table_info({table})")] for table in TABLES}
    rows = {table: [row[0] for row in damage.execute(f"SELECT position FROM {table}")] for table in TABLES}
    while tried < changes:
        table = dice.choice(TABLES)
        column, position = dice.choice(columns[table]), dice.choice(rows[table])
        before = damage.execute(f"SELECT {column} FROM {table} WHERE position = ?", (position,)).fetchone()[0]
        after = changed(before, dice)
        try:
            put(damage, table, column, position, after)
        except sqlite3.IntegrityError:
            continue  # the place of another row: no store holds that
        tried += 1
        findings = await found_in(street.store)
        if not any(names(table, position, finding) for finding in findings):
            missed.append((table, column, position, findings))
        put(damage, table, column, after if column == "position" else position, before)
    assert missed == []
    assert await found_in(street.store) == []


def names(table: str, position: int, finding: str) -> bool:
    """Whether the finding names the row, e.g. `entry 17` and not `entry 170`."""
    return re.search(rf"\b{table} {position}\b", finding) is not None


def changed(value: Any, dice: random.Random) -> Any:
    """The value with one of its bytes made another."""
    raw = value.to_bytes(8, "big", signed=True) if isinstance(value, int) else value
    raw = raw.encode() if isinstance(raw, str) else raw
    at = dice.randrange(len(raw))
    other = raw[:at] + bytes([(raw[at] + dice.randrange(1, 256)) % 256]) + raw[at + 1 :]
    return (
        int.from_bytes(other, "big", signed=True)
        if isinstance(value, int)
        else Text(other)
        if isinstance(value, str)
        else other
    )


class Text(bytes):
    """Bytes to be stored as text, be they UTF-8 or not."""


def put(db: sqlite3.Connection, table: str, column: str, position: int, value: Any) -> None:
    place = "CAST(? AS TEXT)" if isinstance(value, Text) else "?"
    value = bytes(value) if isinstance(value, Text) else value
    db.execute(f"UPDATE {table} SET {column} = {place} WHERE position = ?", (value, position))


LOST = [
    ("DELETE FROM entry WHERE position = 7", "entry 7 is missing"),
    ("DELETE FROM entry WHERE position = (SELECT max(position) FROM entry)", "the hub signed for another ledger"),
    ("DELETE FROM run WHERE position = 2", "run 2 is missing"),
    ("DELETE FROM run WHERE position = (SELECT max(position) FROM run)", "is missing, and the hub signed for it"),
    ("DELETE FROM attestation WHERE position = 6", "attestation 6 is missing"),
    ("UPDATE rule SET canonical = CAST(canonical || ' ' AS BLOB)", "rule 1: its content does not match its hash"),
]


@pytest.mark.parametrize(("statement", "said"), LOST, ids=lambda part: part[:40])
async def test_a_lost_row_is_found(street: Street, damage: sqlite3.Connection, statement: str, said: str) -> None:
    damage.execute(statement)
    assert any(said in finding for finding in await found_in(street.store))


async def test_a_ledger_rewritten_with_hashes_that_fit_is_found(street: Street, damage: sqlite3.Connection) -> None:
    """Who can rewrite every hash still has not the hub's key."""
    previous = GENESIS
    for position, canonical in damage.execute("SELECT position, canonical FROM entry ORDER BY position").fetchall():
        lie = re.sub(rb'"cites":"..', b'"cites":"00', canonical) if position == 5 else canonical
        previous = entry_hash(previous, lie)
        damage.execute("UPDATE entry SET canonical = ?, hash = ? WHERE position = ?", (lie, previous, position))
    findings = await found_in(street.store)
    assert any("the day's entries are not those the hub signed for" in finding for finding in findings)
    assert not any("its hash does not follow" in finding for finding in findings)


async def test_another_hubs_key_has_signed_nothing_here(street: Street) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    found = CheckResult()
    await check_journal(street.store, found, keys=HubKeys(other.public_key()))
    assert sum("the hub has not signed these bytes" in finding for finding in found.findings) == 12


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM access_log WHERE position = 2", "access log: 1 of its 3 lines are missing"),
        (
            "DELETE FROM access_log WHERE position > 1",
            "access log: it ends with line 1, and the hub signed for 3 lines",
        ),
    ],
)
async def test_a_shortened_access_log_is_found(
    street: Street, damage: sqlite3.Connection, statement: str, said: str
) -> None:
    assert damage.execute("SELECT max(position) FROM access_log").fetchone() == (3,)
    damage.execute(statement)
    (finding,) = await found_in(street.store)
    assert said in finding


async def test_a_folder_of_before_the_hub_signed_is_not_wrong_but_said(
    street: Street, damage: sqlite3.Connection
) -> None:
    """As a store looks right after the step that brought the attestations: runs, and nothing that was signed."""
    damage.execute("DELETE FROM attestation")
    damage.execute("DELETE FROM settled_through")
    books = await check_books(street.store, KEY.public_key())
    assert (books.findings, books.unsigned, books.runs) == ([], 7, 7)
    assert "all 7 runs were booked before this hub signed" in verify_lines(
        {"ok": True, "messages": asdict(MessageCheck()), "books": asdict(books)}
    )
    await sign_older_runs(street.store, key=KEY)
    books = await check_books(street.store, KEY.public_key())
    assert (books.findings, books.unsigned, books.attestations) == ([], 0, 7)


async def test_attestations_all_taken_away_are_missed(street: Street, damage: sqlite3.Connection) -> None:
    damage.execute("DELETE FROM attestation")
    assert sum("the hub has not signed it" in finding for finding in await found_in(street.store)) == 7
