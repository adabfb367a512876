"""Reads the month or day in an address; a date outside any co-op's lifetime gives a 404, never a crash."""

from datetime import date

from hub.core.local_dates import parse_day
from hub.web.frame.guard import PageError
from hub.web.frame.translation import Localizer


def asked_month(text: str, words: Localizer) -> date:
    """The first day of a month like 2026-06. Raises: PageError(404)."""
    try:
        return parse_day(f"{text}-01")
    except ValueError:
        raise PageError(404, words.text("Write a month like 2026-06.")) from None


def asked_day(text: str, words: Localizer) -> date:
    """A day like 2026-06-11. Raises: PageError(404)."""
    try:
        return parse_day(text)
    except ValueError:
        raise PageError(404, words.text("Write a day like 2026-06-11.")) from None
