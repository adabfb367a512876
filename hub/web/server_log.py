"""What the hub's log says when the web server library reports something: the hub's own sentence, not too often."""

import logging
import time
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 3600.0
LOGGER: Final = "uvicorn.error"
SENTENCE: Final = (
    "the pages' port received something that is not a request for a page, such as https or a port scan: it was refused"
)


class ServerWords(logging.Filter):
    """Replaces the library's warnings by one sentence, at most once an hour with the number left out in between.

    The library's errors pass: they report a fault of the program. `monotonic` in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._said_at: float | None = None
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged; a warning gets the hub's words."""
        if record.levelno >= logging.ERROR:
            return True
        if record.levelno < logging.WARNING:
            return False
        now_s = self._monotonic()
        if self._said_at is not None and now_s < self._said_at + EVERY_S:
            self._left_out += 1
            return False
        more = f" ({self._left_out} more since this was last logged)" if self._left_out else ""
        record.msg, record.args = SENTENCE + more, ()
        self._said_at, self._left_out = now_s, 0
        return True


def use_own_words() -> None:
    """Put the filter on the library's logger, once for the process."""
    logger = logging.getLogger(LOGGER)
    if not any(isinstance(each, ServerWords) for each in logger.filters):
        logger.addFilter(ServerWords())
