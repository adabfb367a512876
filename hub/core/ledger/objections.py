"""'This looks wrong': what a member may object to on a statement, how long the board has, and who may decide.

It stores nothing and moves no money. An objection freezes the amount it names until the board decides. If nobody
decides in time, the amount stays frozen.
"""

from collections.abc import Collection
from typing import Final

DECIDE_DAYS: Final = 30
REASON_CHARS_MAX: Final = 500
ENERGY_LINES: Final = ("demand", "received", "imported", "surplus", "sold", "exported")
MONEY_LINES: Final = ("debit", "credit")
LINES: Final = (*ENERGY_LINES, *MONEY_LINES)
ACCEPTED, REJECTED = "accepted", "rejected"
VERDICTS: Final = (ACCEPTED, REJECTED)


def clean_reason(text: str) -> str | None:
    """The text with single spaces between words; None if it is empty, too long or not printable.

    >>> clean_reason("  my battery \\n was off ")
    'my battery was off'
    """
    words = " ".join(text.split())
    return words if 0 < len(words) <= REASON_CHARS_MAX and words.isprintable() else None


def may_decide(concerned: Collection[str], board_member: str, *, is_board: bool) -> bool:
    """Whether this member may decide: board members may, except on a home that they hold or live in."""
    return is_board and board_member not in concerned
