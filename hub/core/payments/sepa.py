"""Payments for the bank, checked before anything is written: payouts to members and collections by direct debit.

Amounts are whole cents. Whatever would make the bank refuse the whole file is refused here first, with a
one-line message. bank_files.py writes the XML.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Literal

from hub.core.payments.sepa_text import IBAN_LENGTHS, sepa_text, unreadable_letters
from protocols.errors import CommonwattError

Scheme = Literal["CORE", "B2B"]
MandateSequence = Literal["FRST", "RCUR", "OOFF", "FNAL"]

MAX_AMOUNT_CENT: Final = 99_999_999_999
MAX_TRANSACTIONS: Final = 100_000
MAX_NAME_CHARS: Final = 70
MAX_REFERENCE_CHARS: Final = 35
MAX_MESSAGE_ID_CHARS: Final = 33
MAX_TEXT_CHARS: Final = 140
SCHEMES: Final = ("CORE", "B2B")
SEQUENCES: Final = ("FRST", "RCUR", "OOFF", "FNAL")
USED_ONCE: Final = ("OOFF", "FRST", "FNAL")
# Format characters such as U+200B, and controls: they come along when a number is copied from a page.
INVISIBLE: Final = ("Cf", "Cc")

REFERENCE = re.compile(r"[A-Za-z0-9+?/:().,' -]+")
BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
CREDITOR_ID = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{3}[A-Z0-9]{1,28}")
IBAN_FORM = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")


class BankFileError(CommonwattError):
    """These payments cannot go into a file. A one-line message says which is wrong and why, without account numbers."""


@dataclass(frozen=True, slots=True)
class Party:
    """An account and its holder. Without `bic` the bank finds the account by the IBAN."""

    name: str
    iban: str
    bic: str | None = None


@dataclass(frozen=True, slots=True)
class Payout:
    """Money to a member. `reference` appears on the bank's statement and is unique in the order."""

    reference: str
    to: Party
    amount_cent: int
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """Money from a member under a signed mandate."""

    reference: str
    debtor: Party
    amount_cent: int
    text: str
    mandate_id: str
    mandate_signed_on: date
    sequence: MandateSequence = "RCUR"


@dataclass(frozen=True, slots=True)
class PayoutOrder:
    """A file of payouts. A repeated `message_id` shows the bank that a file was sent twice."""

    message_id: str
    created_at: datetime
    pay_on: date
    payer: Party
    payouts: tuple[Payout, ...]

    @property
    def total_cent(self) -> int:
        """The control sum."""
        return sum(payout.amount_cent for payout in self.payouts)


@dataclass(frozen=True, slots=True)
class CollectionOrder:
    """A file of collections by the creditor with this identifier."""

    message_id: str
    created_at: datetime
    collect_on: date
    creditor: Party
    creditor_id: str
    collections: tuple[Collection, ...]
    scheme: Scheme = "CORE"

    @property
    def total_cent(self) -> int:
        """The control sum."""
        return sum(collection.amount_cent for collection in self.collections)


def check_payouts(order: PayoutOrder) -> PayoutOrder:
    """The order with names and texts in characters that banks accept. Raises: BankFileError for the first problem."""
    _check_head(order.message_id, order.created_at, count=len(order.payouts))
    _check_day(order.pay_on, order.created_at, "the day of payment")
    _check_references(payout.reference for payout in order.payouts)
    return replace(
        order,
        payer=_check_party(order.payer, "the payer"),
        payouts=tuple(_check_payout(payout) for payout in order.payouts),
    )


def check_collections(order: CollectionOrder) -> CollectionOrder:
    """The order with names and texts in characters that banks accept. Raises: BankFileError for the first problem."""
    _check_head(order.message_id, order.created_at, count=len(order.collections))
    _check_day(order.collect_on, order.created_at, "the day of collection")
    if order.scheme not in SCHEMES:
        raise BankFileError(f"the scheme {order.scheme!r} is neither CORE nor B2B")
    creditor_id = compact(order.creditor_id)
    if not is_creditor_id(creditor_id):
        raise BankFileError("the creditor identifier is not valid: its form or its check digits are wrong")
    _check_references(collection.reference for collection in order.collections)
    _check_mandates(order.collections)
    return replace(
        order,
        creditor=_check_party(order.creditor, "the creditor"),
        creditor_id=creditor_id,
        collections=tuple(_check_collection(c, collect_on=order.collect_on) for c in order.collections),
    )


def is_iban(iban: str) -> bool:
    """Whether this is a SEPA country's IBAN without spaces, judging by length and check digits (ISO 13616)."""
    if IBAN_FORM.fullmatch(iban) is None or len(iban) != IBAN_LENGTHS.get(iban[:2]):
        return False
    return 2 <= int(iban[2:4]) <= 98 and _mod_97(iban[4:] + iban[:4]) == 1


def is_creditor_id(creditor_id: str) -> bool:
    """Whether this is a SEPA creditor identifier. The check digits do not cover characters 5 to 7."""
    if CREDITOR_ID.fullmatch(creditor_id) is None:
        return False
    return _mod_97(creditor_id[7:] + creditor_id[:4]) == 1


def is_bic(bic: str) -> bool:
    """Whether this has the form of a bank identifier code (ISO 9362)."""
    return BIC.fullmatch(bic) is not None


