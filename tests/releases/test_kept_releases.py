"""This version opens the folders of every kept release: verify passes, hashes are equal, and the chain continues."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from edge_agent.program import AgentProgram
from edge_agent.settings import read_settings
from edge_agent.uplink.identity import load_identity
from hub.statements.script import script_text
from hub.storage.sqlite.schema import known_migrations
from protocols.timeline import Clock
from tests.releases.folder_text import rebuild_folder, sql_statements, write_folder
from tests.releases.invented_coop import MONTH, InventedCoop
from tests.releases.keep import CONTENT, STATED, STATEMENT_FILES, keep_release, write_statements
from tests.releases.release_state import LATER_S, agent_state, hub_state, later_clock, run_hub

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RELEASES = sorted(path.parent for path in HERE.glob("*/expected.json"))
CHARS_MAX = 250_000
"""The most a kept file may hold; git keeps each of them for good."""


@dataclass(frozen=True)
class Kept:
    """A release's folders, rebuilt, and what its own code found in them."""

    source: Path
    folder: Path
    expected: Any

    @property
    def hub(self) -> Path:
        return self.folder / "hub"

    @property
    def agent(self) -> Path:
        return self.folder / "agent-1"

    @property
    def clock_file(self) -> Path:
        return later_clock(self.folder)

    def verify(self) -> tuple[int, Any]:
        code, out = run_hub(self.hub, self.clock_file, "verify --json")
        return code, json.loads(out)

    def coop(self) -> InventedCoop:
        """The made-up co-op, to continue with these folders."""
        coop = InventedCoop(self.folder)
        coop.at(date(2021, 11, 16), 10)
        return coop


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    source: Path = request.param
    rebuild_folder(source / "hub", tmp_path / "hub")
    rebuild_folder(source / "agent", tmp_path / "agent-1")
    return Kept(source, tmp_path, json.loads((source / "expected.json").read_text(encoding="utf-8")))


def test_a_release_is_kept() -> None:
    assert "0.1.0" in [path.name for path in RELEASES]


def test_verify_passes_on_the_command_line(kept: Kept) -> None:
    command = [sys.executable, "-m", "hub", "verify", "--data", str(kept.hub), "--clock", str(kept.clock_file)]
    done = subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found, expected = json.loads(done.stdout), kept.expected["hub"]["verify"]
    assert found["ok"]
    assert found["messages"]["messages"] == expected["messages"]["messages"] > 0
    assert found["books"]["recomputed"] == expected["books"]["recomputed"] > 0


def test_opening_the_store_brings_it_to_this_schema(kept: Kept) -> None:
    assert kept.verify()[0] == 0
    with closing(sqlite3.connect(kept.hub / "hub.sqlite")) as db:
        applied = db.execute("SELECT number, checksum FROM migration ORDER BY number").fetchall()
    assert applied == [(step.number, step.checksum) for step in known_migrations()]


def test_the_rows_of_before_the_log_of_rows_are_taken_over_once(kept: Kept) -> None:
    code, out = run_hub(kept.hub, kept.clock_file, "verify")
    assert code == 0
    assert "taken over at upgrade: " in out
    first, again = kept.verify()[1]["rows"], kept.verify()[1]["rows"]
    assert first["taken_over"] == again["taken_over"] > 400
    with closing(sqlite3.connect(kept.hub / "hub.sqlite")) as db:
        late = "SELECT count(*) FROM row_log WHERE change = 'taken over' AND position > ?"
        assert db.execute(late, (first["lines"],)).fetchone() == (0,)


def test_every_hash_and_count_is_as_it_was(kept: Kept) -> None:
    found = hub_state(kept.hub, kept.clock_file)
    for name, value in kept.expected["hub"].items():
        assert found[name] == value, name
    standing = {day: result_hash for day, kind, _, _, result_hash in found["runs"] if kind == "D"}
    assert found["settled_again"] == standing, "the stored readings give the booked result"


def test_a_run_of_the_month_would_change_nothing(kept: Kept) -> None:
    code, out = run_hub(kept.hub, kept.clock_file, f"settle --month {MONTH} --preview --json")
    assert (code, json.loads(out)["days"]) == (0, [])


def test_a_kept_hub_gets_a_new_rule_by_two_of_the_board(kept: Kept) -> None:
    words = "rules propose --preset lu-prorata --from 2021-11-25 --by m01 --json"
    change = kept.folder / "change.toml"
    change.write_text("buy_micro_per_kwh = 170000\n")
    code, out = run_hub(kept.hub, kept.clock_file, words, "--file", str(change))
    assert code == 0
    (proposal,) = json.loads(out)["proposals"]
    code, out = run_hub(kept.hub, kept.clock_file, f"rules adopt --proposal {proposal['proposal']} --by m02 --json")
    assert (code, json.loads(out)["versions"][-1]["rule"]) == (0, proposal["rule"])
    assert kept.verify()[0] == 0


