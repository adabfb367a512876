"""What a monthly fee is for a member who joined or left within the month: the three ways that a rule can name."""

from dataclasses import dataclass
from typing import Final

BY_DAY, FULL_MONTH, FIRST_FULL_MONTH = "by_day", "full_month", "first_full_month"
PART_MONTHS: Final = (BY_DAY, FULL_MONTH, FIRST_FULL_MONTH)
CENT_NANO: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class MemberDays:
    """On how many of a month's `of` local days somebody was a member, for a slot at least; and whether on its first."""

    days: int
    of: int
    on_first: bool

    @property
    def is_whole(self) -> bool:
        """Whether it is every day of the month."""
        return self.days == self.of


def part_of_fee(fee_nano: int, way: str, member_days: MemberDays) -> int:
    """The part of a month's fee that is due, in nano-currency. The whole fee stays exact; a part is in whole cents.

    by_day: fee times days of membership over days of the month, to the nearest cent, half a cent up, never above the
    fee. full_month: the whole fee. first_full_month: the whole fee if a member on the month's first day, else nothing;
    so joining within a month is free, and the month of leaving is paid in full.

    >>> part_of_fee(5_000_000_000, "by_day", MemberDays(1, 31, on_first=False))
    160000000
    >>> [part_of_fee(5_000_000_000, way, MemberDays(1, 31, on_first=False)) for way in PART_MONTHS[1:]]
    [5000000000, 0]
    """
    if way == FIRST_FULL_MONTH:
        return fee_nano if member_days.on_first else 0
    if way == FULL_MONTH or member_days.is_whole:
        return fee_nano
    cents = (2 * fee_nano * member_days.days + member_days.of * CENT_NANO) // (2 * member_days.of * CENT_NANO)
    return min(cents * CENT_NANO, fee_nano)
