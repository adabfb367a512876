"""`commonwatt-hub account`: a letter entered by the board, every mistake one line, no IBAN in any output."""

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.__main__ import main
from hub.commands.operation.init import init_hub
from hub.storage.records import Access, Home, Member
from hub.storage.sqlite.store import SqliteStore
from protocols.timeline import Clock, Timeline
from tests.hub.settled_street import COOP

NOW_S = 1_790_000_000
IBAN = "AT61 1904 3002 3457 3201"


class Desk:
    """A hub with a board member m01 and a member m02, and the command on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder / "hub", capsys
        self.letter, self._clock = folder / "letter.txt", folder / "clock.json"
        self.letter.write_text(IBAN + "\n")
        self._clock.write_text(Timeline(0, NOW_S, 0, None).text())

    async def make(self) -> None:
        await init_hub(self.folder, coop=COOP, clock=Clock(real=lambda: NOW_S))
        store = await SqliteStore.open(self.folder / "hub.sqlite", now=lambda: float(NOW_S))
        for number in (1, 2):
            member = Member(f"m0{number}", f"Member {number}", f"m{number}@example.org", "en", number == 1, 0)
            await store.add_member(member, Home(f"h0{number}", "Home", member.id))
        await store.close()

    def run(self, *given: str, member: str = "m02", by: str = "m01", code: int = 0) -> str:
        place = ["--data", str(self.folder), "--clock", str(self._clock)]
        found = main(["account", *place, "--member", member, "--by", by, *given])
        out, err = self.capsys.readouterr()
        assert found == code, (out, err)
        assert len(err.splitlines()) == (code != 0)
        assert "1904" not in out + err
        return out + err

    def stored(self) -> Any:
        async def read() -> Any:
            store = await SqliteStore.open(self.folder / "hub.sqlite", now=lambda: float(NOW_S))
            found = await store.bank_details(None, access=Access("m01", "board", "bank.pay"))
            looks = await store.access_rows("h02", limit=9)
            await store.close()
            return found, looks

        return asyncio.run(read())


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    made = Desk(tmp_path, capsys)
    asyncio.run(made.make())
    return made


def test_a_letter_is_entered_whole_and_shown_masked(desk: Desk) -> None:
    assert desk.run("--reason", "asked on the phone") == "no bank account yet\n"
    said = desk.run("--iban-file", str(desk.letter), "--mandate-signed", "2026-05-01", "--mandate", "LETTER-7")
    assert "AT •••• 3201  Member 2, entered by m01" in said
    assert "mandate LETTER-7 signed on 2026-05-01" in said
    found, looks = desk.stored()
    assert found.account_of("m02").iban == IBAN.replace(" ", "")
    assert looks[0].actor == "m01"
    assert "ended by m01" in desk.run("--revoke-mandate")
    row = json.loads(desk.run("--json", "--reason", "to check"))["mandates"][0]
    assert (row["id"], row["ended_by"]) == ("LETTER-7", "m01")


def test_an_iban_comes_from_standard_input_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(IBAN.encode())))
    assert "Other Holder" in desk.run("--iban-file", "-", "--holder", "Other Holder")


@pytest.mark.parametrize(
    ("letter", "given", "said"),
    [
        ("XX61 1904 3002 3457 3201", [], "two letters of a SEPA country"),
        ("AT61 1904 3002", [], "has 12 characters, not 20"),
        ("AT61 1904 3002 3457 3202", [], "check digits are wrong"),
        ("", [], "one line with the IBAN"),
        (IBAN + "\nmore", [], "one line with the IBAN"),
        ("x" * 2000, [], "one line with the IBAN"),
        (IBAN, ["--holder", "\u0007"], "--holder: expected a name"),
        (IBAN, ["--mandate-signed", "soon"], "is not a day"),
        (IBAN, ["--mandate-signed", "2099-01-01"], "is in the future"),
        (IBAN, ["--mandate-signed", "2026-05-01", "--mandate", "Ä"], "--mandate: expected"),
        (IBAN, ["--mandate", "A"], "--mandate with --mandate-signed"),
        (IBAN, ["--revoke-mandate"], "no mandate in force"),
        (IBAN, ["--revoke-mandate", "--mandate-signed", "2026-05-01"], "two letters"),
    ],
)
def test_a_wrong_letter_is_one_line_and_enters_nothing(desk: Desk, letter: str, given: list[str], said: str) -> None:
    desk.letter.write_text(letter)
    assert said in desk.run("--iban-file", str(desk.letter), *given, code=1)
    assert desk.stored()[0].accounts == ()


def test_only_the_board_enters_and_only_for_members(desk: Desk) -> None:
    letter = ["--iban-file", str(desk.letter)]
    assert "'m02' is not on the board" in desk.run(*letter, by="m02", code=1)
    assert "no member 'm09'" in desk.run(*letter, member="m09", code=1)
    assert "no account yet" in desk.run("--mandate-signed", "2026-05-01", code=1)
    assert "cannot read" in desk.run("--iban-file", str(desk.folder / "none"), code=1)
    assert desk.stored()[0].accounts == ()
    desk.run(*letter, "--mandate-signed", "2026-05-01")
    assert "already has a mandate" in desk.run(*letter, "--mandate-signed", "2026-05-02", code=1)
    assert len(desk.stored()[0].accounts) == 1


def test_a_wrong_bank_table_is_one_line(desk: Desk) -> None:
    settings = desk.folder / "hub.toml"
    text = settings.read_text()
    good = '\n[bank]\nname = "Street"\niban = "DE89 3704 0044 0532 0130 00"\ncreditor_id = "DE98ZZZ09999999999"\n'
    settings.write_text(text + good)
    desk.run("--reason", "asked on the phone")
    for wrong in ("0130 00", "ZZZ0", '"Street"'):
        settings.write_text(text + good.replace(wrong, '""' if wrong[0] == '"' else "1"))
        assert "hub.toml: bank." in desk.run("--reason", "asked on the phone", code=1)
