"""'This looks wrong': what a member may object to on a statement, how long the board has, and who may decide.

It stores nothing and moves no money. An objection freezes the amount it names until the board decides. If nobody
decides in time, the amount stays frozen.
"""

from typing import Final

import msgspec

from hub.core.ledger.signed_document import Document
from hub.core.settlement.money import CENT_NANO

DECIDE_DAYS: Final = 30
REASON_CHARS_MAX: Final = 500
ENERGY_LINES: Final = ("demand", "received", "imported", "surplus", "sold", "exported")
MONEY_LINES: Final = ("debit", "credit")
LINES: Final = (*ENERGY_LINES, *MONEY_LINES)
ACCEPTED, REJECTED = "accepted", "rejected"
VERDICTS: Final = (ACCEPTED, REJECTED)


class _DayMoney(msgspec.Struct, frozen=True):
    debit_nano: int
    credit_nano: int


class _MonthMoney(msgspec.Struct, frozen=True):
    debit_cent: int
    credit_cent: int


class _DayAmounts(msgspec.Struct, frozen=True):
    day: str
    totals: dict[str, int]
    money: _DayMoney


class _StatedAmounts(msgspec.Struct, frozen=True):
    """The part of a statement that members can object to."""

    days: tuple[_DayAmounts, ...]
    totals: dict[str, int]
    money: _MonthMoney


def stated_amount(statement: Document, *, day: str, line: str) -> int | None:
    """The statement's amount on this line for a day, or for the month if `day` is empty; None if there is none.

    Units: Wh for energy, nano-currency for money. The month's money is the amount paid, a whole number of cents.
    Raises: ValueError for a document that is not a statement.
    """
    if line not in LINES:
        return None
    stated = msgspec.convert(statement, _StatedAmounts)
    if not day:
        cents = {"debit": stated.money.debit_cent, "credit": stated.money.credit_cent}
        return stated.totals[line] if line in ENERGY_LINES else cents[line] * CENT_NANO
    for each in stated.days:
        if each.day == day:
            nano = {"debit": each.money.debit_nano, "credit": each.money.credit_nano}
            return each.totals[line] if line in ENERGY_LINES else nano[line]
    return None


def clean_reason(text: str) -> str | None:
    """The text with single spaces between words; None if it is empty, too long or not printable.

    >>> clean_reason("  my battery \\n was off ")
    'my battery was off'
    """
    words = " ".join(text.split())
    return words if 0 < len(words) <= REASON_CHARS_MAX and words.isprintable() else None


def may_decide(objector: str, board_member: str, *, is_board: bool) -> bool:
    """Whether this member may decide: board members may, except on their own objections."""
    return is_board and board_member != objector
