"""What the pages need from the hub, passed in by the program that starts them. Nothing is opened or started here."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol

from hub.core.ledger.month_overview import MonthOverview
from hub.core.ledger.month_preview import BoardPreview
from hub.core.ledger.month_runs import MonthRun
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.order_history import PaymentOrderRecord
from hub.core.statements.document import StatementFiles
from hub.core.statements.seals import Seals
from hub.core.statements.shown_runs import VisibleRuns
from hub.core.trials.fairness import MemberFairness
from hub.core.trials.what_if import MemberTrial
from hub.health.facts import HubHealth
from hub.storage.contract import Store
from hub.storage.finding_records import FindingRow
from hub.storage.invite_records import AskedInvitation, MadeInvitation
from hub.storage.records import Access, Coop, Home, Member
from hub.storage.street_records import StreetTotals
from hub.web.frame.known_board import KnownBoard
from protocols.maps.model import Metrology
from protocols.slots import Slot
from protocols.timeline import Clock

EnrolAgent = Callable[[bytes], Awaitable[tuple[int, bytes]]]
"""Takes the body of POST /api/enrol; returns the HTTP status and the JSON body of the response."""

ReadStatus = Callable[[], Awaitable[Mapping[str, object]]]
"""The fields of GET /api/status.json, ready for JSON. They contain no member's values."""


ReadHealth = Callable[[], Awaitable[HubHealth]]
"""What is known of the hub's health now."""


class StatementOperations(Protocol):
    """Makes a member's statement for a month, given by its first day; None if nothing in it is settled.

    `seals` give the names under which pages show runs: a run's own key and hashes depend on every home's readings.
    """

    @property
    def seals(self) -> Seals: ...
    @property
    def script(self) -> str:
        """The stand-alone script that recomputes a statement."""
        ...

    async def state(self, member: Member, home: Home, *, month: date, access: Access) -> StatementFiles | None: ...
    async def visible(self, member: str, *, days: tuple[str, str]) -> VisibleRuns:
        """Which runs of these days the member may see."""
        ...


class RunOperations(Protocol):
    """The board's service for settlement runs; a month is given by its first day. A refusal is returned as one line of
    text and means that nothing was written. The service logs each access to members' readings before it reads them.
    """

    async def months(self, *, today: date, most: int, before: date | None = None) -> tuple[MonthOverview, ...]: ...
    async def month(self, month: date, *, today: date) -> MonthOverview | None: ...
    async def preview(self, month: date, *, kind: str, today: date) -> tuple[BoardPreview, str] | str:
        """What a run would book now, and the key it would be given."""
        ...

    async def needs_decision(self, month: date, *, kind: str) -> bool:
        """Whether a run of this kind states a decision: after a dispute, or because no home has a reading."""
        ...

    async def uncertified(self, run: MonthRun) -> Mapping[str, Metrology]:
        """The homes that the run bills by a meter which is not known to be certified, with its class."""
        ...

    async def booked(self, run: MonthRun) -> BoardPreview:
        """What an existing run bills, compared with the month's last published run."""
        ...

    async def book(
        self, month: date, *, kind: str, previewed: str, decision: str, at: int, today: date
    ) -> MonthRun | str:
        """Book the run for which a preview showed this key."""
        ...

    async def approve(self, run_key: str, *, member: str, at: int) -> MonthRun | str: ...
    async def publish(self, run_key: str, *, member: str, at: int) -> MonthRun | str: ...


EVERY_ORDER: Final = 2**31
"""In place of how many orders are asked for: all of them."""


class PaymentOperations(Protocol):
    """The board's service for payment orders. A refusal is one line of text and means that nothing was written."""

    async def newest(self, *, most: int) -> tuple[PaymentOrderRecord, ...]: ...
    async def own(self, member: str, *, most: int) -> tuple[PaymentOrderRecord, ...]: ...
    async def approve(self, message_id: str, *, member: str, at: int) -> PaymentOrderRecord | str: ...
    async def withdraw(self, message_id: str, *, member: str, reason: str, at: int) -> PaymentOrderRecord | str: ...


class MapOperations(Protocol):
    """The board's releases of device maps. A refusal is one line of text and means that nothing was written."""

    async def propose(self, name: str, *, is_withdrawal: bool, by: str, at: int) -> str | None:
        """Propose today's set with this map taken in or taken back; a map is named by its id or its digest."""
        ...

    async def confirm(self, proposal: int, *, by: str, at: int) -> str | None: ...
    async def withdraw(self, proposal: int, *, by: str, at: int) -> str | None: ...


class InvitationOperations(Protocol):
    """Invites members and agents. A refusal is one line of text and means that nothing was changed."""

    async def refusal(self, asked: AskedInvitation, *, by: str) -> str | None: ...
    async def invite(self, asked: AskedInvitation, *, by: str, link_by: str) -> MadeInvitation | str:
        """Make it; `link_by` made the sign-in link of the session of `by`, if somebody else did."""
        ...


class TrialOperations(Protocol):
    """Tries rules on past months. The service logs its access to homes' readings; the caller logs the member's."""

    async def months(self, *, first: date, last: date) -> tuple[date, ...]: ...
    async def try_rule(self, member: str, *, month: date, choice: str, today: date) -> MemberTrial | str | None:
        """The member's own result, one line that says why there is none, or None while it is still being calculated."""
        ...


class FindingOperations(Protocol):
    """The board's decisions on findings. Before reading a finding, the service records the access in the home's log."""

    async def verdicts(self, row: FindingRow) -> tuple[str, ...]:
        """The decisions possible now: some of accept, reject and estimate."""
        ...

    async def decide(
        self, number: int, *, member: Member, verdict: str, reason: str, at: int, after: int, link_by: str = ""
    ) -> str | None:
        """Store a decision; `after` is the last one that the page showed (0: none). Returns None on success, or a
        code: not_board, reason, unknown, own, closed, verdict, meanwhile."""
        ...


class FairnessOperations(Protocol):
    """Makes the yearly fairness report. Accesses are logged in the same way as for trials."""

    async def years(self, *, today: date) -> tuple[int, ...]: ...
    async def report(self, member: str, *, year: int, today: date) -> MemberFairness | str | None:
        """The member's own report, one line that says why there is none, or None while it is still being calculated."""
        ...


class StreetOperations(Protocol):
    """The street's published totals. The service logs its access to homes' readings."""

    async def totals(self, slots: range, *, now_slot: Slot) -> StreetTotals: ...


@dataclass(frozen=True, slots=True)
class HubParts:
    """Everything the pages need. `secure_cookies` is True if the hub is reached over HTTPS.

    `host_names` are the names the hub answers to; with None, it answers to any. `status_key` lets a program on this
    computer read the hub's status; without one, only the board reads it. `sends_mail`: whether it has a mail server.
    """

    store: Store
    clock: Clock
    coop: Coop
    enrol: EnrolAgent
    status: ReadStatus
    health: ReadHealth
    statements: StatementOperations
    runs: RunOperations
    payments: PaymentOperations
    maps: MapOperations
    invitations: InvitationOperations
    trials: TrialOperations
    fairness: FairnessOperations
    findings: FindingOperations
    street: StreetOperations
    secure_cookies: bool = False
    session_days: int = 30
    bank: CoopAccount | None = None
    host_names: frozenset[str] | None = None
    status_key: str = ""
    sends_mail: bool = False
    known_board: KnownBoard = field(default_factory=KnownBoard)
