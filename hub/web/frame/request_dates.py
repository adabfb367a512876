"""The month or day an address names, read in one place: a date of no co-op's life is not found, never an error."""

from datetime import date

from hub.core.local_dates import parse_day
from hub.web.frame.guard import PageError
from hub.web.frame.translation import Localizer


def asked_month(text: str, words: Localizer) -> date:
    """The first day of a month like 2026-06. Raises: PageError(404)."""
    try:
        return parse_day(f"{text}-01")
    except ValueError:
        raise PageError(404, words.say("A month is written like 2026-06.")) from None


def asked_day(text: str, words: Localizer) -> date:
    """A day like 2026-06-11. Raises: PageError(404)."""
    try:
        return parse_day(text)
    except ValueError:
        raise PageError(404, words.say("A day is written like 2026-06-11.")) from None