NAMES_AND_HASHES = {
    "format", "key", "inputs", "cites", "run", "root", "proof", "salt", "place", "signature", "since",
    "record", "statement", "marks", "findings", "rulebook",
}  # fmt: skip


def without_hashes(part: Any, *, inside: str = "") -> Any:
    """What a file says apart from hashes, signatures and the form of its parts; ledger entries are read."""
    if isinstance(part, dict):
        left_out = NAMES_AND_HASHES - ({"run"} if "window" in part else set())
        left_out |= {"demand"} if "homes" in part else set()
        return {name: without_hashes(each, inside=name) for name, each in part.items() if name not in left_out}
    if isinstance(part, list):
        return [without_hashes(each, inside=inside) for each in part]
    return without_hashes(json.loads(part)) if inside == "entry" else part


def leave_out_withheld(new: Any, old: Any) -> None:
    """Leave out of both what releases up to 0.2.0 showed although fewer than five homes were behind it."""
    for day, before in zip(new["days"], old["days"], strict=True):
        for slot, shown in zip(day["slots"], before["slots"], strict=True):
            names = {"withheld"} | ({"buy", "sell"} if slot["buy"] is None else set())
            for name in names:
                slot.pop(name, None)
                shown.pop(name, None)


def leave_out_told_by_day(new: Any, old: Any) -> None:
    """Leave out of both the shares of single intervals that releases up to 0.2.0 showed on a street this small."""
    for day, before in zip(new["document"]["days"], old["document"]["days"], strict=True):
        for side in ("received", "sold"):
            for i, (metered, wh) in enumerate(zip(day["surplus"], day[side], strict=True)):
                if metered is not None and wh is None:
                    before[side][i] = None


def check_statement(folder: Path, script: Path, key: str) -> tuple[int, str]:
    command = [sys.executable, "-I", script, *(folder / name for name in STATEMENT_FILES), "--hub-key", key]
    command += ["--before", folder / "before.json"] if (folder / "before.json").exists() else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_statements_say_the_same_and_check_out(kept: Kept, tmp_path: Path) -> None:
    """Statements of releases before the salts have another form; each is checked with the script of its release."""
    write_statements(kept.hub, tmp_path, tmp_path / "statements")
    again, once = tmp_path / "statements", kept.source / "statements"
    script, key = tmp_path / "verify_statement.py", kept.expected["hub"]["hub_key"]
    script.write_text(script_text(), encoding="utf-8")
    for member in STATED:
        code, said = check_statement(again / member, script, key)
        assert code == 0, said
        if b'"commonwatt-statement-1"' in (once / member / "statement.json").read_bytes():
            code, said = check_statement(once / member, script, key)
            assert (code, said.count("script of that release")) == (2, 1)
        for name in STATEMENT_FILES:
            new, old = (json.loads((folder / member / name).read_bytes()) for folder in (again, once))
            if name == "pool.json":
                leave_out_withheld(new, old)
            elif name == "statement.json":
                leave_out_told_by_day(new, old)
            assert without_hashes(new) == without_hashes(old), name


def test_the_agent_has_the_same_identity_chain_and_messages(kept: Kept) -> None:
    found = agent_state(kept.agent)
    for name, value in kept.expected["agent"].items():
        assert found[name] == value, name


def test_the_agents_settings_and_devices_are_still_known(kept: Kept) -> None:
    settings = read_settings(kept.agent / "agent.toml")
    assert settings.data == kept.agent / "data"
    assert [(device.name, device.roles) for device in settings.devices] == [("meter", ("grid",)), ("inverter", ("pv",))]
    clock = Clock(real=lambda: LATER_S)
    AgentProgram(settings, clock, load_identity(settings.data), wanted=None)  # refuses what this version cannot run


def test_the_agent_continues_its_chain_and_the_hub_takes_it(kept: Kept) -> None:
    coop, expected = kept.coop(), kept.expected["agent"]
    home, next_slot = coop.homes[0], expected["checkpoint"][0]
    asyncio.run(home.run(range(next_slot, next_slot + 4), send=coop.send))
    asyncio.run(home.deliver(coop.send))
    found = agent_state(kept.agent)
    more = 4 + len(expected["given_answers"])
    assert found["next"][:2] == [expected["next"][0], expected["next"][1] + more]
    assert (found["waiting"], found["given_answers"]) == ([], [])
    assert found["messages"][2] == len(expected["given_answers"]), "an answer two weeks late is refused"
    code, verified = kept.verify()
    before = kept.expected["hub"]["verify"]["messages"]["messages"]
    assert (code, verified["messages"]["messages"]) == (0, before + len(expected["waiting"]) + more)


