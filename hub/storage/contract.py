"""What the hub needs from a store, split by subject so that each module depends only on the slice it uses.

Every backend keeps these promises; tests/hub/storage runs the same tests against each. Writers return only
when the change would survive a power cut (`synchronous=FULL`); readers see committed rows only. A method that may
refuse returns None on success; otherwise it writes nothing and returns the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from hub.core.rules.derived_energy import NO_DERIVED, DerivedRule
from hub.storage.access_records import AccessLog, SignedIn
from hub.storage.account_records import BankDetails, NewAccount
from hub.storage.audit_records import RestoreStore, RowLogStore, StoredRows
from hub.storage.finding_records import ConnectionAgreementStore, FindingRow, NewFinding, SlotDecision
from hub.storage.fleet_records import AgentClock, CutOffStore, FleetRow, HomeAgentStore, MeterNoticeStore
from hub.storage.household_records import HouseholdStore
from hub.storage.invite_records import InviteRefusal
from hub.storage.jobs.records import JobStore
from hub.storage.life_records import AgentKeyStore, ErasureStore, LifeStore
from hub.storage.maps.records import MapStore
from hub.storage.notice_records import NoticeStore
from hub.storage.records import (
    AcceptedMessage,
    Access,
    Agent,
    Appliance,
    AttestationRow,
    BookRows,
    ChainHead,
    Coop,
    EntryRow,
    ForecastRow,
    Home,
    HomeSeries,
    HoodSeries,
    LongIntervalRow,
    Member,
    NewObjection,
    ObjectionRow,
    PromptRow,
    RefusalCount,
    RefusedNumber,
    RunRow,
    SettledThrough,
    SettlementInputs,
)
from hub.storage.rule_records import RuleStore, StoredRule
from hub.storage.shared.records import SharedStore
from hub.storage.street_records import ManyHomesStore, OldOutlookStore, StreetStore
from protocols.quantities import Measure
from protocols.slots import Slot

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class MemberStore(HouseholdStore, ErasureStore, AgentKeyStore, Protocol):
    """Members, homes, agents, invitations and sign-in sessions. Secrets arrive as hashes, never in plain text."""

    async def coop(self) -> Coop: ...
    async def set_coop(self, coop: Coop) -> None: ...
    async def add_member(self, member: Member, home: Home | None, *, by: str = "", link_by: str = "") -> None: ...
    async def members(self) -> tuple[Member, ...]: ...
    async def member(self, member_id: str) -> Member | None: ...
    async def set_board(self, member_id: str, *, is_board: bool, by: str = "") -> bool: ...
    async def homes(self) -> tuple[Home, ...]: ...
    async def home_of(self, member_id: str) -> Home | None: ...
    async def agents(self, *, home: str | None = None) -> tuple[Agent, ...]: ...
    async def add_invite(
        self,
        token_id: bytes,
        *,
        home_id: str,
        expires_at: int,
        masked_key: bytes | None = None,
        replaces: str | None = None,
        by: str = "",
        link_by: str = "",
        is_further: bool = False,
    ) -> None:
        """Store an invitation; earlier ones of the home that are still open become void. With `by`, the log says so.

        `replaces` is the agent that the new one takes over from; with None the home must have no agent, unless the new
        one `is_further`: it comes beside those that the home has.
        """
        ...

    async def invite_key(self, token_id: bytes) -> bytes | None: ...
    async def invite_refusal(self, token_id: bytes, *, now: int) -> InviteRefusal | None:
        """Why this invitation enrols nobody any more; None while it does."""
        ...

    async def redeem_invite(self, token_id: bytes, *, agent: Agent, now: int) -> InviteRefusal | None:
        """Use an invitation, once, to enrol the agent for its home in place of the agent that it replaces, if any."""
        ...

    async def add_sign_in(self, link_hash: bytes, *, member_id: str, expires_at: int, made_by: str = "") -> None: ...
    async def redeem_sign_in(self, link_hash: bytes, *, session_hash: bytes, expires_at: int, now: int) -> str | None:
        """Turn a one-time link into a session; returns the member id, or None if it is unknown, used or expired."""
        ...

    async def session(self, session_hash: bytes, *, now: int) -> SignedIn | None: ...
    async def end_session(self, session_hash: bytes) -> None: ...


class ReadingStore(HomeAgentStore, ManyHomesStore, Protocol):
    """The exact signed messages and the 15-minute readings. Only intake writes readings."""

    async def store_messages(self, messages: Sequence[AcceptedMessage]) -> None:
        """Store all of them in one durable transaction; a message already stored with the same hash is skipped."""
        ...

    async def chain_heads(self) -> dict[str, ChainHead]: ...
    async def epoch_head(self, agent: str, *, epoch: int) -> ChainHead | None: ...
    async def refused_numbers(self, *, newest: int) -> tuple[RefusedNumber, ...]:
        """The `newest` latest refused numbers of each agent's epochs, in order."""
        ...

    async def message_hash(self, agent: str, *, epoch: int, seq: int) -> bytes | None: ...
    async def count_refusals(self, refusals: Sequence[RefusalCount]) -> None: ...
    async def note_clocks(self, clocks: Sequence[AgentClock]) -> None: ...
    async def refusals(self) -> tuple[RefusalCount, ...]: ...
    async def home_series(
        self, home: str, measures: Sequence[Measure], *, slots: range, access: Access
    ) -> dict[Measure, HomeSeries]:
        """A home's values; the access row is committed before any is returned, and if that fails, none is (I12)."""
        ...

    async def hood_series(
        self, measures: Sequence[Measure], *, slots: range, access: Access, homes: Sequence[str] | None = None
    ) -> dict[Measure, HoodSeries]:
        """Sums over homes; the access is logged for each home that is part of them."""
        ...

    async def settlement_inputs(
        self, *, slots: range, access: Access, derived: DerivedRule = NO_DERIVED
    ) -> SettlementInputs:
        """Meter readings of all members with a home, and of derived energy what the rule lets count."""
        ...

    async def long_intervals(self, home: str, *, slots: range, access: Access) -> tuple[LongIntervalRow, ...]: ...
    async def fleet(self, *, slots: range, homes: Sequence[str] | None = None) -> tuple[FleetRow, ...]: ...
    async def received_through(self) -> dict[str, Slot]:
        """The last slot with a stored batch for each enrolled agent (missing key: none yet)."""
        ...

    async def message_count(self) -> int: ...
    async def size_bytes(self) -> int:
        """How much room the store takes where it is, on this computer or on a server."""
        ...

    async def settlement_members(self, *, slots: range) -> tuple[tuple[str, ...], npt.NDArray[np.bool_]]:
        """Members with a home, in byte order, and when they were members: (slots, members). Reads no home's values."""
        ...

    async def first_slot(self) -> Slot | None: ...
    async def newest_messages(self, *, slots: range) -> dict[Slot, int]:
        """The position of the newest batch, for each slot that has one stored."""
        ...


