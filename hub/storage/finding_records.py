"""The rows of findings and of the board's decisions on them as typed values; no SQL and no I/O here.

Times are UTC unix seconds (`_at`), or slots.
"""

from dataclasses import asdict, dataclass
from typing import Protocol

from protocols.quantities import Measure
from protocols.slots import Slot, format_slot


@dataclass(frozen=True, slots=True)
class NewFinding:
    """A problem in a home's readings for `slots` slots from `first_slot` on; `measure` None means the whole home."""

    home: str
    code: str
    measure: Measure | None
    first_slot: Slot
    slots: int
    severity: str  # note, check, hold
    numbers: tuple[tuple[str, int], ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class FindingDecision:
    """A board member's decision on a finding; the last decision counts."""

    id: int
    finding: int
    board_member: str
    verdict: str  # accept, reject, estimate
    reason: str
    decided_at: int


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A stored finding with its local day and decisions; `closed` says why it no longer applies."""

    id: int
    day: str
    found: NewFinding
    found_at: int
    closed: str | None
    closed_at: int | None
    decisions: tuple[FindingDecision, ...]

    @property
    def is_waiting(self) -> bool:
        """Whether it holds back credits until the board decides."""
        return self.found.severity == "hold" and self.closed is None and not self.decisions

    def plain(self) -> dict[str, object]:
        """The finding with every decision on it, for JSON."""
        found = self.found
        return {
            "id": self.id,
            "day": self.day,
            **asdict(found),
            "measure": None if found.measure is None else found.measure.code,
            "numbers": dict(found.numbers),
            "from": format_slot(found.first_slot),
            "found_at": self.found_at,
            "waiting": self.is_waiting,
            "closed": self.closed,
            "closed_at": self.closed_at,
            "decisions": [asdict(each) for each in self.decisions],
        }


@dataclass(frozen=True, slots=True)
class ConnectionAgreement:
    """The most power of a home's grid connection from a slot on, and who on the board entered it."""

    home: str
    power_w: int
    since_slot: Slot
    board_member: str
    entered_at: int


class ConnectionAgreementStore(Protocol):
    """The board's figures for grid connections; append-only."""

    async def add_connection_agreement(self, new: ConnectionAgreement) -> None: ...
    async def connection_agreements(self, slot: Slot) -> dict[str, ConnectionAgreement]:
        """By home, the one in force in this slot."""
        ...


@dataclass(frozen=True, slots=True)
class SlotDecision:
    """A decision in the form settlement reads: the home, slots and check it concerns. It has no measured value."""

    id: int
    home: str
    code: str
    measure: Measure | None
    first_slot: Slot
    slots: int
    verdict: str
