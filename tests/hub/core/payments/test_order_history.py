"""The life of a payment order, step by step: who decides what, what the bank reports, what is covered and booked."""

import json
from dataclasses import replace
from typing import Any

import pytest

from hub.core.ledger.attestations import AttestedDocument
from hub.core.ledger.entries import balances
from hub.core.ledger.signed_document import canonical_bytes
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.due import COLLECTIONS, PAYOUTS, AmountDue, MonthCents, OrderKind
from hub.core.payments.order_history import (
    APPROVED,
    BOOKED,
    DRAFT,
    PAYMENT_APPROVAL,
    PAYMENT_FILE,
    PAYMENT_ORDER,
    PAYMENT_WITHDRAWAL,
    RECORD_TAG,
    WITHDRAWN,
    WRITTEN,
    BankReport,
    PaymentOrderRecord,
    bank_record,
    booking_obstacle,
    covered_by,
    decision_obstacle,
    file_obstacle,
    order_content,
    order_key_of,
    payment_entries,
    read_bank_report,
    read_orders,
    return_obstacle,
)
from hub.core.settlement.money import CENT_NANO

ACCOUNT = CoopAccount("The Street", "DE89370400440532013000", "COBADEFFXXX", "DE98ZZZ09999999999", 250, False)
DUES: list[tuple[AmountDue, int, str | None]] = [
    (AmountDue("m01", 900, (("2026-09", MonthCents(400, 0, 7)), ("2026-10", MonthCents(600, 100, -2)))), 11, None),
    (AmountDue("m02", 300, (("2026-10", MonthCents(300, 0, 5)),)), 12, "MND-1"),
]


def content_of(kind: OrderKind = PAYOUTS, *, number: int = 3, dues: Any = DUES, made_at: int = 50) -> dict[str, Any]:
    return order_content(
        dues, kind=kind, through="2026-10", pay_on="2026-11-20", made_at=made_at, coop="sunny-street", number=number,
        account=ACCOUNT,
    )  # fmt: skip


def said(kind: str, content: dict[str, Any], *, key: str = "k1") -> AttestedDocument:
    """The document as it comes out of the chain: through JSON."""
    return AttestedDocument(1, "", "street", kind, "2026-10", key, json.loads(canonical_bytes(content)))


ORDER = said(PAYMENT_ORDER, content_of())
FILE = said(PAYMENT_FILE, {"sha256": "5a", "at": 70})


def approval(member: str) -> AttestedDocument:
    return said(PAYMENT_APPROVAL, {"member": member, "at": 60})


def withdrawal(member: str) -> AttestedDocument:
    return said(PAYMENT_WITHDRAWAL, {"member": member, "at": 80, "reason": "wrong month"})


def report(reference: str | None = None) -> BankReport:
    return BankReport(content_of()["message_id"], "2026-11-21", reference, "AM04", 90)


def order_of(*documents: AttestedDocument, bank: tuple[BankReport, ...] = ()) -> PaymentOrderRecord:
    (order,) = read_orders([ORDER, *documents], bank)
    return order


def test_an_order_is_read_as_it_was_made() -> None:
    order = order_of()
    message_id = content_of()["message_id"]
    assert message_id.startswith("sunny-st-P202610-3-")
    assert (order.order_key, order.message_id, order.kind) == ("k1", message_id, PAYOUTS)
    assert (order.through, order.pay_on, order.made_at, order.account) == ("2026-10", "2026-11-20", 50, ACCOUNT)
    first, second = order.payments
    assert (first.member, first.amount_cent, first.account, first.mandate) == ("m01", 900, 11, None)
    assert (second.account, second.mandate, second.months) == (12, "MND-1", (("2026-10", MonthCents(300, 0, 5)),))
    assert first.covered == MonthCents(1000, 100, 5)
    assert order.total_cent == 1200


