"""`commonwatt-hub payments` from published months to the bank and back: due, approved, written, booked, returned."""

import asyncio
import json
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from lxml import etree  # type: ignore[import-untyped]

from hub.core.settlement.money import CENT_NANO
from hub.core.statements.document import StatementFiles
from hub.folder.keys.hub_key import load_key
from hub.folder.keys.salt_key import load_seals
from hub.statements.kept_days import STATEMENT_ACCESS
from hub.statements.months import StatementService
from hub.storage.records import NewObjection
from hub.storage.sqlite.store import SqliteStore
from protocols.hub_keys import HubSigner
from tests.hub.commands.test_funds_and_months import DECEMBER, FEES, YEAR_END, Hub
from tests.hub.settled_street import COOP

BANK = '\n[bank]\nname = "The Street"\niban = "DE89370400440532013000"\ncreditor_id = "DE98ZZZ09999999999"\n'
IBANS = {"m01": "AT611904300234573201", "m02": "ES9121000418450200051332", "m03": "DE75512108001245126199"}
MONTH = "payments --month 2026-12 --date 2027-01-20"


class Bank(Hub):
    """A hub with a bank table, and its December settled by M1 and published."""

    def run(self, command: str, *arguments: str, code: int = 0) -> str:
        """The last words of the command go with the arguments after it."""
        first, *more = command.split()
        return super().run(first, *more, *arguments, code=code)

    def json(self, command: str, *arguments: str) -> Any:
        return json.loads(self.run(command, *arguments, "--json"))

    def account(self, member: str, *, mandate: bool = False, iban: str | None = None) -> None:
        letter = self.folder.parent / "letter.txt"
        letter.write_text(iban or IBANS[member])
        more = ["--mandate-signed", "2026-12-05"] if mandate else []
        self.run(f"account --member {member} --by m01 --iban-file", str(letter), *more)

    def publish(self, kind: str) -> None:
        key = self.json(f"settle --month 2026-12 --kind {kind}")["run_key"]
        for member in ("m01", "m02"):
            self.run(f"approve --run {key} --member {member}")
        self.run(f"approve --run {key} --member m01 --publish")

    def approve(self, message_id: str) -> None:
        for member in ("m01", "m02"):
            self.run(f"payments --approve {message_id} --member {member}")

    def balances(self) -> dict[str, int]:
        """Every account of the ledger in nano, members apart."""

        async def read() -> dict[str, int]:
            store = await SqliteStore.open(self.folder / "hub.sqlite", now=lambda: 0.0)
            found: dict[str, int] = {}
            for row in await store.entries(after_position=0, limit=10**6):
                entry = json.loads(row.canonical)
                for _, account, amount in entry["postings"] if entry["unit"] == "nano" else ():
                    found[account] = found.get(account, 0) + amount
            await store.close()
            return found

        return asyncio.run(read())

    def statements(self) -> dict[str, StatementFiles]:
        """The members' statements of December."""

        async def read() -> dict[str, StatementFiles]:
            store = await SqliteStore.open(self.folder / "hub.sqlite", now=lambda: 0.0)
            key, seals = load_key(self.folder / "hub.key"), load_seals(self.folder)
            desk, found = StatementService(store, key=HubSigner.of_one_key(key), seals=seals), {}
            for member in await store.members():
                home = await store.home_of(member.id)
                assert home is not None
                files = await desk.state(member, home, month=DECEMBER, access=STATEMENT_ACCESS)
                assert files is not None
                found[member.id] = files
            await store.close()
            return found

        return asyncio.run(read())

    def stated(self) -> dict[str, int]:
        """What the members' bills and credit notes of December come to, in cents."""
        signs = {"C": 1, "I": -1}
        found = {}
        for member, each in self.statements().items():
            bills: Any = each.statement["tax"]
            found[member] = sum(signs[bill["number"][0]] * bill["gross_cent"] for bill in bills)
        return found

    def object_to(self, member: str, line: str, *, day: str = "", at: int = 1_800_000_000) -> None:
        async def write() -> None:
            store = await SqliteStore.open(self.folder / "hub.sqlite", now=lambda: 0.0)
            new = NewObjection(member, "2026-12", day, line, 1, "ab" * 32, "wrong", at, at + 1)
            assert await store.add_objection(new) is None
            await store.close()

        asyncio.run(write())