class ForecastStore(OldOutlookStore, Protocol):
    """Forecasts as issued, and the weather they were made with."""

    async def add_forecasts(self, rows: Sequence[ForecastRow]) -> None: ...
    async def latest_forecasts(self, *, issued_by: Slot) -> dict[str, ForecastRow]: ...
    async def forecasts_covering(self, target: str, *, slots: range) -> tuple[ForecastRow, ...]: ...
    async def add_weather(self, issued_at: int, *, rows: Sequence[tuple[int, float, float, float]]) -> None:
        """rows: (hour start unix s, temperature_c, radiation_w_m2, wind_m_s)."""
        ...

    async def weather_known_at(
        self, at: int, *, first_s: int, until_s: int
    ) -> tuple[tuple[int, int, float, float, float], ...]:
        """(hour start, issued_at, temperature_c, radiation_w_m2, wind_m_s): hourly, the newest issued by `at`."""
        ...


class PromptStore(Protocol):
    """Appliances, prompts and answers."""

    async def set_appliances(self, home: str, appliances: Sequence[Appliance]) -> None: ...
    async def appliances(self, *, home: str | None = None) -> tuple[Appliance, ...]: ...
    async def add_prompts(self, prompts: Sequence[PromptRow]) -> None: ...
    async def prompts(self, *, home: str | None, issued: range) -> tuple[PromptRow, ...]: ...
    async def answer_prompt(self, prompt_id: str, *, home: str, answer: str, at: int) -> str | None:
        """Refused if the prompt is unknown, belongs to another home, has expired or has a later answer."""
        ...

    async def set_measured(self, effects: Mapping[str, tuple[int, int]]) -> None:
        """By prompt: the energy it moved, and half the width of the 90 % interval. Units: Wh."""