def test_references_count_from_one_as_the_bank_file_numbers_its_payments() -> None:
    """They come back on the bank's statement, possibly years later: they must never change."""
    order = order_of()
    assert [payment.reference for payment in order.payments] == [f"{order.message_id}-1", f"{order.message_id}-2"]
    returned = order_of(FILE, bank=(report(), report(f"{order.message_id}-1")))
    assert covered_by([returned]) == {
        ("m01", "2026-09"): MonthCents(0, 0, 7),
        ("m01", "2026-10"): MonthCents(0, 0, -2),
        ("m02", "2026-10"): MonthCents(300, 0, 5),
    }
    assert returned.returned == ((f"{order.message_id}-1", "AM04", 90),)


@pytest.mark.parametrize(
    ("documents", "bank", "state"),
    [
        ((), (), DRAFT),
        ((approval("b1"),), (), DRAFT),
        ((approval("b1"), approval("b2")), (), APPROVED),
        ((approval("b1"), approval("b2"), FILE), (), WRITTEN),
        ((approval("b1"), withdrawal("b2")), (), WITHDRAWN),
        ((approval("b1"), approval("b2"), FILE, withdrawal("b1")), (), WRITTEN),
        ((approval("b1"), approval("b2"), FILE, withdrawal("b1"), withdrawal("b2")), (), WITHDRAWN),
        ((FILE,), (report(),), BOOKED),
        ((FILE, withdrawal("b1"), withdrawal("b2")), (report(),), BOOKED),
    ],
)
def test_the_state_of_an_order(
    documents: tuple[AttestedDocument, ...], bank: tuple[BankReport, ...], state: str
) -> None:
    order = order_of(*documents, bank=bank)
    assert order.state == state
    assert (order.booked_on == "2026-11-21") == bool(bank)


def test_documents_and_reports_of_other_orders_change_nothing() -> None:
    other = said(PAYMENT_ORDER, content_of(number=4), key="k2")
    elsewhere = replace(report(), message_id=content_of(number=4)["message_id"])
    alien = said(PAYMENT_APPROVAL, {"member": "b1", "at": 60}, key="k2")
    first, second = read_orders([ORDER, other, alien], [elsewhere])
    assert (first.state, first.approvals, second.state, second.approvals) == (DRAFT, (), BOOKED, (("b1", 60),))


def test_an_order_is_covered_until_it_is_withdrawn() -> None:
    covered = covered_by([order_of(), order_of()])
    assert covered["m01", "2026-10"] == MonthCents(1200, 200, -4)
    assert covered_by([order_of(withdrawal("b1"))]) == {}


def test_what_keeps_a_file_from_being_written() -> None:
    two = (approval("b1"), approval("b2"))
    assert file_obstacle(order_of(*two)) is None
    assert file_obstacle(order_of(*two, FILE)) is None
    assert file_obstacle(order_of()) == "2 approval(s) of different board members are missing"
    assert file_obstacle(order_of(approval("b1"))) == "1 approval(s) of different board members are missing"
    assert file_obstacle(order_of(withdrawal("b1"))) == "it is withdrawn: wrong month"
    assert file_obstacle(order_of(FILE, bank=(report(),))) == "it is booked: the bank has executed it"


@pytest.mark.parametrize(
    ("documents", "kind", "member", "reason"),
    [
        ((), PAYMENT_APPROVAL, "b1", None),
        ((approval("b1"),), PAYMENT_APPROVAL, "b2", None),
        ((approval("b1"),), PAYMENT_APPROVAL, "b1", "b1 has already approved it"),
        ((approval("b1"), approval("b2")), PAYMENT_APPROVAL, "b3", "is already approved"),
        ((), PAYMENT_WITHDRAWAL, "b1", None),
        ((withdrawal("b1"),), PAYMENT_WITHDRAWAL, "b2", "is already withdrawn"),
        ((FILE, withdrawal("b1")), PAYMENT_WITHDRAWAL, "b2", None),
        ((FILE, withdrawal("b1")), PAYMENT_WITHDRAWAL, "b1", "a second board member must withdraw it too"),
    ],
)
def test_what_keeps_a_member_from_deciding(
    documents: tuple[AttestedDocument, ...], kind: str, member: str, reason: str | None
) -> None:
    found = decision_obstacle(order_of(*documents), member, is_board=True, kind=kind)
    assert found is None if reason is None else reason in (found or "")
    booked = decision_obstacle(order_of(*documents, FILE, bank=(report(),)), "b9", is_board=True, kind=kind)
    assert booked is not None
    assert booked.endswith("is already booked")
    assert "is not on the board" in (decision_obstacle(order_of(*documents), member, is_board=False, kind=kind) or "")


