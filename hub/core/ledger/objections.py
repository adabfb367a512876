"""'This looks wrong': what a member may object to on a statement, until when the board decides, and who may decide.

It stores nothing and moves no money. An objection freezes the amount it names until a decision; a deadline that
passes decides nothing, and the amount stays frozen.
"""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from hub.core.ledger.signed_document import Document
from hub.core.settlement.money import CENT_NANO

DECIDE_DAYS: Final = 30
REASON_CHARS_MAX: Final = 500
ENERGY_LINES: Final = ("demand", "received", "imported", "surplus", "sold", "exported")
MONEY_LINES: Final = ("debit", "credit")
LINES: Final = (*ENERGY_LINES, *MONEY_LINES)
ACCEPTED, REJECTED = "accepted", "rejected"
VERDICTS: Final = (ACCEPTED, REJECTED)


def stated_amount(statement: Document, *, day: str, line: str) -> int | None:
    """What the statement says on a line of a day, or of the month where `day` is empty; None where it says nothing.

    Units: Wh for energy, nano-currency for money; of the month's money what is paid, in whole cents.
    """
    place: Mapping[str, object] | None = statement
    if day:
        days = cast(Sequence[Mapping[str, object]], statement["days"])
        place = next((each for each in days if each["day"] == day), None)
    if place is None or line not in LINES:
        return None
    if line in ENERGY_LINES:
        return cast(Mapping[str, int], place["totals"])[line]
    money = cast(Mapping[str, int], place["money"])
    return money[f"{line}_nano"] if day else money[f"{line}_cent"] * CENT_NANO


def clean_reason(text: str) -> str | None:
    """The words with their spaces put in order; None where nothing is left, or it is too long or not printable."""
    words = " ".join(text.split())
    return words if 0 < len(words) <= REASON_CHARS_MAX and words.isprintable() else None


def may_decide(objector: str, board_member: str, *, is_board: bool) -> bool:
    """Whether this member may decide: on the board, and not in the member's own matter."""
    return is_board and board_member != objector