class BookStore(RuleStore, Protocol):
    """Rulebook versions, settlement runs and the append-only ledger."""

    async def book_run(
        self,
        run: RunRow,
        *,
        entries: Sequence[EntryRow],
        attestations: Sequence[AttestationRow] = (),
        through: SettledThrough | None = None,
    ) -> bool:
        """Book everything in one transaction. If run_key is already booked, return False and write nothing.

        Raises: StoreConflictError if entries or attestations do not follow the last stored ones; StaleInputsError if
        the day's current run used a newer message than the one in `through`.
        """
        ...

    async def runs(self, *, days: tuple[str, str] | None = None, allocations: bool = True) -> tuple[RunRow, ...]:
        """Settlement runs in booking order. Their allocation records are large: leave them out where possible."""
        ...

    async def fund_runs(
        self, *, days: tuple[str, str] | None = None, kinds: Sequence[str] | None = None, records: bool = True
    ) -> tuple[RunRow, ...]:
        """Runs of the co-op's funds in booking order. Bills are large: name kinds, or leave records out."""
        ...

    async def book_rows(
        self,
        *,
        decisions: Sequence[str] = (),
        funds: Sequence[str] = (),
        days: tuple[str, str] | None = None,
        subjects: tuple[str, str] | None = None,
    ) -> BookRows:
        """The heads of the books, and the attestations and fund runs of these kinds, read in one transaction.

        `days` limits the settlement runs, `subjects` the attestations; both ends are included.
        """
        ...

    async def entries_of_run(self, run_key: str) -> tuple[EntryRow, ...]: ...
    async def last_settled_day(self) -> str | None: ...
    async def settled_through(self, *, days: tuple[str, str]) -> dict[str, SettledThrough]: ...
    async def set_settled_through(self, through: SettledThrough) -> None: ...
    async def entries(self, *, after_position: int, limit: int) -> tuple[EntryRow, ...]: ...
    async def entries_of_day(self, day: str) -> tuple[EntryRow, ...]: ...
    async def entries_of_days(self, *, days: tuple[str, str]) -> tuple[EntryRow, ...]: ...
    async def entries_of_member(self, member: str, *, days: tuple[str, str]) -> tuple[EntryRow, ...]: ...
    async def ledger_head(self) -> tuple[int, bytes]:
        """(position, hash) of the last entry; (0, 32 zero bytes) if there is none."""
        ...


