"""The step of the schema that brings proposals: the rule of an older store holds on, and no row can be changed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hub.storage.records import Coop, Home, Member
from hub.storage.rule_records import NewProposal, RuleAdoption
from hub.storage.sqlite.schema import known_migrations, migrate
from hub.storage.sqlite.store import SqliteStore
from hub.storage.sqlite.threads.connection import run_through

BEFORE = 18
AT_S = 1_780_000_000  # 2026-05-28 in Madrid


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A store from before proposals, with its first rule."""
    path = tmp_path / "hub.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        run_through(lambda connection: migrate(connection, place="x", steps=known_migrations()[:BEFORE]), db)
        db.execute("INSERT INTO rule VALUES (1, 'first', x'31', '1970-01-01')")
        db.execute("INSERT INTO rule_adoption VALUES (1, 'first', '1970-01-01', '', 0)")
    return path


async def test_the_rule_of_an_older_store_holds_on_and_a_new_one_can_follow(older: Path) -> None:
    store = await SqliteStore.open(older, now=lambda: AT_S)
    await store.set_coop(Coop("street", "Street", "Europe/Madrid", "EUR"))
    for number in (1, 2):
        member = Member(f"m{number}", "Name", f"m{number}@example.org", "en", True, 0)
        await store.add_member(member, Home(f"h{number}", "Home", member.id))
    assert await store.rule_on("2026-06-01") == ("first", b"1")
    number = await store.propose_rule(NewProposal("second", b"2", "2026-06-01", "a file", "m1", AT_S))
    await store.adopt_rule(number, adopted=RuleAdoption("m2", AT_S))
    assert await store.rule_on("2026-06-01") == ("second", b"2")
    book = await store.rulebook("2026-06-01")
    assert book.in_force == book.rules[-1]
    await store.close()
    with closing(sqlite3.connect(older)) as db:
        for change in ("UPDATE rule_proposal SET proposed_by = 'm2'", "DELETE FROM rule_proposal"):
            with pytest.raises(sqlite3.IntegrityError, match="a proposed rule is never"):
                db.execute(change)


@pytest.mark.parametrize("proposer", [None, "m2", ""], ids=["nobody", "the same person", "without a name"])
async def test_a_second_rule_of_one_person_is_never_in_force(older: Path, proposer: str | None) -> None:
    store = await SqliteStore.open(older, now=lambda: AT_S)
    await store.close()
    with closing(sqlite3.connect(older)) as db, db:
        db.execute("INSERT INTO rule VALUES (2, 'second', x'32', '2026-06-01')")
        db.execute("INSERT INTO rule_adoption VALUES (2, 'second', '2026-06-01', 'm2', 5)")
        if proposer is not None:
            values = (1, "second", b"2", "2026-06-01", 1, "a file", proposer, 5)
            db.execute("INSERT INTO rule_proposal VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    store = await SqliteStore.open(older, now=lambda: AT_S)
    assert await store.rule_on("2026-06-02") == ("first", b"1")
    assert (await store.rule_hashes(["2026-06-02"])) == {"2026-06-02": "first"}
    assert [rule.is_adopted for rule in await store.journal_rules()] == [True, False]
    await store.close()
