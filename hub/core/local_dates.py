"""Local days as people type them, in arguments and lists. A year in which no co-op could exist is a typing mistake."""

from datetime import date
from typing import Final

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100


def parse_day(text: str) -> date:
    """Reads a day like '2026-11-21'. Raises: ValueError for other text and for years outside FIRST_YEAR to LAST_YEAR.

    >>> parse_day("2026-11-21")
    datetime.date(2026, 11, 21)
    >>> parse_day("20261121")
    Traceback (most recent call last):
    ValueError: not written as year-month-day
    """
    day = date.fromisoformat(text)
    if day.isoformat() != text:
        raise ValueError("not written as year-month-day")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"not between {FIRST_YEAR} and {LAST_YEAR}")
    return day
