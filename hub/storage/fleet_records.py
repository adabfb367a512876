"""What a store knows of homes' agents: which brings and may do what, liveness, completeness, clock; no readings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hub.core.homes.consents import AgentConsent
from hub.core.homes.measure_sources import MeterSource
from hub.core.homes.meter_trust import MeterSpan, ToldMeter
from hub.storage.records import DeviceRow, RefusalCount
from protocols.slots import Slot
from protocols.wire.meter_notices import MeterNotice


@dataclass(frozen=True, slots=True)
class AgentClock:
    """What an agent last said of its clock at `told_at` (the hub's time): how many seconds it was ahead, its state."""

    agent: str
    told_at: int
    ahead_s: int
    state: str  # synchronised, unconfirmed, held


@dataclass(frozen=True, slots=True)
class FormerAgent:
    """An agent whose key no longer counts, since when, and when the hub last refused a message of it (None: never)."""

    agent: str
    revoked_at: int
    refused_at: int | None
    seat: int = 1


@dataclass(frozen=True, slots=True)
class CutOff:
    """An agent of which nothing is read any more: since when, and how many messages in a minute were in vain."""

    agent: str
    at: int
    messages: int


@dataclass(frozen=True, slots=True)
class TakenMessages:
    """What was stored of one agent's messages since some time; `epochs` counts those that began one."""

    messages: int = 0
    bytes: int = 0
    consents: int = 0
    epochs: int = 0


class CutOffStore(Protocol):
    """Which agents are cut off now, for sending far too much, and what was taken of each."""

    async def taken_since(self, since: int, *, newest: int) -> dict[str, TakenMessages]:
        """What was stored of each agent since this time, of its `newest` latest messages."""
        ...

    async def cut_off_agents(self, found: Sequence[CutOff]) -> None: ...
    async def cut_offs(self) -> tuple[CutOff, ...]:
        """Those in force, by agent."""
        ...

    async def let_in(self, agent: str, *, by: str) -> str | None:
        """End a cut-off, with a line in the log of changes; the reason in one line if it is refused."""
        ...


@dataclass(frozen=True, slots=True)
class FleetRow:
    """The board's view of one agent of a home: liveness and completeness, no consumption values (I12).

    Presence and gaps are the home's; where it has several agents, the gaps stand in its first row only.
    """

    home: str
    home_name: str
    agent: str | None
    last_slot: Slot | None
    last_received_at: int | None
    epoch: int | None
    seq: int | None
    stored_messages: int
    devices: tuple[DeviceRow, ...]
    presence: tuple[str, ...]  # per slot of the requested range: present, derived, partial, missing, waiting
    gaps: tuple[tuple[str, int], ...]  # gap label, count, over the requested range
    clock: AgentClock | None = None
    former: tuple[FormerAgent, ...] = ()
    cut_off: CutOff | None = None
    seat: int = 1
    is_first: bool = True


@dataclass(frozen=True, slots=True)
class FleetSums:
    """Of the homes whose membership lasts: how many, how many are silent, and how many of their quarter hours came."""

    homes: int
    silent: int
    present: int


@dataclass(frozen=True, slots=True)
class FleetPlace:
    """A home's place in the fleet's order: the worst harm of its alerts (0 the worst, 5 none), then its id."""

    harm: int
    home: str


@dataclass(frozen=True, slots=True)
class FleetAsked:
    """Which homes a page of the fleet is about and what counts as harm; times in unix seconds.

    `text` is part of a home's name or id, or of an agent's id; empty for all homes.
    """

    text: str
    left_by: int  # whose membership had ended by then is left out
    silent_before: Slot  # no reading of this slot or a later one
    clock_off_s: int  # more than this ahead or behind
    former_since: int  # an agent replaced or refused after this
    elsewhere_since: int  # sent what another agent of the home brings, after this


class FleetListStore(Protocol):
    """The fleet a page at a time, and its sums. Reads no value of a reading."""

    async def fleet_sums(self, *, slots: range, silent_before: Slot) -> FleetSums:
        """How many homes there are, how many are silent, and how many of their quarter hours have arrived."""
        ...

    async def fleet_places(self, asked: FleetAsked, *, after: FleetPlace | None, most: int) -> tuple[FleetPlace, ...]:
        """The next homes after this place, those that need somebody first."""
        ...

    async def refusals_of(self, agents: Sequence[str], *, strangers: int) -> tuple[RefusalCount, ...]:
        """The counts of these agents, and the newest of senders that are nobody's agent, at most `strangers`."""
        ...


class HomeAgentStore(FleetListStore, Protocol):
    """Which agent brings what each meter counts, and the consents, one for each seat of a home."""

    async def meter_sources(self) -> tuple[MeterSource, ...]:
        """Every source of every meter, in the order in which they took over; the last one of a meter brings it."""
        ...

    async def seat_consents(self) -> tuple[tuple[str, int, bytes], ...]:
        """(home, seat, document): the newest consent of each seat that sent one."""
        ...

    async def consents(self, *, lasting_at: int | None = None) -> dict[str, tuple[AgentConsent, ...]]:
        """The consents of each home that sent one, by seat; with `lasting_at`, of members at that time.

        Seats without a working agent count only for what they still bring; a home without any agent keeps all.
        """
        ...

    async def consent_bytes(self, home: str, *, seat: int = 1) -> tuple[int, bytes] | None:
        """The newest (version, document) of one seat of a home."""
        ...


@dataclass(frozen=True, slots=True)
class ReceivedNotice:
    """A notice that its agent signed, with the sealed bytes and when they came, unix seconds."""

    notice: MeterNotice
    sealed: bytes
    received_at: int


class MeterNoticeStore(Protocol):
    """The notices of grid meters; append-only."""

    async def note_meters(self, received: Sequence[ReceivedNotice]) -> None:
        """Keep those that say something else than the one before of their agent, at most MOST_NOTICES of each."""
        ...

    async def told_meters(self) -> tuple[ToldMeter, ...]:
        """What was told of every home's grid meter, by the agents in the seats that bring it, in order."""
        ...

    async def unproven_meters(self) -> tuple[MeterSpan, ...]:
        """The meters whose readings wait until the board releases them."""
        ...