def changed(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def damage(folder: Path, table: str, column: str, change: Any) -> None:
    """Change one value in the middle of a table, past the trigger that forbids it."""
    with closing(sqlite3.connect(folder)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,))
        for name, _ in (found := triggers.fetchall()):
            db.execute(f'DROP TRIGGER "{name}"')
        rows = db.execute(f'SELECT * FROM "{table}" WHERE {column} IS NOT NULL').fetchall()
        names = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]
        row = rows[len(rows) // 2]
        keys = [(name, value) for name, value in zip(names, row, strict=True) if name != column and value is not None]
        where = " AND ".join(f'"{name}" = ?' for name, _ in keys)
        value = change(row[names.index(column)])
        done = db.execute(f'UPDATE "{table}" SET {column} = ? WHERE {where}', (value, *(value for _, value in keys)))
        assert done.rowcount == 1
        for _, sql in found:
            db.execute(sql)
        db.commit()


def one_more(canonical: bytes) -> bytes:
    """The ledger entry with another last amount, still well-formed."""
    entry = json.loads(canonical)
    line, account, amount = entry["postings"][-1]
    text = canonical.decode()
    found = text.rindex(str(amount))
    assert json.dumps(account) in text
    assert json.dumps(line) in text
    return (text[:found] + str(amount + 1) + text[found + len(str(amount)) :]).encode()


DAMAGES = [
    ("message", "sealed", lambda sealed: changed(sealed, 200), "messages"),
    ("message", "hash", lambda digest: changed(digest, 5), "messages"),
    ("reading", "energy_wh", lambda energy_wh: energy_wh + 1, "messages"),
    ("consent", "document", lambda document: changed(document, 40), "messages"),
    ("entry", "canonical", one_more, "books"),
    ("run", "allocation", lambda record: changed(record, len(record) // 2), "books"),
    ("attestation", "document", lambda document: changed(document, len(document) // 2), "books"),
    ("rule", "canonical", lambda rule: changed(rule, len(rule) // 2), "books"),
]


@pytest.mark.parametrize(("table", "column", "change", "half"), DAMAGES, ids=[f"{t}.{c}" for t, c, *_ in DAMAGES])
def test_one_changed_value_makes_verify_fail(kept: Kept, table: str, column: str, change: Any, half: str) -> None:
    damage(kept.hub / "hub.sqlite", table, column, change)
    code, found = kept.verify()
    assert (code, found["ok"]) == (1, False)
    assert found[half]["wrong"] > 0


def test_the_hub_refuses_a_changed_message_of_the_agent(kept: Kept) -> None:
    coop, waiting = kept.coop(), len(kept.expected["agent"]["waiting"])
    with closing(sqlite3.connect(kept.agent / "data" / "outbox.sqlite")) as db:
        (first,) = db.execute("SELECT min(seq) FROM message WHERE receipted_at IS NULL").fetchone()
        (sealed,) = db.execute("SELECT sealed FROM message WHERE seq = ?", (first,)).fetchone()
        db.execute("UPDATE message SET sealed = ? WHERE seq = ?", (changed(sealed, 200), first))
        db.commit()
    asyncio.run(coop.homes[0].deliver(coop.send))
    left = agent_state(kept.agent)["waiting"]
    assert [seq for seq, _ in left] == list(range(first, first + waiting + 1)), "nothing from the changed message on"
    assert kept.verify()[0] == 0


def test_text_and_folder_are_the_same_both_ways(kept: Kept, tmp_path: Path) -> None:
    write_folder(kept.hub, tmp_path / "again" / "hub")
    write_folder(kept.agent, tmp_path / "again" / "agent")
    for source in (kept.source / "hub", kept.source / "agent"):
        for path in (path for path in source.rglob("*") if path.is_file()):
            assert path.stat().st_size <= CHARS_MAX
            assert path.read_bytes() == (tmp_path / "again" / path.relative_to(kept.source)).read_bytes(), path.name


def test_any_value_survives_as_text(tmp_path: Path) -> None:
    values = (b"", b"\0" * 40, b"a" + b"\0" * 30 + b"b" + b"\0" * 24, b"it's", "it's", 7, -1.5, 0.1, None, b"\xff", "ß")
    with closing(sqlite3.connect(tmp_path / "one.sqlite")) as db:
        db.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, value)")
        db.executemany("INSERT INTO one (value) VALUES (?)", [(value,) for value in values])
        db.commit()
    with closing(sqlite3.connect(tmp_path / "two.sqlite")) as db:
        db.executescript("".join(sql_statements(tmp_path / "one.sqlite")))
        assert tuple(value for (value,) in db.execute("SELECT value FROM one ORDER BY id")) == values


def test_this_version_can_be_kept_and_settles_to_the_same(tmp_path: Path) -> None:
    """A release is kept with one command, and a changed settlement is noticed before that."""
    keep_release(tmp_path / "next", "next")
    made = json.loads((tmp_path / "next" / "expected.json").read_text(encoding="utf-8"))
    assert made["hub"]["verify"]["ok"]
    for path in (path for path in (tmp_path / "next").rglob("*") if path.is_file()):
        assert path.stat().st_size <= CHARS_MAX
    for release in RELEASES:
        expected = json.loads((release / "expected.json").read_text(encoding="utf-8"))
        if expected["content"] == CONTENT:
            for name in ("settled_again", "accounts", "payments"):
                assert made["hub"][name] == expected["hub"][name], (release.name, name)
