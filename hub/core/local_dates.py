"""Local days as people write them, in arguments and in lists; a year outside any co-op's life is a slip of the pen."""

from datetime import date
from typing import Final

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100


def parse_day(text: str) -> date:
    """The day '2026-11-21'. Raises: ValueError for other text, and for years outside FIRST_YEAR to LAST_YEAR."""
    day = date.fromisoformat(text)
    if day.isoformat() != text:
        raise ValueError("not written as year-month-day")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"not between {FIRST_YEAR} and {LAST_YEAR}")
    return day
