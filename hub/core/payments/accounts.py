"""A bank account as a person writes it down: cleaned, checked, and shown by its last four characters."""

from dataclasses import dataclass, field
from typing import Final

from hub.core.payments.sepa import MAX_MESSAGE_ID_CHARS, MAX_NAME_CHARS, REFERENCE, compact, is_iban
from hub.core.payments.sepa_text import IBAN_LENGTHS, sepa_text

SHOWN_CHARS: Final = 4


@dataclass(frozen=True, slots=True)
class CoopAccount:
    """The co-op's own account, from which it pays and to which it collects, and how it does both.

    Without a creditor identifier it collects nothing. `is_netted`: a member's credits and debits are one amount.
    """

    name: str
    iban: str = field(repr=False)
    bic: str | None = None
    creditor_id: str = ""
    smallest_cent: int = 100
    is_netted: bool = True


def clean_holder(text: str) -> str | None:
    """The name of an account's holder with its spaces in order; None where a bank could not read it."""
    name = " ".join(text.split())
    is_readable = any(char.isalnum() for char in sepa_text(name))
    return name if name.isprintable() and len(name) <= MAX_NAME_CHARS and is_readable else None


def iban_problem(text: str) -> str | None:
    """What is wrong with an IBAN, without repeating it: country, length or check_digits; None where nothing is."""
    iban = compact(text)
    if iban[:2] not in IBAN_LENGTHS:
        return "country"
    if len(iban) != IBAN_LENGTHS[iban[:2]]:
        return "length"
    return None if is_iban(iban) else "check_digits"


def iban_length(text: str) -> int:
    """How many characters an IBAN of this one's country has."""
    return IBAN_LENGTHS[compact(text)[:2]]


def masked(iban: str) -> str:
    """The IBAN as a page shows it: country and last four characters."""
    return f"{iban[:2]} •••• {iban[-SHOWN_CHARS:]}"


def is_mandate_id(text: str) -> bool:
    """Whether banks take this as the reference of a mandate."""
    return 1 <= len(text) <= MAX_MESSAGE_ID_CHARS and REFERENCE.fullmatch(text) is not None and text == text.strip()
