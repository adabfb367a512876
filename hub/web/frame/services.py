"""What the pages are made from, handed in by the program that starts them. It opens and starts nothing itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from hub.core.ledger.month_overview import MonthOverview
from hub.core.ledger.month_preview import BoardPreview
from hub.core.ledger.month_runs import MonthRun
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.order_history import PaymentOrderRecord
from hub.core.statements.document import StatementFiles
from hub.core.trials.fairness import MemberFairness
from hub.core.trials.what_if import MemberTrial
from hub.storage.contract import Store
from hub.storage.finding_records import FindingRow
from hub.storage.records import Access, Coop, Home, Member
from protocols.timeline import Clock

EnrolAgent = Callable[[bytes], Awaitable[tuple[int, bytes]]]
"""The body of POST /api/enrol in; the HTTP status and the JSON body of the answer out."""

ReadStatus = Callable[[], Awaitable[Mapping[str, object]]]
"""The fields of GET /api/status.json, ready for JSON. No member's values."""


class StatementOperations(Protocol):
    """Makes a member's statement of a month, given by its first day; None where nothing of it is settled."""

    async def state(self, member: Member, home: Home, *, month: date, access: Access) -> StatementFiles | None: ...


class RunOperations(Protocol):
    """The board's desk for runs of months, given by their first day. A refusal comes back as one line of text, and
    then nothing was written; a look at members' readings is logged by the desk before it is one.
    """

    async def months(self, *, today: date, most: int) -> tuple[MonthOverview, ...]: ...
    async def month(self, month: date, *, today: date) -> MonthOverview | None: ...
    async def preview(self, month: date, *, kind: str, today: date) -> tuple[BoardPreview, str] | str:
        """What a run would book now, and the key it would have."""
        ...

    async def booked(self, run: MonthRun) -> BoardPreview:
        """What a run that is made bills beside the month's last published one."""
        ...

    async def book(
        self, month: date, *, kind: str, previewed: str, decision: str, at: int, today: date
    ) -> MonthRun | str:
        """Book the run that a preview gave this key."""
        ...

    async def approve(self, run_key: str, *, member: str, at: int) -> MonthRun | str: ...
    async def publish(self, run_key: str, *, member: str, at: int) -> MonthRun | str: ...


class PaymentOperations(Protocol):
    """The board's desk for payment orders. A refusal comes back as one line of text, and then nothing was written."""

    async def orders(self) -> tuple[PaymentOrderRecord, ...]: ...
    async def approve(self, message_id: str, *, member: str, at: int) -> PaymentOrderRecord | str: ...
    async def withdraw(self, message_id: str, *, member: str, reason: str, at: int) -> PaymentOrderRecord | str: ...


class TrialOperations(Protocol):
    """Tries rules on past months. The desk logs the look at the homes' readings; the caller logs the member's own."""

    async def months(self, *, first: date, last: date) -> tuple[date, ...]: ...
    async def try_rule(self, member: str, *, month: date, choice: str, today: date) -> MemberTrial | str | None:
        """The member's own view; a line saying why not; None while it is still worked out."""
        ...


class FindingOperations(Protocol):
    """The board's word on findings. The desk logs its look at a finding in the home's log before it is one."""

    async def verdicts(self, row: FindingRow) -> tuple[str, ...]:
        """What may be decided on it now: of accept, reject and estimate."""
        ...

    async def decide(
        self, number: int, *, member: Member, verdict: str, reason: str, at: int, after: int
    ) -> str | None:
        """Keep a decision that follows the last one seen (0: none). None on success, else a word that says why not:
        not_board, reason, unknown, own, closed, verdict, meanwhile."""
        ...


class FairnessOperations(Protocol):
    """Makes the yearly fairness report. Looks are logged as for trials."""

    async def years(self, *, today: date) -> tuple[int, ...]: ...
    async def report(self, member: str, *, year: int, today: date) -> MemberFairness | str | None:
        """The member's own view; a line saying why there is none; None while it is still worked out."""
        ...


@dataclass(frozen=True, slots=True)
class HubParts:
    """Everything the pages lean on. `secure_cookies` is True wherever the hub is reached over HTTPS."""

    store: Store
    clock: Clock
    coop: Coop
    enrol: EnrolAgent
    status: ReadStatus
    statements: StatementOperations
    runs: RunOperations
    payments: PaymentOperations
    trials: TrialOperations
    fairness: FairnessOperations
    findings: FindingOperations
    secure_cookies: bool = False
    session_days: int = 30
    bank: CoopAccount | None = None
