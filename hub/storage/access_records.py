"""The access log's lines, how they are asked for, and the sessions that write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from hub.storage.records import Access, Member

SELF: Final = "self"
BOARD: Final = "board"
JOB: Final = "job"
# What a look concerned, as its line in the log says it; the pages turn each into a sentence.
LINK_FIELDS: Final = "a sign-in link"
ADULT_FIELDS: Final = "who sees the home"
STATEMENT_LOOK: Final = "the statement"
BILL_FIELDS: Final = "bills"
LEDGER_FIELDS: Final = "ledger entries"
REPORT_FIELDS: Final = "the board's report"
GRID_FIELDS: Final = "comparison with the grid operator"
FINDING_FIELDS: Final = "findings"
TRIAL_FIELDS: Final = "a rule tried on settled days"
FAIRNESS_FIELDS: Final = "the fairness report"
FAIRNESS_ALL_FIELDS: Final = "the fairness report on all homes"
ERASED_FIELDS: Final = "readings erased"
NEIGHBOUR_FIELDS: Final = "sums in a neighbour's statement"


@dataclass(frozen=True, slots=True)
class AccessRow:
    """One line of a home's access log; accesses by jobs are summed per day and purpose in `count`."""

    home: str
    at: int
    actor: str
    role: str
    purpose: str
    reason: str
    fields: str
    rows: int
    count: int
    link_by: str
    position: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session: its member, and the board member who made the link that opened it (empty: nobody else did)."""

    member: Member
    link_by: str


@dataclass(frozen=True, slots=True)
class AccessFilter:
    """Which lines are asked for: those of a role or all, and of these only those of sessions opened by a board's link.

    `before` is the time and number of a line; only older lines follow it. Without it the newest come first.
    """

    role: str = ""
    only_links: bool = False
    before: tuple[int, int] | None = None


class AccessLog(Protocol):
    """Every access to a home's values; its household may read it."""

    async def log_access(self, access: Access, homes: Sequence[str], *, fields: str, rows: int) -> None:
        """Commit one line per home, before an access that no other store method logs."""
        ...

    async def access_rows(
        self, home: str, *, limit: int, wanted: AccessFilter | None = None
    ) -> tuple[AccessRow, ...]: ...
    async def last_access_line(self) -> int:
        """The number of the newest line, 0 if there is none. Lines are numbered from 1 and keep their numbers."""
        ...

    async def access_line_count(self) -> int: ...