def make_bank(folder: Path, capsys: pytest.CaptureFixture[str]) -> Bank:
    """The street on 12 January, its December not yet settled."""
    made = Bank(folder, capsys)
    made.at(date(2026, 12, 1))
    made.run(f"init --name Street --coop {COOP.id} --tz {COOP.tz}")
    settings = made.folder / "hub.toml"
    settings.write_text(settings.read_text() + BANK + "smallest_cent = 1\n")
    made.arrive(late=False)
    made.at(date(2027, 1, 12))
    return made


@pytest.fixture
def bank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bank:
    return make_bank(tmp_path / "hub", capsys)


def amounts(content: bytes, schema: str) -> dict[str, int]:
    """The cents by IBAN of a file that the official schema takes."""
    official = etree.XMLSchema(etree.fromstring(files("sepaxml").joinpath(f"schemas/{schema}.xsd").read_bytes()))
    official.assertValid(etree.fromstring(content))
    space = f"{{urn:iso:std:iso:20022:tech:xsd:{schema}}}"
    found = {}
    outer = "CdtTrfTxInf" if "001.001" in schema else "DrctDbtTxInf"
    party = "CdtrAcct" if "001.001" in schema else "DbtrAcct"
    for one in ET.fromstring(content).iter(space + outer):
        iban, amount = one.find(f"{space}{party}/{space}Id/{space}IBAN"), next(one.iter(space + "InstdAmt"))
        assert iban is not None
        found[str(iban.text)] = int(str(amount.text).replace(".", ""))
    return found


def test_from_a_published_month_to_balanced_books(bank: Bank, tmp_path: Path) -> None:
    assert "nothing is due" in bank.run(f"{MONTH} --kind payouts"), "a month that is not published pays nothing"
    bank.publish("M1")
    stated = bank.stated()
    assert sorted(stated) == ["m01", "m02", "m03"]
    payers, receivers = ([m for m, net in stated.items() if net * sign > 0] for sign in (-1, 1))
    assert payers
    assert receivers
    for member in IBANS:
        bank.account(member, mandate=member in payers)
    xml = tmp_path / "out.xml"
    for kind, schema, whose in (
        ("payouts", "pain.001.001.09", receivers), ("collections", "pain.008.001.08", payers),
    ):  # fmt: skip
        made = bank.json(f"{MONTH} --kind {kind}")
        (order,) = made["orders"]
        assert {row["member"]: row["amount_cent"] for row in order["payments"]} == {m: abs(stated[m]) for m in whose}
        message_id = order["message_id"]
        assert "waits for its approvals" in bank.run(f"{MONTH} --kind {kind} --out {xml}", code=1)
        assert not xml.exists()
        bank.run(f"payments --approve {message_id} --member m01")
        assert "second approval" in bank.run(f"payments --approve {message_id} --member m01", code=1)
        assert "m03 is not on the board" in bank.run(f"payments --approve {message_id} --member m03", code=1)
        assert "was never written" in bank.run(f"payments --booked {message_id} --date 2027-01-12", code=1)
        bank.run(f"payments --approve {message_id} --member m02")
        assert "approved, approved by m01, m02\n" in bank.run("payments")
        bank.run(f"{MONTH} --kind {kind} --out {xml}")
        first = xml.read_bytes()
        assert xml.stat().st_mode & 0o077 == 0
        assert amounts(first, schema) == {IBANS[m]: abs(stated[m]) for m in whose}
        assert message_id.encode() in first
        xml.unlink()
        bank.run(f"{MONTH} --kind {kind} --out {xml}")
        assert xml.read_bytes() == first, "the same order is the same bytes"
        xml.unlink()
        other = bank.json(f"payments --month 2026-12 --date 2027-01-21 --kind {kind}")
        assert other["orders"] == [], "it is not made again under another id"
        assert "in the future" in bank.run(f"payments --booked {message_id} --date 2027-01-20", code=1)
        bank.run(f"payments --booked {message_id} --date 2027-01-12")
        assert "already booked" in bank.run(f"payments --booked {message_id} --date 2027-01-12", code=1)
    after = bank.balances()
    assert {account: nano for account, nano in after.items() if account.startswith("member:") and nano} == {}
    assert after["bank"] == sum(stated.values()) * CENT_NANO
    assert sum(after.values()) == 0
    assert bank.json("trial-balance")["sums"] == {"Wh": 0, "nano": 0}
    assert bank.books()["findings"] == []
    ledger = tmp_path / "ledger.beancount"
    bank.run(f"ledger --format beancount --out {ledger}")
    assert "Assets:Bank" in ledger.read_text()


