"""What a month's run changes: its days, each member's amounts, and the sums the board may see. It books nothing.

The board sees sums only. Sums over one to four members are withheld, because they would reveal single homes.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from hub.core.ledger.entries import Entry
from hub.core.settlement.pool_series import LEAST_HOMES


@dataclass(frozen=True, slots=True)
class MarkedDay:
    """A closed day that the next run has to settle again, and why."""

    day: date
    why: str


@dataclass(frozen=True, slots=True)
class MemberChange:
    """What a run would add to a member's booked amounts. Money: positive is what the co-op owes the member."""

    member: str
    received_wh: int
    sold_wh: int
    imported_wh: int
    exported_wh: int
    money_nano: int

    @property
    def is_any(self) -> bool:
        """Whether any of the member's amounts changes."""
        return any((self.received_wh, self.sold_wh, self.imported_wh, self.exported_wh, self.money_nano))


@dataclass(frozen=True, slots=True)
class MonthPreview:
    """What a run would change: days, members and the co-op's margin. None of it is booked.

    `rules` and `inputs` are the digests the run would have.
    """

    month: str
    days: tuple[str, ...]
    entries: int
    members: tuple[MemberChange, ...]
    margin_nano: int
    rules: str
    inputs: str


@dataclass(frozen=True, slots=True)
class BoardPreview:
    """A preview for the board: sums without members. Amounts are None if only one to four members change.

    `to_members_nano` is how much more members receive and `from_members_nano` how much more they pay, neither below
    zero; `largest_nano` is the largest change for any one member, up or down.
    """

    month: str
    days: tuple[str, ...]
    entries: int
    members: int
    shared_wh: int | None
    to_members_nano: int | None
    from_members_nano: int | None
    margin_nano: int | None
    largest_nano: int | None


def sum_changes(
    entries: Iterable[Entry], *, month: str, days: tuple[str, ...], digests: tuple[str, str]
) -> MonthPreview:
    """The entries of a run summed by member, in byte order of the members' ids."""
    amounts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    margin_nano = count = 0
    for entry in entries:
        count += 1
        for posting in entry.postings:
            if posting.account == f"member:{entry.member}:energy":
                amounts[entry.member][posting.line] += _outward(posting.line) * posting.amount
            elif posting.account == f"member:{entry.member}:money":
                amounts[entry.member]["money"] += posting.amount
            elif posting.account == "coop:margin":
                margin_nano += posting.amount
    names = ("received", "sold", "imported", "exported", "money")
    members = sorted(amounts, key=lambda name: name.encode("utf-8"))
    changes = tuple(MemberChange(member, *(amounts[member][name] for name in names)) for member in members)
    return MonthPreview(month, days, count, changes, margin_nano, *digests)


def board_preview(preview: MonthPreview) -> BoardPreview:
    """The part of a preview that the board may see."""
    changed = [change for change in preview.members if change.is_any]
    money = [change.money_nano for change in changed]
    is_shown = not 0 < len(changed) < LEAST_HOMES

    def shown(amount: int) -> int | None:
        return amount if is_shown else None

    return BoardPreview(
        month=preview.month,
        days=preview.days,
        entries=preview.entries,
        members=len(changed),
        shared_wh=shown(sum(change.received_wh for change in changed)),
        to_members_nano=shown(sum(amount for amount in money if amount > 0)),
        from_members_nano=shown(-sum(amount for amount in money if amount < 0)),
        margin_nano=shown(preview.margin_nano),
        largest_nano=shown(max((abs(amount) for amount in money), default=0)),
    )


def _outward(line: str) -> int:
    """The sign that makes a member's energy amount positive: energy sold or exported flows out."""
    return -1 if line in ("sold", "exported") else 1
