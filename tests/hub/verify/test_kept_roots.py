"""The log of rows is under the signed day roots: removed or rewritten, it is found, by a kept root at the latest."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hub.commands.operation.verify import verify_hub
from hub.core.ledger.attestations import DAY_ROOT, FIRST_PREVIOUS, document_digest, read_attestation
from hub.core.ledger.signed_document import SIGNED_TAG, canonical_bytes, sign_document
from hub.folder.keys.hub_key import load_key
from hub.folder.paths import KEY_NAME, SALT_NAME
from hub.storage.sql.row_log.protection import LOGGED
from hub.storage.sqlite.row_log.install import install_log
from hub.storage.sqlite.schema import known_migrations
from hub.storage.sqlite.threads.connection import run_through
from protocols.errors import RequestError
from tests.hub.verify.tampering import CLOCK, STORE, findings_of, tampering
from tests.releases.keep import write_statements
from tests.releases.release_state import LATER_S

Content = dict[str, Any]
REWRITTEN = "are not those that the hub signed for with attestation"
ANEW = "is not the one that the hub signed then: the books were rewritten since"


@pytest.fixture(scope="module")
def statement(kept_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A member's statement.json, made before anybody tampers."""
    folder = tmp_path_factory.mktemp("statements")
    copy = folder / "hub"
    copy.mkdir(mode=0o700)
    for path in kept_hub.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
            (copy / path.name).chmod(0o600)
    write_statements(copy, folder, folder / "given")
    return folder / "given" / "m01" / "statement.json"


def begin_log_again(hub: Path) -> None:
    """Somebody with the hub's key removes the log and changes a row; the store then looks like an upgraded one."""
    with tampering(hub) as db:
        for table in ("row_log", "row_log_head"):
            db.execute(f"DELETE FROM {table}")
        db.execute("UPDATE account SET iban = 'another' WHERE id = 2")

    with closing(sqlite3.connect(hub / STORE, isolation_level=None)) as db:
        for table in LOGGED:
            db.execute(f"DROP TRIGGER row_log_{table}_added")
        every_step, key = range(1, len(known_migrations()) + 1), load_key(hub / KEY_NAME)
        run_through(lambda connection: install_log(connection, every_step, at=int(LATER_S), signer=key), db)


def sign_again(hub: Path, change: Callable[[Content], Content | None]) -> None:
    """Every document of the books from the first on, with the content of its day roots changed, signed by the hub."""
    key, previous = load_key(hub / KEY_NAME), FIRST_PREVIOUS
    with tampering(hub) as db:
        for position, raw in db.execute("SELECT position, document FROM attestation ORDER BY position").fetchall():
            table = json.loads(raw)
            table["previous"] = previous.hex()
            if table["kind"] == DAY_ROOT:
                table["content"] = change(table["content"])
            document = canonical_bytes(table)
            signature = key.sign(SIGNED_TAG + document)
            values = (document, signature, position)
            db.execute("UPDATE attestation SET document = ?, signature = ? WHERE position = ?", values)
            previous = document_digest(document)


def without_log(content: Content) -> Content:
    """A day root of version 1."""
    return {name: value for name, value in content.items() if name not in ("version", "log")}


def with_no_line(content: Content) -> Content:
    """A day root with the head that every log has, that of no line."""
    return content | {"log": [0, bytes(32).hex()]}


def findings(hub: Path, *kept: Path) -> list[str]:
    found = asyncio.run(verify_hub(hub, clock=CLOCK, kept=kept))
    assert found["ok"] is not any(part["wrong"] for part in found.values() if isinstance(part, dict))
    return [sentence for part in found.values() if isinstance(part, dict) for sentence in part["findings"]]


def test_a_whole_hub_holds_with_what_a_member_kept(hub: Path, statement: Path) -> None:
    found = asyncio.run(verify_hub(hub, clock=CLOCK, kept=[statement]))
    assert found["ok"] is True
    kept, rows = found["kept"], found["rows"]
    assert isinstance(kept, dict)
    assert isinstance(rows, dict)
    assert (kept["roots"], kept["unnamed"], kept["wrong"]) == (2, 0, 0)
    assert rows["heads"] > 2


