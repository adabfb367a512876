"""What an approved order's file must not overrule: a wrong path, a new account, an objection, a later run, a return."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.books.signing import as_row
from hub.books.view import Books
from hub.core.ledger.month_runs import MonthRun
from hub.money.funds import MakeAttestation
from hub.storage.sqlite.store import SqliteStore
from tests.hub.commands.test_payments import IBANS, MONTH, Bank, make_bank

OTHER_IBAN = "FR1420041010050500013M02606"
AGAIN = "withdraw it and make it again"


@pytest.fixture
def street(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bank:
    made = make_bank(tmp_path / "hub", capsys)
    made.publish("M1")
    for member in IBANS:
        made.account(member, mandate=True)
    return made


def approved(bank: Bank, kind: str = "payouts") -> str:
    (order,) = bank.json(f"{MONTH} --kind {kind}")["orders"]
    bank.approve(order["message_id"])
    return str(order["message_id"])


def state(bank: Bank) -> str:
    return str(bank.json("payments")["orders"][0]["state"])


def receiver(bank: Bank) -> str:
    return next(member for member, net in bank.stated().items() if net > 0)


def test_a_mistyped_path_leaves_the_order_approved(street: Bank, tmp_path: Path) -> None:
    approved(street)
    out = tmp_path / "no such folder" / "out.xml"
    assert "cannot write" in street.run(f"{MONTH} --kind payouts", "--out", str(out), code=1)
    assert state(street) == "approved"
    street.run(f"{MONTH} --kind payouts --out {tmp_path / 'out.xml'}")
    assert state(street) == "written"


def test_a_second_file_is_checked_like_the_first(street: Bank, tmp_path: Path) -> None:
    approved(street)
    street.run(f"{MONTH} --kind payouts --out {tmp_path / 'first.xml'}")
    street.at(date(2027, 1, 13))
    second = tmp_path / "second.xml"
    street.account(receiver(street), iban=OTHER_IBAN)
    said = street.run(f"{MONTH} --kind payouts --out {second}", code=1)
    assert f"has given another account since: {AGAIN}" in said
    assert not second.exists()
    street.account(receiver(street))
    street.run(f"{MONTH} --kind payouts --out {second}")
    second.unlink()
    street.object_to(receiver(street), "sold")
    said = street.run(f"{MONTH} --kind payouts --out {second}", code=1)
    assert f"has objected to a month in it since: {AGAIN}" in said
    assert not second.exists()


def test_an_objection_of_the_same_second_counts_and_a_known_one_does_not_stop_the_order(
    street: Bank, tmp_path: Path
) -> None:
    first, *_ = street.json(f"{MONTH} --kind payouts")["orders"]
    street.approve(first["message_id"])
    out, who = tmp_path / "out.xml", first["payments"][0]["member"]
    street.object_to(who, "sold", at=first["made_at"])
    assert f"{who} has objected" in street.run(f"{MONTH} --kind payouts --out {out}", code=1)
    assert not out.exists()
    street.run(f"payments --withdraw {first['message_id']} --member m01 --reason objection")
    approved(street)
    street.run(f"{MONTH} --kind payouts --out {out}")
    assert out.exists(), "the new order knows of the objection"


def test_an_order_whose_amount_a_later_run_has_lowered_is_not_written(street: Bank, tmp_path: Path) -> None:
    first = street.stated()
    again = "payments --month 2026-12 --date 2027-03-20 --kind"
    made = {kind: street.json(f"{again} {kind}")["orders"][0] for kind in ("payouts", "collections")}
    for order in made.values():
        street.approve(order["message_id"])
    street.arrive(late=True)
    street.at(date(2027, 3, 8))
    street.publish("R1")
    second = street.stated()
    assert any(abs(second[member]) < abs(first[member]) for member in first)
    for kind, sign in (("payouts", 1), ("collections", -1)):
        members = [row["member"] for row in made[kind]["payments"]]
        lower = [m for m in members if sign * second[m] < sign * first[m]]
        out = tmp_path / kind
        said = street.run(f"{again} {kind} --out {out}", code=1 if lower else 0)
        assert out.exists() != bool(lower)
        assert all(word in said for word in ([AGAIN, lower[0]] if lower else []))


def test_an_account_entered_before_the_return_is_booked_is_a_new_account(street: Bank, tmp_path: Path) -> None:
    message_id = approved(street, "collections")
    street.run(f"{MONTH} --kind collections --out {tmp_path / 'a.xml'}")
    street.run(f"payments --booked {message_id} --date 2027-01-12")
    (order,) = street.json("payments")["orders"]
    payment = order["payments"][0]
    street.account(payment["member"], iban=OTHER_IBAN, mandate=True)
    street.at(date(2027, 1, 13))
    street.run(f"payments --returned {message_id} {payment['reference']} --date 2027-01-13 --reason AC04")
    found = street.json(f"{MONTH} --kind collections")
    assert [row["member"] for row in found["orders"][0]["payments"]] == [payment["member"]]
    assert [row for row in found["held"] if row["why"] == "the last payment came back"] == []


def test_an_order_takes_what_the_statements_say_is_to_pay_now_and_names_both_frozen_sides(street: Bank) -> None:
    street.object_to("m01", "received")
    street.object_to("m03", "sold")
    wanted: dict[str, Any] = {member: files.payment["now_cent"] for member, files in street.statements().items()}
    found, beside = {}, {}
    for kind, sign in (("payouts", 1), ("collections", -1)):
        made = street.json(f"{MONTH} --kind {kind}")
        (order,) = made["orders"]
        found |= {row["member"]: sign * row["amount_cent"] for row in order["payments"]}
        beside |= {(kind, row["member"], row["why"]): row["amount_cent"] for row in made["held"]}
    assert wanted["m03"] == 0, "the credit waits, and the bill it would have paid with it"
    assert found == {member: cents for member, cents in wanted.items() if cents}
    payments: dict[str, Any] = {member: files.payment for member, files in street.statements().items()}
    waits = {
        (member, bill["side"]): bill["waiting_cent"] for member in ("m01", "m03") for bill in payments[member]["bills"]
    }
    assert beside == {
        ("payouts", "m01", "frozen on the other side"): waits["m01", "received"],
        ("collections", "m01", "frozen"): waits["m01", "received"],
        ("payouts", "m03", "frozen"): waits["m03", "sold"],
        ("payouts", "m03", "frozen on the other side"): waits["m03", "received"],
        ("collections", "m03", "frozen"): waits["m03", "received"],
        ("collections", "m03", "frozen on the other side"): waits["m03", "sold"],
    }


def test_a_month_published_before_there_were_bills_is_due_in_its_plain_cents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def only_publish(
        store: SqliteStore, _run: MonthRun, *, books: Books, publish: MakeAttestation, **_options: Any
    ) -> None:
        await store.attest([as_row(publish(books.attestation))])

    bank = make_bank(tmp_path / "hub", capsys)
    with monkeypatch.context() as before_bills:
        before_bills.setattr("hub.board.run_approval.book_bills", only_publish)
        bank.publish("M1")
    for member in IBANS:
        bank.account(member, mandate=True)
    first: dict[str, Any] = {member: files.payment["now_cent"] for member, files in bank.statements().items()}
    assert pay(bank, MONTH, tmp_path) == first
    assert {account: nano for account, nano in bank.balances().items() if account.startswith("member:") and nano} == {}
    bank.arrive(late=True)
    bank.at(date(2027, 3, 8))
    bank.publish("R1")
    second = bank.stated()
    assert second != first
    found = pay(bank, "payments --month 2026-12 --date 2027-03-20", tmp_path / "again")
    assert found == {member: net - first[member] for member, net in second.items() if net != first[member]}
    assert {account: nano for account, nano in bank.balances().items() if account.startswith("member:") and nano} == {}
    assert bank.json("trial-balance")["sums"] == {"Wh": 0, "nano": 0}
    assert bank.books()["findings"] == []


def pay(bank: Bank, month: str, folder: Path) -> dict[str, int]:
    """Make, approve, write and book what is due on both sides; the cents by member, positive to the member."""
    folder.mkdir(exist_ok=True)
    found = {}
    for kind, sign in (("payouts", 1), ("collections", -1)):
        for order in bank.json(f"{month} --kind {kind}")["orders"]:
            found |= {row["member"]: sign * row["amount_cent"] for row in order["payments"]}
            bank.approve(order["message_id"])
            bank.run(f"{month} --kind {kind} --out {folder / kind}")
            day = "2027-01-12" if month == MONTH else "2027-03-08"
            bank.run(f"payments --booked {order['message_id']} --date {day}")
    return found