def test_what_waits_is_named_with_what_to_do(bank: Bank) -> None:
    bank.publish("M1")
    payers = [m for m, net in bank.stated().items() if net < 0]
    said = bank.run(f"{MONTH} --kind collections")
    assert said.count("no bank account; the member gives it on the page My bank account") == len(payers)
    bank.account(payers[0])
    held = {row["member"]: row["why"] for row in bank.json(f"{MONTH} --kind collections")["held"]}
    assert held[payers[0]] == "no direct-debit mandate"
    bank.account(payers[0], iban="FR1420041010050500013M02606", mandate=True)
    (order,) = bank.json(f"{MONTH} --kind collections")["orders"]
    assert [row["member"] for row in order["payments"]] == payers[:1]
    said = bank.run(f"payments --approve {order['message_id']} --member m01")
    assert "FR14" not in said
    settings = bank.folder / "hub.toml"
    text = settings.read_text()
    settings.write_text(text.replace("smallest_cent = 1", "smallest_cent = 99999"))
    assert "below the smallest amount" in bank.run(f"{MONTH} --kind payouts")


def test_fees_are_collected_with_the_bill_they_stand_on(bank: Bank) -> None:
    bank.run("funds fees --month 2026-12", *bank.plan(FEES))
    bank.publish("M1")
    for member in IBANS:
        bank.account(member, mandate=True)
    (order,) = bank.json(f"{MONTH} --kind collections")["orders"]
    found = {row["member"]: row["amount_cent"] for row in order["payments"]}
    assert found == {m: -net for m, net in bank.stated().items() if net < 0}


def test_grants_and_refunds_are_paid_once_two_board_members_approve_them(bank: Bank, tmp_path: Path) -> None:
    bank.publish("M1")
    stated = bank.stated()
    key = bank.json("funds year-end --year 2026", *bank.plan(YEAR_END))["run_key"]
    for member in IBANS:
        bank.account(member, mandate=True)
    before = bank.json(f"{MONTH} --kind payouts")["orders"][0]
    assert sum(row["amount_cent"] for row in before["payments"]) == sum(net for net in stated.values() if net > 0)
    bank.run(f"payments --withdraw {before['message_id']} --member m02 --reason", "the refund is missing")
    assert f"year-end of 2026-12-31 is waiting: commonwatt-hub approve --run {key}" in bank.run("payments")
    assert "waits for approval" in bank.run(f"approve --run {key[:12]} --member m01")
    assert "second approval" in bank.run(f"approve --run {key} --member m01", code=1)
    assert "not published" in bank.run(f"approve --run {key} --member m02 --publish", code=1)
    assert "m03 is not on the board" in bank.run(f"approve --run {key} --member m03", code=1)
    assert "due" in bank.run(f"approve --run {key} --member m02")
    assert "is already approved" in bank.run(f"approve --run {key} --member m02", code=1)
    assert bank.json("payments")["funds"] == []
    owed = {m: bank.balances()[f"member:{m}:money"] for m in stated}
    for kind, sign in (("payouts", 1), ("collections", -1)):
        (order,) = bank.json(f"{MONTH} --kind {kind}")["orders"]
        for row in order["payments"]:
            assert abs(sign * row["amount_cent"] * CENT_NANO - owed.pop(row["member"])) < CENT_NANO
        bank.approve(order["message_id"])
        bank.run(f"{MONTH} --kind {kind} --out {tmp_path / kind}")
        bank.run(f"payments --booked {order['message_id']} --date 2027-01-12")
    after = bank.balances()
    assert owed == {}
    assert [nano for account, nano in after.items() if account.startswith("member:") and nano] == []
    assert after["rounding"] != 0
    assert sum(after.values()) == 0
    assert bank.books()["findings"] == []


