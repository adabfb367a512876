"""A payment order as a JSON document, read into payouts or collections; what the bank would refuse is sepa.py's."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, cast

from hub.core.payments.sepa import (
    BankFileError,
    Collection,
    CollectionOrder,
    MandateSequence,
    Party,
    Payout,
    PayoutOrder,
    Scheme,
)

HEAD: Final = frozenset({"kind", "message_id", "date", "account", "payments", "created_at"})
PAYMENT: Final = frozenset({"reference", "name", "iban", "bic", "amount_cent", "text"})
MANDATE: Final = frozenset({"mandate_id", "mandate_signed_on", "sequence"})

Table = Mapping[str, object]


def read_order(document: object, *, now: datetime) -> PayoutOrder | CollectionOrder:
    """The order of this document, not yet checked; `now` is its time of creation where it names none.

    Raises: BankFileError for a document that is no order.
    """
    head = _table(document, "the order")
    kind = head.get("kind")
    if kind not in ("payouts", "collections"):
        raise BankFileError("the order's kind is neither 'payouts' nor 'collections'")
    is_collection = kind == "collections"
    _check_names(head, HEAD | {"creditor_id", "scheme"} if is_collection else HEAD, where="the order")
    created_at = _instant(head["created_at"]) if "created_at" in head else now
    message_id, day = _text(head, "message_id", "the order"), _day(head, "date", "the order")
    account = _party(_table(head.get("account"), "account"), "account", names=frozenset({"name", "iban", "bic"}))
    payments = head.get("payments")
    if not isinstance(payments, list):
        raise BankFileError("the order's payments are not a list")
    if not is_collection:
        payouts = tuple(_payout(item, f"payments[{i}]") for i, item in enumerate(payments))
        return PayoutOrder(message_id, created_at, day, account, payouts)
    collections = tuple(_collection(item, f"payments[{i}]") for i, item in enumerate(payments))
    creditor_id, scheme = _text(head, "creditor_id", "the order"), cast(Scheme, head.get("scheme", "CORE"))
    return CollectionOrder(message_id, created_at, day, account, creditor_id, collections, scheme)


def _payout(item: object, where: str) -> Payout:
    table = _table(item, where)
    _check_names(table, PAYMENT, where=where)
    text, amount = _text(table, "text", where), cast(int, table.get("amount_cent"))
    return Payout(_text(table, "reference", where), _party(table, where, names=PAYMENT), amount, text)


def _collection(item: object, where: str) -> Collection:
    table = _table(item, where)
    _check_names(table, PAYMENT | MANDATE, where=where)
    return Collection(
        reference=_text(table, "reference", where),
        debtor=_party(table, where, names=PAYMENT | MANDATE),
        amount_cent=cast(int, table.get("amount_cent")),
        text=_text(table, "text", where),
        mandate_id=_text(table, "mandate_id", where),
        mandate_signed_on=_day(table, "mandate_signed_on", where),
        sequence=cast(MandateSequence, table.get("sequence", "RCUR")),
    )


def _party(table: Table, where: str, *, names: frozenset[str]) -> Party:
    _check_names(table, names, where=where)
    bic = _text(table, "bic", where) if table.get("bic") is not None else None
    return Party(_text(table, "name", where), _text(table, "iban", where), bic)


def _table(value: object, where: str) -> Table:
    if not isinstance(value, Mapping):
        raise BankFileError(f"{where} is not a table of names and values")
    return cast(Table, value)


def _check_names(table: Table, known: frozenset[str], *, where: str) -> None:
    for name in table:
        if name not in known:
            raise BankFileError(f"{where} has {name[:40]!r}, which nothing reads; known: {', '.join(sorted(known))}")


def _text(table: Table, name: str, where: str) -> str:
    value = table.get(name)
    if not isinstance(value, str):
        raise BankFileError(f"{where} has no text {name!r}")
    return value


def _day(table: Table, name: str, where: str) -> date:
    try:
        return date.fromisoformat(_text(table, name, where))
    except ValueError:
        raise BankFileError(f"{where}: {name} is not a day like 2026-11-05") from None


def _instant(value: object) -> datetime:
    try:
        instant = datetime.fromisoformat(cast(str, value))
    except (TypeError, ValueError):
        raise BankFileError("the order's created_at is not a time like 2026-11-03T09:00:00+01:00") from None
    return instant