def compact(number: str) -> str:
    """A number that people typed or pasted, with spaces and invisible characters removed and letters in capitals.

    >>> compact("at61 1904\u200b")
    'AT611904'
    """
    seen = (char for char in number if unicodedata.category(char) not in INVISIBLE)
    return "".join("".join(seen).split()).upper()


def _mod_97(text: str) -> int:
    return int("".join(str(int(char, 36)) for char in text)) % 97


def _check_head(message_id: str, created_at: datetime, *, count: int) -> None:
    # The limit leaves two characters for a block's number inside the file.
    _check_reference(message_id, "the message id", limit=MAX_MESSAGE_ID_CHARS)
    if created_at.tzinfo is None:
        raise BankFileError("the time of creation has no time zone; add one, as in 2026-11-03T09:00:00+01:00")
    if not count:
        raise BankFileError("nothing to pay: the order has no payments")
    if count > MAX_TRANSACTIONS:
        raise BankFileError(f"{count} payments are too many for one file (at most {MAX_TRANSACTIONS}): split the order")


def _check_day(day: date, created_at: datetime, what: str) -> None:
    created_on = created_at.date()
    if day < created_on:
        raise BankFileError(f"{what} {day} is past: the order was made on {created_on}; banks refuse days gone by")


def _check_mandates(collections: Sequence[Collection]) -> None:
    """A mandate has one debtor's account, and only a recurring one is used twice in an order (EPC130-08)."""
    by_mandate: dict[str, list[Collection]] = defaultdict(list)
    for collection in collections:
        by_mandate[collection.mandate_id].append(collection)
    for mandate, uses in by_mandate.items():
        once = [use.sequence for use in uses if use.sequence in USED_ONCE]
        if len(uses) > 1 and once:
            raise BankFileError(f"the mandate {mandate[:40]!r} is used {len(uses)} times, but {once[0]} allows one use")
        if len({compact(use.debtor.iban) for use in uses}) > 1:
            raise BankFileError(f"the mandate {mandate[:40]!r} collects from different accounts; each needs its own")


def _check_references(references: Iterable[str]) -> None:
    for reference, times in Counter(references).items():
        if times > 1:
            raise BankFileError(f"the reference {reference[:40]!r} is used {times} times; each payment needs its own")


def _check_reference(reference: str, what: str, *, limit: int = MAX_REFERENCE_CHARS) -> None:
    # Banks use a slash at either end, or two in a row, in their own messages (EPC217-08).
    slashes = reference.startswith("/") or reference.endswith("/") or "//" in reference
    is_plain = REFERENCE.fullmatch(reference) is not None and reference == reference.strip() and not slashes
    if not is_plain or len(reference) > limit:
        raise BankFileError(
            f"{what} {reference[:40]!r} is not 1 to {limit} letters, digits and signs that banks accept"
        )


def _check_party(party: Party, what: str) -> Party:
    name = sepa_text(party.name)[:MAX_NAME_CHARS].rstrip()
    if not any(char.isalnum() for char in name):
        raise BankFileError(f"{what} has no name that a bank can read")
    unreadable = unreadable_letters(party.name)
    if unreadable:
        raise BankFileError(
            f"{what} {name[:40]!r}: banks cannot read {unreadable[:10]}; write the name in Latin letters"
        )
    iban = compact(party.iban)
    if not is_iban(iban):
        raise BankFileError(f"{what} {name[:40]!r}: the IBAN is wrong (length, check digits, or not a SEPA country)")
    bic = None if party.bic is None else compact(party.bic)
    if bic is not None and not is_bic(bic):
        raise BankFileError(f"{what} {name[:40]!r}: the BIC is not valid; leave it out, the IBAN is enough")
    return Party(name, iban, bic)


def _check_amount(amount_cent: object, what: str) -> None:
    if isinstance(amount_cent, bool) or not isinstance(amount_cent, int):
        raise BankFileError(f"{what}: the amount is not a whole number of cents")
    if not 1 <= amount_cent <= MAX_AMOUNT_CENT:
        raise BankFileError(f"{what}: the amount is not between 0.01 and 999999999.99")


def _check_text(text: str, what: str) -> str:
    cleaned = sepa_text(text)[:MAX_TEXT_CHARS].rstrip()
    if not cleaned:
        raise BankFileError(f"{what}: there is no text that a bank can read")
    return cleaned


def _check_payout(payout: Payout) -> Payout:
    _check_reference(payout.reference, "the reference")
    what = f"payment {payout.reference!r}"
    _check_amount(payout.amount_cent, what)
    return replace(payout, to=_check_party(payout.to, f"{what}: the receiver"), text=_check_text(payout.text, what))


def _check_collection(collection: Collection, *, collect_on: date) -> Collection:
    _check_reference(collection.reference, "the reference")
    what = f"collection {collection.reference!r}"
    _check_amount(collection.amount_cent, what)
    _check_reference(collection.mandate_id, f"{what}: the mandate id")
    if collection.mandate_signed_on > collect_on:
        raise BankFileError(f"{what}: the mandate is signed after the day of collection")
    if collection.sequence not in SEQUENCES:
        raise BankFileError(f"{what}: the sequence {collection.sequence!r} is not one of {', '.join(SEQUENCES)}")
    debtor = _check_party(collection.debtor, f"{what}: the debtor")
    return replace(collection, debtor=debtor, text=_check_text(collection.text, what))