def test_every_root_has_the_head_of_the_log(hub: Path) -> None:
    with closing(sqlite3.connect(hub / STORE)) as db:
        raws = [raw for (raw,) in db.execute("SELECT document FROM attestation ORDER BY position")]
        lines = dict(db.execute("SELECT position, digest FROM row_log").fetchall())
    roots = [each.content for each in map(read_attestation, raws) if each.kind == DAY_ROOT]
    heads = [root["log"] for root in roots]
    assert {root["version"] for root in roots} == {2}
    assert heads == sorted(heads, key=lambda head: head[0])  # type: ignore[index]
    assert all(head[0] in lines for head in heads)  # type: ignore[index]


def test_a_log_removed_with_its_steps_is_not_an_upgrade(hub: Path) -> None:
    begin_log_again(hub)
    (finding,) = findings_of(hub, only="rows")
    assert REWRITTEN in finding
    assert "more roots" in finding


@pytest.mark.parametrize("change", [without_log, pytest.param(with_no_line, marks=pytest.mark.campaign)])
def test_books_signed_anew_are_told_by_a_kept_root_alone(
    hub: Path, statement: Path, change: Callable[[Content], Content]
) -> None:
    sign_again(hub, change)
    begin_log_again(hub)
    assert findings(hub) == [], "whoever has the key and the store can rewrite both"
    found = findings(hub, statement)
    assert len(found) == 2
    assert all(each.startswith("kept statement.json: 2021-10-") and each.endswith(ANEW) for each in found)


def test_the_head_does_not_go_missing_again(hub: Path) -> None:
    first: list[Content] = []

    def later_ones_without(content: Content) -> Content:
        first.append(content)
        return content if len(first) == 1 else without_log(content)

    sign_again(hub, later_ones_without)
    found = findings_of(hub, only="books")
    assert any("the head of the log of rows is missing, and attestation" in each for each in found)


def test_a_log_that_grew_shorter_is_named(hub: Path) -> None:
    heads = iter(range(900, 0, -1))
    sign_again(hub, lambda content: content | {"log": [next(heads), content["log"][1]]})
    assert any("the log of rows has 899 lines, and had 900 before" in each for each in findings_of(hub, only="books"))


@pytest.mark.parametrize(
    "change", [lambda root: root | {"version": 1}, lambda root: root | {"version": 3}, lambda root: root | {"more": 1}]
)
def test_a_root_of_another_form_is_named(hub: Path, change: Callable[[Content], Content]) -> None:
    sign_again(hub, change)
    assert any("is not a valid day-root" in each for each in findings_of(hub, only="books"))


def changed_root(statement: Path, to: Path, **changes: Any) -> Path:
    """The first day's root alone, with these values, signed by nobody."""
    root = json.loads(statement.read_text(encoding="utf-8"))["document"]["days"][0]["root"]
    to.write_text(json.dumps(root | {"document": root["document"] | changes}), encoding="utf-8")
    return to


def test_a_kept_root_of_another_hub_or_without_its_document_is_named(
    hub: Path, statement: Path, tmp_path: Path
) -> None:
    root = changed_root(statement, tmp_path / "root.json")
    assert findings(hub, root) == []
    assert findings(hub, changed_root(statement, root, entries=1)) == [
        "kept root.json: 2021-10-30: its root is not signed by this hub's key"
    ]
    for changes, said in (
        ({"attested": [4_000, "ab"]}, "the books have no document 4000, which the hub signed for this day"),
        ({"coop": "other"}, "its root is of other in the form commonwatt-day-root-2, not of example-lane"),
    ):
        document = json.loads(changed_root(statement, root, **changes).read_text(encoding="utf-8"))["document"]
        root.write_text(json.dumps(sign_document(document, load_key(hub / KEY_NAME))), encoding="utf-8")
        assert findings(hub, root) == [f"kept root.json: 2021-10-30: {said}"]


def test_a_missing_salt_key_is_said_and_none_is_made(hub: Path, statement: Path) -> None:
    (hub / SALT_NAME).unlink()
    assert "the folder's salt key is missing" in findings(hub, statement)[0]
    assert not (hub / SALT_NAME).exists()


def test_a_file_without_roots_is_refused_before_anything_is_checked(hub: Path, tmp_path: Path) -> None:
    for content in ("{}", "[1]", '{"document": {"days": [{}]}}', "\xff"):
        (tmp_path / "other.json").write_text(content, encoding="latin-1")
        with pytest.raises(RequestError, match="expected a member's statement"):
            asyncio.run(verify_hub(hub, clock=CLOCK, kept=[tmp_path / "other.json"]))