class AttestationStore(Protocol):
    """Documents the hub signed about its books; for verification, also the stored rows as they are, damaged or not."""

    async def attest(self, rows: Sequence[AttestationRow]) -> None:
        """Append in one transaction. Raises: StoreConflictError if the rows do not follow the last stored one."""
        ...

    async def attestations(
        self, kinds: Sequence[str], *, subjects: tuple[str, str] | None = None
    ) -> tuple[AttestationRow, ...]:
        """Rows of these kinds in order; `subjects` includes both ends."""
        ...

    async def newest_attestations(self, kind: str, *, most: int) -> tuple[AttestationRow, ...]: ...
    async def last_attestation(self) -> AttestationRow | None: ...
    async def require_own(self) -> None:
        """Raises: StoreConflictError if another hub than the one that opened the store has signed what is in it."""
        ...

    async def unsigned_runs(self) -> tuple[RunRow, ...]:
        """Runs of every kind without a day root, in booking order, without their allocation records."""
        ...

    async def journal_entries(self, *, after: int, limit: int) -> tuple[EntryRow, ...]:
        """Ledger rows by position; damaged text is read with replacement characters instead of failing."""
        ...

    async def journal_runs(self, *, after: int, limit: int) -> tuple[tuple[int, RunRow], ...]:
        """(position, run) of every kind of run, read in the same way."""
        ...

    async def journal_attestations(self, *, after: int, limit: int) -> tuple[AttestationRow, ...]:
        """Attestations by position, read in the same way."""
        ...

    async def journal_rules(self) -> tuple[StoredRule, ...]:
        """Every version of the rulebook with its adoption, read in the same way."""
        ...


class ObjectionStore(Protocol):
    """Members' objections to their statements and the board's decisions; append-only."""

    async def add_objection(self, new: NewObjection) -> str | None:
        """Refused if the line has an open objection or the member has too many."""
        ...

    async def objections(self, *, member: str | None = None) -> tuple[ObjectionRow, ...]: ...
    async def decide_objection(
        self, objection: int, *, board_member: str, verdict: str, reason: str, at: int
    ) -> str | None:
        """Decide an objection; refused if it is unknown or already decided."""
        ...


class AccountStore(Protocol):
    """Members' bank accounts and direct-debit mandates; append-only, and every access is logged (I12)."""

    async def add_account(self, new: NewAccount) -> int:
        """Make this the member's account; a mandate on another IBAN ends. Returns the row's id."""
        ...

    async def bank_details(self, members: Sequence[str] | None, *, access: Access) -> BankDetails:
        """The history of these members, or of all; the access rows are committed before any of it is read."""
        ...

    async def add_mandate(
        self, member: str, *, signed_on: str, made_by: str, made_at: int, mandate: str | None = None
    ) -> str | None:
        """Refused if the member has no account or already has a mandate, or if the id is taken."""
        ...

    async def end_mandate(self, member: str, *, made_by: str, made_at: int) -> bool: ...


class FindingStore(ConnectionAgreementStore, Protocol):
    """Problems found in readings, and the board's decisions on them; append-only."""

    async def put_findings(
        self, day: str, found: Sequence[NewFinding], *, closing: str, at: int, message_position: int
    ) -> None:
        """Replace a day's open findings: new ones are added, and those not found again are closed for this reason."""
        ...

    async def looked_through(self, *, days: tuple[str, str]) -> dict[str, int]: ...
    async def findings(
        self, *, access: Access, home: str | None = None, number: int | None = None, since: str = "", notes: bool = True
    ) -> tuple[FindingRow, ...]:
        """Findings from a local day onwards and all that await the board; the access is first logged per home (I12).

        Without `notes`, only those the board can decide on.
        """
        ...

    async def findings_waiting(self, home: str) -> int: ...
    async def decide_finding(
        self, finding: int, *, board_member: str, verdict: str, reason: str, at: int, after: int
    ) -> str | None:
        """Add a decision that follows `after`; refused if unknown, closed, or decided in the meantime."""
        ...

    async def slot_decisions(self, *, slots: range) -> tuple[SlotDecision, ...]: ...


class Store(
    MemberStore,
    LifeStore,
    NoticeStore,
    ReadingStore,
    AccessLog,
    ForecastStore,
    PromptStore,
    BookStore,
    AttestationStore,
    ObjectionStore,
    AccountStore,
    FindingStore,
    MeterNoticeStore,
    MapStore,
    StreetStore,
    JobStore,
    CutOffStore,
    RestoreStore,
    RowLogStore,
    StoredRows,
    SharedStore,
    Protocol,
):
    """All slices together: the interface that a backend implements and that the hub's entry points open."""

    async def close(self) -> None: ...
