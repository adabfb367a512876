"""What a run changes or bills as sums over all members, in cents that add up on the page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from hub.core.ledger.month_preview import BoardPreview
from hub.core.settlement.money import nearest_cent
from hub.web.frame.translation import Localizer


@dataclass(frozen=True, slots=True)
class RunSums:
    """The changes a run makes, as sums; `withheld` says why no amounts are shown."""

    rows: tuple[tuple[str, str], ...]
    days: tuple[str, ...]
    withheld: str


def run_sums(preview: BoardPreview, words: Localizer, *, is_booked: bool) -> RunSums:
    count = words.text("Members with an amount") if is_booked else words.text("Members whose amount changes")
    rows = [(count, words.number(preview.members))]
    withheld = ""
    if preview.shared_wh is None:
        withheld = words.text(
            "Fewer than five members are affected. Sums would reveal the amounts of single homes, so none is shown;"
            " each of them sees their own on their statement."
        )
    elif preview.members:
        rows += _amounts(preview, words, is_booked=is_booked)
    days = tuple(words.short_day(date.fromisoformat(day)) for day in preview.days)
    return RunSums(tuple(rows), days, withheld)


def _amounts(preview: BoardPreview, words: Localizer, *, is_booked: bool) -> Iterator[tuple[str, str]]:
    """What the co-op keeps is what members pay less what they receive, in the cents shown: see MonthPreview."""
    to_cent, from_cent = nearest_cent(preview.to_members_nano or 0), nearest_cent(preview.from_members_nano or 0)
    largest_cent = nearest_cent(preview.largest_nano or 0)
    amounts = (
        (words.text("Members receive"), words.text("More to members"), to_cent),
        (words.text("Members pay"), words.text("More from members"), from_cent),
        (words.text("The co-op keeps"), words.text("More for the co-op"), from_cent - to_cent),
        (words.text("Largest amount of one member"), words.text("Largest change for one member"), largest_cent),
    )
    shared = words.text("Shared among neighbours") if is_booked else words.text("More shared among neighbours")
    yield shared, words.kwh(preview.shared_wh or 0)
    for booked, more, cents in amounts:
        yield booked if is_booked else more, words.cents(cents)
