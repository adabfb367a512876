"""Every row of a logged table matches the log, and what was written past the hub does not."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hub.commands.operation.verify import verify_hub, verify_lines
from hub.folder.keys.hub_key import load_key
from hub.folder.opening import open_store
from hub.folder.paths import KEY_NAME
from hub.processes.running import run_hub
from hub.storage.errors import StoreError
from hub.storage.finding_records import ConnectionAgreement
from tests.hub.verify.tampering import CLOCK, STORE, findings_of, tampering

PAST_THE_HUB = {
    "a finding is deleted": ("DELETE FROM finding WHERE id = 2", "finding 2: the row was removed past the hub"),
    "a decision is deleted": ("DELETE FROM finding_decision", "finding_decision 1: the row was removed past the hub"),
    "an objection is deleted": ("DELETE FROM objection WHERE id = 2", "objection 2: the row was removed past the hub"),
    "two homes are swapped": (
        "UPDATE home SET member_id = '' WHERE id = 'h01'; UPDATE home SET member_id = 'm01' WHERE id = 'h02';"
        " UPDATE home SET member_id = 'm02' WHERE id = 'h01'",
        "home h01: the row was changed past the hub",
    ),
    "an IBAN is replaced": (
        "UPDATE account SET iban = 'x' WHERE id = 2",
        "account 2: the row was changed past the hub",
    ),
    "the newest messages are deleted": (
        "DELETE FROM message WHERE position > 400",
        "message 401: the row was removed past the hub",
    ),
    "messages are called refused": (
        "UPDATE message SET sealed = x'', refused = 'outside_consent', first_slot = NULL, last_slot = NULL"
        " WHERE position = 30",
        "message 30: the row was changed past the hub",
    ),
    "a month is no longer published": (
        "DELETE FROM attestation WHERE kind = 'publication'",
        "the row was removed past the hub",
    ),
    "a rule comes from nowhere": (
        "INSERT INTO rule SELECT 2, hash, canonical, '2021-11-01' FROM rule",
        "rule 2: the row was added past the hub",
    ),
    "a key is replaced": (
        "UPDATE agent SET public_key = x'00' WHERE home_id = 'h01'",
        "the row was changed past the hub",
    ),
    "an agent nobody invited": (
        "INSERT INTO agent SELECT 'a-fake', 'h01', 1, x'01', enrolled_at, enrolled_at, 1 FROM agent LIMIT 1",
        "agent a-fake: no invitation in this store enrolled it",
    ),
    "a member is put on the board": (
        "UPDATE member SET is_board = 1 WHERE id = 'm03'",
        "member m03: the row was changed past the hub",
    ),
    "a line of the access log is rewritten": (
        "UPDATE access_log SET actor = 'm01' WHERE position = 2",
        "access_log 2: the row was changed past the hub",
    ),
    "the newest line of the access log is deleted": (
        "DELETE FROM access_log WHERE position = (SELECT max(position) FROM access_log)",
        "the row was removed past the hub",
    ),
    "a line of the log itself is removed": ("DELETE FROM row_log WHERE position = 9", "line 9 is missing"),
    "the end of the log is removed": (
        "DELETE FROM row_log WHERE position > 500",
        "log of rows: it ends with line 500, and the hub signed for",
    ),
    "a line of the log is rewritten": (
        "UPDATE row_log SET digest = zeroblob(32) WHERE position = 9",
        "log of rows: a line was changed",
    ),
    "the head is signed by somebody else": (
        "UPDATE row_log_head SET signature = zeroblob(64)",
        "log of rows: the hub has not signed its head",
    ),
    "the head is gone": ("DELETE FROM row_log_head", "log of rows: its signed head is missing"),
}


OF_THE_LOG = frozenset(
    {
        "the newest messages are deleted",
        "a line of the log itself is removed",
        "the end of the log is removed",
        "a line of the log is rewritten",
        "the head is signed by somebody else",
        "the head is gone",
    }
)
"""These change what other findings rest on, or fill the list; the others are found together in one store too."""


def test_changes_past_the_hub_are_found_together(hub: Path) -> None:
    kept = {name: case for name, case in PAST_THE_HUB.items() if name not in OF_THE_LOG}
    with tampering(hub) as db:
        for statement, _ in kept.values():
            db.executescript(statement)
    findings = findings_of(hub, only="rows")
    missed = [name for name, (_, said) in kept.items() if not any(said in finding for finding in findings)]
    assert missed == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        pytest.param(*case, id=name, marks=() if name in OF_THE_LOG else pytest.mark.campaign)
        for name, case in PAST_THE_HUB.items()
    ],
)
def test_a_change_past_the_hub_is_found(hub: Path, statement: str, said: str) -> None:
    with tampering(hub) as db:
        db.executescript(statement)
    findings = findings_of(hub, only="rows")
    assert any(said in finding for finding in findings), findings


def test_a_whole_hub_holds_row_by_row(hub: Path) -> None:
    assert findings_of(hub) == []


def test_writing_with_the_triggers_in_place_is_found_too(hub: Path) -> None:
    with closing(sqlite3.connect(hub / STORE)) as db, db:
        db.execute("INSERT INTO objection_decision VALUES (2, 'm01', 'accepted', 'why not', 5)")
    findings = findings_of(hub, only="rows")
    assert "objection_decision 2: added past the hub" in findings
    assert "objection_decision 2: the row was added past the hub" in findings


def test_who_entered_a_connection_agreement_had_to_be_on_the_board_and_not_its_own_home(hub: Path) -> None:
    async def write() -> None:
        store = await open_store(hub, clock=CLOCK)
        for home, by in (("h01", "m03"), ("h01", "m01")):
            await store.add_connection_agreement(ConnectionAgreement(home, 90_000, 0, by, 1))
        await store.close()

    asyncio.run(write())
    assert findings_of(hub, only="rows") == [
        "connection_agreement 2: m03 was not on the board when this was written",
        "connection_agreement 3: m01 decided their own matter",
    ]


def test_a_missing_trigger_is_made_again_and_what_happened_meanwhile_is_found(hub: Path) -> None:
    with closing(sqlite3.connect(hub / STORE)) as db, db:
        db.execute("DROP TRIGGER row_log_home_changed")
        db.execute("UPDATE home SET name = 'x' WHERE id = 'h02'")
    assert findings_of(hub, only="rows") == ["home h02: the row was changed past the hub"]


def test_a_trigger_that_this_program_never_made_is_found(hub: Path) -> None:
    with closing(sqlite3.connect(hub / STORE)) as db, db:
        db.execute("CREATE TRIGGER quiet AFTER INSERT ON account BEGIN DELETE FROM refusal; END")
    (finding,) = findings_of(hub, only="rows")
    assert finding == "store: trigger quiet: the store has it, and this program never made it"


def test_what_the_hub_writes_afterwards_goes_on_in_the_log(hub: Path) -> None:
    async def write() -> None:
        store = await open_store(hub, clock=CLOCK)
        await store.add_sign_in(b"link", member_id="m03", expires_at=2_000_000_000)
        await store.redeem_sign_in(b"link", session_hash=b"session", expires_at=2_000_000_000, now=1)
        await store.close()

    with closing(sqlite3.connect(hub / STORE)) as db:
        before = db.execute("SELECT max(position) FROM row_log").fetchone()[0]
        asyncio.run(write())
        lines = db.execute("SELECT source, change FROM row_log WHERE position > ?", (before,)).fetchall()
    assert lines == [("sign_in", "added"), ("sign_in", "removed"), ("session", "added")]
    assert findings_of(hub) == []


def test_a_given_key_pins_the_hub(hub: Path) -> None:
    own = load_key(hub / KEY_NAME).public_key().public_bytes_raw()
    assert asyncio.run(verify_hub(hub, clock=CLOCK, pinned=own))["ok"]
    found = asyncio.run(verify_hub(hub, clock=CLOCK, pinned=bytes(32)))
    assert not found["ok"]
    assert "the folder's key is not the one given with --hub-key" in verify_lines(found)


def test_a_day_whose_readings_were_deleted_with_their_messages_is_wrong_and_not_late(hub: Path) -> None:
    with tampering(hub) as db:
        db.execute("DELETE FROM reading WHERE home = 'h01' AND slot % 96 > 90")
    found = asyncio.run(verify_hub(hub, clock=CLOCK, only="books"))
    books = found["books"]
    assert isinstance(books, dict)
    assert books["late_days"] == []
    assert any("are not those its run was made from" in finding for finding in books["findings"])


def test_a_store_that_cannot_be_opened_is_a_finding(hub: Path) -> None:
    (hub / STORE).write_bytes(b"SQLite format 3\0" + bytes(4096))
    (finding,) = findings_of(hub)
    assert finding.startswith("store: ")


@pytest.mark.parametrize("page", [30, -25])
def test_twenty_zeroed_pages_keep_the_hub_from_starting_and_are_said(hub: Path, page: int) -> None:
    file = hub / STORE
    raw = bytearray(file.read_bytes())
    first = page % (len(raw) // 4096) * 4096
    raw[first : first + 20 * 4096] = bytes(20 * 4096)
    file.write_bytes(raw)

    async def start() -> None:
        await run_hub(hub, clock_file=None, web_port=0, broker_port=0, announce=print)

    with pytest.raises(StoreError, match=r"damaged.* restore the folder from a backup"):
        asyncio.run(start())
    assert findings_of(hub, only="rows")


def test_who_changed_a_member_had_to_be_on_the_board_and_no_line_can_be_rewritten(hub: Path) -> None:
    async def write() -> None:
        store = await open_store(hub, clock=CLOCK)
        assert await store.change_role("m03", "treasurer", begins=True, by="m01") is None
        await store.set_board("m03", is_board=True, by="m03")
        assert await store.change_role("m01", "board", begins=False, by="m01") is None
        await store.close()

    asyncio.run(write())
    (found,) = findings_of(hub, only="rows")
    assert found.startswith("member_change ")
    assert found.endswith(": m03 was not on the board when this was written"), "who leaves the board still was on it"
    with closing(sqlite3.connect(hub / STORE)) as db, pytest.raises(sqlite3.IntegrityError, match="never altered"):
        db.execute("UPDATE member_change SET made_by = 'm02'")