def test_what_keeps_an_order_or_a_return_from_being_booked() -> None:
    order = order_of()
    assert booking_obstacle(order) == "its file was never written (it is draft), so the bank cannot have it"
    assert booking_obstacle(order_of(FILE)) is None
    assert booking_obstacle(order_of(FILE, withdrawal("b1"), withdrawal("b2"))) is None, "the bank did it anyway"
    booked = order_of(FILE, bank=(report(),))
    assert booking_obstacle(booked) == "it is already booked, on 2026-11-21"
    reference = f"{order.message_id}-2"
    assert return_obstacle(order, reference) == "it is not booked: book the order first, then the returned payment"
    assert return_obstacle(booked, reference) is None
    assert "has no payment with the reference" in (return_obstacle(booked, f"{order.message_id}-3") or "")
    again = order_of(FILE, bank=(report(), report(reference)))
    assert return_obstacle(again, reference) == f"{reference} is already returned"


def test_message_ids_differ_wherever_the_content_does() -> None:
    contents = [
        content_of(),
        content_of(number=4),
        content_of(COLLECTIONS),
        content_of(made_at=51),
        content_of(dues=DUES[:1]),
    ]
    assert len({content["message_id"] for content in contents}) == len({order_key_of(c) for c in contents}) == 5
    assert content_of(COLLECTIONS)["message_id"].startswith("sunny-st-C202610-3-")
    assert order_key_of(content_of()) == order_key_of(json.loads(json.dumps(content_of())))
    assert len(content_of()["message_id"]) <= 33


@pytest.mark.parametrize(("kind", "sign"), [(PAYOUTS, 1), (COLLECTIONS, -1)])
def test_an_executed_order_and_a_return_of_it_by_hand(kind: OrderKind, sign: int) -> None:
    (order,) = read_orders([said(PAYMENT_ORDER, content_of(kind)), FILE], [])
    executed = payment_entries(order, day="2026-11-21", run="r1", cites="c")
    assert balances(executed) == {
        ("nano", "member:m01:money"): -sign * 900 * CENT_NANO + 5,
        ("nano", "member:m02:money"): -sign * 300 * CENT_NANO + 5,
        ("nano", "bank"): sign * 1200 * CENT_NANO,
        ("nano", "rounding"): -10,
    }
    (back,) = payment_entries(order, day="2026-11-25", run="r2", cites="c", returned=f"{order.message_id}-2")
    assert (back.member, back.run, back.day, back.cites) == ("m02", "r2", "2026-11-25", "c")
    assert balances([back]) == {
        ("nano", "member:m02:money"): sign * 300 * CENT_NANO,
        ("nano", "bank"): -sign * 300 * CENT_NANO,
    }, "the rounding stays booked"


def test_a_bank_report_survives_its_record() -> None:
    for each in (report(), report("x-1")):
        record = bank_record(order_of(), each)
        assert record.startswith(RECORD_TAG)
        assert read_bank_report(record) == each
        assert json.loads(record[len(RECORD_TAG) :])["order"] == "k1"


@pytest.mark.parametrize("record", [b"", b"[]", b"{}", RECORD_TAG, RECORD_TAG + b'{"message_id": 5}', b"\xff"])
def test_other_bytes_are_no_bank_report(record: bytes) -> None:
    with pytest.raises(ValueError, match="not the record of a payment") as refused:
        read_bank_report(record)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (PAYMENT_ORDER, {}),
        (PAYMENT_ORDER, content_of() | {"lines": [["m01", "900", 11, None, []]]}),
        (PAYMENT_ORDER, content_of() | {"payments": "gifts"}),
        (PAYMENT_APPROVAL, {"member": "b1"}),
        (PAYMENT_WITHDRAWAL, {"member": "b1", "at": 5}),
        (PAYMENT_FILE, {"sha256": 5}),
    ],
)
def test_content_that_its_kind_does_not_have_is_refused(kind: str, content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"attestation 1 is not a valid {kind}: "):
        read_orders([said(kind, content)], [])