def test_a_returned_payment_is_due_again_once_the_account_is_entered_again(bank: Bank, tmp_path: Path) -> None:
    bank.publish("M1")
    payer = next(m for m, net in bank.stated().items() if net < 0)
    bank.account(payer, mandate=True)
    (order,) = bank.json(f"{MONTH} --kind collections")["orders"]
    (payment,) = order["payments"]
    returned = f"payments --returned {order['message_id']} {payment['reference']} --date 2027-01-12 --reason"
    assert "book the order first" in bank.run(returned, "AM04", code=1)
    bank.approve(order["message_id"])
    bank.run(f"{MONTH} --kind collections --out {tmp_path / 'a.xml'}")
    bank.run(f"payments --booked {order['message_id']} --date 2027-01-12")
    paid = bank.balances()
    assert "no payment with the reference" in bank.run(
        f"payments --returned {order['message_id']} other --date 2027-01-12 --reason x", code=1
    )
    assert "returned: AM04" in bank.run(returned, "AM04")
    assert "is already returned" in bank.run(returned, "AM04", code=1)
    back = bank.balances()
    assert back["bank"] == 0
    assert paid[f"member:{payer}:money"] - back[f"member:{payer}:money"] == payment["amount_cent"] * CENT_NANO
    assert "the last payment came back" in bank.run(f"{MONTH} --kind collections")
    bank.at(date(2027, 1, 13))
    bank.account(payer)
    (again,) = bank.json(f"{MONTH} --kind collections")["orders"]
    assert [row["amount_cent"] for row in again["payments"]] == [payment["amount_cent"]]
    assert again["message_id"] != order["message_id"]
    assert bank.books()["findings"] == []


def test_a_later_run_pays_only_the_difference(bank: Bank, tmp_path: Path) -> None:
    bank.publish("M1")
    first = bank.stated()
    for member in IBANS:
        bank.account(member, mandate=True)
    for kind in ("payouts", "collections"):
        (order,) = bank.json(f"{MONTH} --kind {kind}")["orders"]
        bank.approve(order["message_id"])
        bank.run(f"{MONTH} --kind {kind} --out {tmp_path / kind}")
        bank.run(f"payments --booked {order['message_id']} --date 2027-01-12")
    bank.arrive(late=True)
    bank.at(date(2027, 3, 8))
    again = "payments --month 2026-12 --date 2027-03-20 --kind"
    assert bank.json(f"{again} payouts")["orders"] == bank.json(f"{again} collections")["orders"] == []
    bank.publish("R1")
    second = bank.stated()
    assert first != second
    found = {}
    for kind, sign in (("payouts", 1), ("collections", -1)):
        for order in bank.json(f"{again} {kind}")["orders"]:
            found |= {row["member"]: sign * row["amount_cent"] for row in order["payments"]}
    assert found == {m: second[m] - first[m] for m in second if second[m] != first[m]}


