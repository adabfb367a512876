"""Keeps a log that strangers can make grow from filling the disk: the same line at most a few times a minute."""

import logging
import time
from collections.abc import Callable
from typing import Final

EACH_S: Final = 60.0
LINES_EACH: Final = 5
MOST_KINDS: Final = 100


class LogRate(logging.Filter):
    """Lets `lines` records of the same text pass in each period; the next one after it says how many were left out.

    Texts are compared before values are filled in. Errors with a traceback count like other lines.
    """

    def __init__(
        self, *, lines: int = LINES_EACH, each_s: float = EACH_S, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._lines, self._each_s, self._now = lines, each_s, now
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is written."""
        text, now_s = str(record.msg), self._now()
        if text not in self._seen and len(self._seen) >= MOST_KINDS:
            text = ""
        began_s, count = self._seen.get(text, (now_s, 0))
        if now_s - began_s >= self._each_s:
            left_out = count - self._lines
            began_s, count = now_s, 0
            if left_out > 0:
                record.msg = f"{record.msg} (and {left_out} more like it)"
        self._seen[text] = (began_s, count + 1)
        return count < self._lines
