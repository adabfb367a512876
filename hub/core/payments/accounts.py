"""A bank account as a person types it: cleaned, checked, and shown by its last four characters."""

from dataclasses import dataclass, field
from typing import Final

from hub.core.payments.sepa import MAX_MESSAGE_ID_CHARS, MAX_NAME_CHARS, REFERENCE, compact, is_iban
from hub.core.payments.sepa_text import IBAN_LENGTHS, sepa_text, unreadable_letters

SHOWN_CHARS: Final = 4


@dataclass(frozen=True, slots=True)
class CoopAccount:
    """The co-op's own account, which it pays from and collects into, and how it does both.

    Without a creditor identifier it collects nothing. With `is_netted`, a member's credits and debits are netted.
    """

    name: str
    iban: str = field(repr=False)
    bic: str | None = None
    creditor_id: str = ""
    smallest_cent: int = 100
    is_netted: bool = True


def clean_holder(text: str) -> str | None:
    """The account holder's name with single spaces; None where a bank could not read it."""
    name = " ".join(text.split())
    is_readable = any(char.isalnum() for char in sepa_text(name)) and not unreadable_letters(name)
    return name if name.isprintable() and len(name) <= MAX_NAME_CHARS and is_readable else None


def iban_problem(text: str) -> str | None:
    """The problem with an IBAN (country, length or check_digits), without repeating the IBAN; None if it is valid.

    >>> iban_problem("at61 1904 3002 3457 3201"), iban_problem("AT611904300234573202")
    (None, 'check_digits')
    """
    iban = compact(text)
    if iban[:2] not in IBAN_LENGTHS:
        return "country"
    if len(iban) != IBAN_LENGTHS[iban[:2]]:
        return "length"
    return None if is_iban(iban) else "check_digits"


def iban_length(text: str) -> int:
    """How many characters an IBAN of the same country has."""
    return IBAN_LENGTHS[compact(text)[:2]]


def masked(iban: str) -> str:
    """The IBAN as a page shows it: country and last four characters.

    >>> masked("AT611904300234573201")
    'AT •••• 3201'
    """
    return f"{iban[:2]} •••• {iban[-SHOWN_CHARS:]}"


def is_mandate_id(text: str) -> bool:
    """Whether banks accept this as a mandate reference."""
    return 1 <= len(text) <= MAX_MESSAGE_ID_CHARS and REFERENCE.fullmatch(text) is not None and text == text.strip()
