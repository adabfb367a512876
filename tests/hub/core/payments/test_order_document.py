"""An order as a JSON document: decoded into payouts or collections, or refused in one line that names the place."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.payments.order_document import read_order
from hub.core.payments.sepa import BankFileError, Collection, CollectionOrder, Party, Payout, PayoutOrder
from tests.hub.core.payments.bank_orders import CREDITOR_ID, NOW, PAYER, REGISTRY, document

PAYMENT = document()["payments"][0]
DEBIT = {**PAYMENT, "mandate_id": "M1", "mandate_signed_on": "2026-01-02"}


def test_payouts_are_read_as_they_are_written() -> None:
    order = read_order(document(payments=[PAYMENT, {**PAYMENT, "reference": "m02", "bic": " x "}]), now=NOW)
    assert order == PayoutOrder(
        "cw-1",
        NOW,
        date(2026, 11, 5),
        PAYER,
        (
            Payout("m01", Party("Household 1", REGISTRY[1]), 1234, "October"),
            Payout("m02", Party("Household 1", REGISTRY[1], " x "), 1234, "October"),
        ),
    )


def test_collections_are_read_as_they_are_written() -> None:
    debits = [DEBIT, {**DEBIT, "reference": "m02", "sequence": "FRST"}]
    order = read_order(document(kind="collections", creditor_id=CREDITOR_ID, scheme="B2B", payments=debits), now=NOW)
    first = Collection("m01", Party("Household 1", REGISTRY[1]), 1234, "October", "M1", date(2026, 1, 2), "RCUR")
    assert isinstance(order, CollectionOrder)
    assert (order.scheme, order.creditor_id, order.collections[0]) == ("B2B", CREDITOR_ID, first)
    assert order.collections[1].sequence == "FRST"
    plain = read_order(document(kind="collections", creditor_id=CREDITOR_ID, payments=[]), now=NOW)
    assert isinstance(plain, CollectionOrder)
    assert (plain.scheme, plain.collections) == ("CORE", ())


def test_the_time_of_creation_is_the_documents_or_now() -> None:
    assert read_order(document(), now=NOW).created_at == NOW
    written = read_order(document(created_at="2026-11-03T09:30:00+01:00"), now=NOW).created_at
    assert written == datetime(2026, 11, 3, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "gifts"}, "kind: invalid value 'gifts'"),
        ({"kind": []}, "kind: expected `str`"),
        ({"payments": {}}, "payments: expected `array`"),
        ({"payments": [PAYMENT, None]}, r"payments\[1\]: expected `object`, got `null`"),
        ({"payments": [{**PAYMENT, "amount_cent": "12.34"}]}, r"payments\[0\].amount_cent: expected `int`, got `str`"),
        ({"payments": [{**PAYMENT, "amount_cent": 12.0}]}, r"payments\[0\].amount_cent: expected `int`, got `float`"),
        ({"payments": [{**PAYMENT, "amount_cent": True}]}, r"payments\[0\].amount_cent: expected `int`, got `bool`"),
        ({"payments": [{**PAYMENT, "mandate_id": "M1"}]}, r"payments\[0\]: .*unknown field `mandate_id`"),
        ({"payments": [{k: v for k, v in PAYMENT.items() if k != "text"}]}, r"payments\[0\]: .*missing .*`text`"),
        ({"account": []}, "account: expected `object`"),
        ({"account": {"name": "x", "iban": "y", "amount_cent": 1}}, "account: .*unknown field `amount_cent`"),
        ({"date": "soon"}, "date is not a day like 2026-11-05"),
        ({"created_at": 5}, "created_at: expected `str`"),
        ({"created_at": None}, "created_at: expected `str`"),
        ({"created_at": "noon"}, "created_at is not a time like 2026-11-03T09:00:00"),
        ({"extra": 1}, "unknown field `extra`"),
        ({"creditor_id": CREDITOR_ID}, "unknown field `creditor_id`"),
        ({"two\nlines": 1}, r"unknown field `two\\nlines`"),
        ({"\ud800": 1}, "a name in it is not valid Unicode"),
        ({"x" * 5000: 1}, "unknown field"),
        ({"kind": "collections", "payments": [DEBIT]}, "missing required field `creditor_id`"),
        ({"kind": "collections", "creditor_id": "x", "scheme": "COR2", "payments": []}, "scheme: .*'COR2'"),
        (
            {"kind": "collections", "creditor_id": "x", "payments": [{**DEBIT, "mandate_signed_on": "2026-02-30"}]},
            r"payments\[0\].mandate_signed_on is not a day",
        ),
        (
            {"kind": "collections", "creditor_id": "x", "payments": [{**DEBIT, "sequence": "LAST"}]},
            r"payments\[0\].sequence: .*'LAST'",
        ),
    ],
)
def test_what_is_no_order_is_refused_in_one_line_that_names_the_place(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BankFileError, match=f"^the order cannot be read: .*{reason}") as refused:
        read_order({**document(), **changes}, now=NOW)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("value", [None, [], 5, "order", {}])
def test_other_json_is_no_order(value: object) -> None:
    with pytest.raises(BankFileError, match="the order cannot be read"):
        read_order(value, now=NOW)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([*document(), "x"]), inner)),
    max_leaves=8,
)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.dictionaries(st.sampled_from([*document(), "creditor_id", "scheme", "x"]), json_values))
def test_any_document_is_an_order_or_refused(changes: dict[str, Any]) -> None:
    refused = None
    try:
        read_order({**document(), **changes}, now=NOW)
    except BankFileError as refusal:
        refused = str(refusal)
    assert refused is None or "\n" not in refused
