"""Times in the household's local time. Formats only; does not read a clock."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


class LocalTime:
    """The local time of one zone. Raises KeyError or ValueError for an unknown zone."""

    def __init__(self, tz: str) -> None:
        self._zone = ZoneInfo(tz)

    def moment(self, at_s: float) -> str:
        """'2026-11-22 14:05'."""
        return self._at(at_s).strftime("%Y-%m-%d %H:%M")

    def clock(self, at_s: float) -> str:
        """'14:05'."""
        return self._at(at_s).strftime("%H:%M")

    def after(self, at_s: float, earlier_s: float) -> str:
        """'14:05:09' on the day of the earlier time, '11-22 14:05' on another."""
        same = self._at(at_s).date() == self._at(earlier_s).date()
        return self._at(at_s).strftime("%H:%M:%S" if same else "%m-%d %H:%M")

    def _at(self, at_s: float) -> datetime:
        return datetime.fromtimestamp(at_s, self._zone)
