"""What a verification found: contradictions, one sentence each. It checks nothing itself."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from hub.storage.errors import (
    StoreAwayError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreRefusedError,
    StoreVersionError,
)

log = logging.getLogger(__name__)

FINDINGS_MAX: Final = 200
OUT_OF_REACH: Final = (StoreAwayError, StoreFullError, StoreLockedError, StoreRefusedError, StoreVersionError)
"""The store cannot be read now, or not by this program: that contradicts nothing."""


@dataclass
class CheckResult:
    """Counts all contradictions and lists the first FINDINGS_MAX as sentences."""

    wrong: int = 0
    findings: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Record one contradiction."""
        self.wrong += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(sentence)

    @contextmanager
    def reading(self, part: str) -> Iterator[None]:
        """If a stored row of this part cannot be read, record that and go on after the block.

        Raises: one of OUT_OF_REACH, but for a table that is not there.
        """
        try:
            yield
        except StoreError as error:
            is_gone = isinstance(error, StoreRefusedError) and error.shows_no_table
            if isinstance(error, OUT_OF_REACH) and not is_gone:
                raise
            self.note(f"{part}: not checked to the end: {error}")
        except Exception as error:
            log.debug("%s cannot be read", part, exc_info=error)
            self.note(f"{part}: not checked to the end, a stored row cannot be read ({type(error).__name__}: {error})")