def test_an_objection_freezes_what_it_names_also_after_the_order_is_made(bank: Bank, tmp_path: Path) -> None:
    bank.publish("M1")
    stated = bank.stated()
    receiver = next(m for m, net in stated.items() if net > 0)
    bank.account(receiver)
    (order,) = bank.json(f"{MONTH} --kind payouts")["orders"]
    bank.approve(order["message_id"])
    bank.object_to(receiver, "sold")
    out = tmp_path / "out.xml"
    said = bank.run(f"{MONTH} --kind payouts --out {out}", code=1)
    assert "has objected to a month in it since: withdraw it and make it again" in said
    assert not out.exists()
    bank.run(f"payments --withdraw {order['message_id']} --member m01 --reason objection")
    assert "already withdrawn" in bank.run(f"payments --approve {order['message_id']} --member m02", code=1)
    made = bank.json(f"{MONTH} --kind payouts")
    assert made["orders"] == []
    beside = bank.statements()[receiver].payment
    assert isinstance(beside["waiting_cent"], int)
    assert beside["waiting_cent"] >= stated[receiver]
    held = [row for row in made["held"] if row["member"] == receiver]
    credit, debit = (row["amount_cent"] for row in held)
    assert credit - debit == beside["waiting_cent"], "what the credit would have paid of the bill waits with it"
    assert [(row["why"], row["what_to_do"]) for row in held] == [
        ("frozen", "it waits for the board to decide on the objection"),
        ("frozen on the other side", "it is not netted until the board decides on the objection"),
    ]


def test_a_written_order_is_withdrawn_by_two(bank: Bank, tmp_path: Path) -> None:
    bank.publish("M1")
    for member in IBANS:
        bank.account(member)
    (order,) = bank.json(f"{MONTH} --kind payouts")["orders"]
    bank.approve(order["message_id"])
    bank.run(f"{MONTH} --kind payouts --out {tmp_path / 'a.xml'}")
    withdraw = f"payments --withdraw {order['message_id']} --reason refused --member"
    assert bank.json(f"{withdraw} m01")["orders"][0]["state"] == "written"
    assert "a second board member must withdraw it too" in bank.run(f"{withdraw} m01", code=1)
    assert bank.json(f"{withdraw} m02")["orders"][0]["state"] == "withdrawn"
    (again,) = bank.json(f"{MONTH} --kind payouts")["orders"]
    assert again["payments"][0]["amount_cent"] == order["payments"][0]["amount_cent"]
    assert again["message_id"] != order["message_id"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--kind payouts", "--kind needs --month"),
        ("--kind payouts --month 2026-12", "--kind needs --date"),
        ("--kind payouts --month never --date 2027-01-20", "expected a month"),
        ("--kind payouts --month 2026-12 --date soon", "is not a day"),
        ("--kind payouts --month 2026-12 --date 2027-01-11", "is in the past"),
        ("--kind payouts --month 2026-12 --date 2027-01-20 --member m03", "is not on the board"),
        ("--approve x --member m01", "there is no order 'x'; newest: none yet"),
        ("--withdraw x --member m01 --reason \u0007", "printable characters"),
        ("--booked x", "--booked needs --date"),
        ("--booked x --date 2027-01-12", "there is no order"),
        ("--booked x --approve y", "are two steps"),
        ("--month 2026-12", "--month does not go with the list"),
        ("--returned x y --date 2027-01-12", "--returned needs --reason"),
        ("--returned x y --date 2027-01-12 --reason z", "there is no order"),
    ],
)
def test_a_wrong_step_is_one_line(bank: Bank, given: str, said: str) -> None:
    shown = bank.run(f"payments {given}", code=1)
    assert said in shown
    assert shown.count("payments: ") == 1, "the command is named once"


def test_without_a_bank_table_nothing_is_made(bank: Bank) -> None:
    settings = bank.folder / "hub.toml"
    text = settings.read_text()
    settings.write_text(text.replace('creditor_id = "DE98ZZZ09999999999"\n', ""))
    assert "bank.creditor_id" in bank.run(f"{MONTH} --kind collections", code=1)
    settings.write_text(text.split("\n[bank]")[0])
    assert "a table [bank]" in bank.run(f"{MONTH} --kind payouts", code=1)
