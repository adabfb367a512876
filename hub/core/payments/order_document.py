"""Decodes a payment order from JSON into payouts or collections. sepa.py checks for anything a bank would refuse."""

from datetime import date, datetime
from typing import Final

import msgspec

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

PROBLEM_CHARS: Final = 200


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that rejects unknown field names."""


class _Account(_Strict, frozen=True, kw_only=True):
    name: str
    iban: str
    bic: str | None = None

    def party(self) -> Party:
        return Party(self.name, self.iban, self.bic)


class _Payment(_Account, frozen=True, kw_only=True):
    reference: str
    amount_cent: int
    text: str


class _DirectDebit(_Payment, frozen=True, kw_only=True):
    mandate_id: str
    mandate_signed_on: str
    sequence: MandateSequence = "RCUR"


class _Head(_Strict, frozen=True, kw_only=True):
    message_id: str
    date: str
    account: _Account
    created_at: str | msgspec.UnsetType = msgspec.UNSET


class _Payouts(_Head, frozen=True, kw_only=True, tag_field="kind", tag="payouts"):
    payments: tuple[_Payment, ...]


class _Collections(_Head, frozen=True, kw_only=True, tag_field="kind", tag="collections"):
    creditor_id: str
    payments: tuple[_DirectDebit, ...]
    scheme: Scheme = "CORE"


def read_order(document: object, *, now: datetime) -> PayoutOrder | CollectionOrder:
    """The order in this document, not yet checked; if it has no `created_at`, it counts as created `now`.

    Raises: BankFileError for a document that is not an order.
    """
    try:
        order: _Payouts | _Collections = msgspec.convert(document, _Payouts | _Collections)
    except ValueError as error:
        raise BankFileError(f"the order cannot be read: {_problem(error)}") from None
    created_at = _instant(order.created_at) if isinstance(order.created_at, str) else now
    day = _day(order.date, "date")
    payer = order.account.party()
    if isinstance(order, _Payouts):
        payouts = tuple(Payout(each.reference, each.party(), each.amount_cent, each.text) for each in order.payments)
        return PayoutOrder(order.message_id, created_at, day, payer, payouts)
    collections = tuple(_collection(each, f"payments[{i}]") for i, each in enumerate(order.payments))
    return CollectionOrder(order.message_id, created_at, day, payer, order.creditor_id, collections, order.scheme)


def _collection(payment: _DirectDebit, where: str) -> Collection:
    return Collection(
        reference=payment.reference,
        debtor=payment.party(),
        amount_cent=payment.amount_cent,
        text=payment.text,
        mandate_id=payment.mandate_id,
        mandate_signed_on=_day(payment.mandate_signed_on, f"{where}.mandate_signed_on"),
        sequence=payment.sequence,
    )


def _problem(error: ValueError) -> str:
    """The decoder's message on one line: first the place (`$` is the order itself), then what is wrong."""
    if isinstance(error, UnicodeError):
        return "a name in it is not valid Unicode"
    what, _, place = ascii(str(error))[1:-1].rpartition(" - at ")
    if not what:
        what, place = place, ""
    place = place.strip("`").removeprefix("$").removeprefix(".")
    what = what[0].lower() + what[1:]
    return (f"{place}: {what}" if place else what)[:PROBLEM_CHARS]


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BankFileError(f"the order cannot be read: {where} is not a day like 2026-11-05") from None


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        example = "2026-11-03T09:00:00+01:00"
        raise BankFileError(f"the order cannot be read: created_at is not a time like {example}") from None
