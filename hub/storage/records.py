"""The rows of the hub's store as typed values, shared by every backend and every reader; no SQL and no I/O here.

Ids are short lower-case strings (`m01`, `h01`, `a-4k2f9c1d`); times are UTC unix seconds (`_at`) or slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from hub.core.homes.measure_sources import MeterSource
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_SPAN: Final = 100
"""How many slots the longest sum a household may send covers: a local day of 25 hours."""

SeriesRow = tuple[int, int, int | None, int, int]
"""(slot, span, energy_wh, mark, gap); `span` slots ending with `slot`."""


@dataclass(frozen=True, slots=True)
class Coop:
    """The co-op this hub belongs to."""

    id: str
    name: str
    tz: str
    currency: str


@dataclass(frozen=True, slots=True)
class Member:
    """A person; one member, one vote. `is_board` allows the board's pages, but nobody else's readings.

    `left_at` is the first second after the membership's last day; None while it lasts. A further home of a person is
    kept under a membership of its own, which `held_by` that person: it has dates, bills and statements, but no vote.
    """

    id: str
    name: str
    email: str
    language: str
    is_board: bool
    joined_at: int
    left_at: int | None = None
    held_by: str | None = None

    @property
    def person(self) -> str:
        """The id of the person whose membership this is."""
        return self.held_by or self.id


@dataclass(frozen=True, slots=True)
class Home:
    """A grid connection point and the member who holds its contract.

    A successor at the same connection gets a home of their own; `follows` is the earlier one.
    """

    id: str
    name: str
    member_id: str
    follows: str | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """An enrolled program of one home. `revoked_at` is None while its key is valid.

    A home's agents have a `seat` each; whoever replaces one takes over its seat.
    """

    id: str
    home_id: str
    shard: int
    public_key: bytes
    enrolled_at: int
    revoked_at: int | None
    seat: int = 1


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last stored message of an agent, which the next one must follow."""

    agent: str
    epoch: int
    seq: int
    hash: bytes


class ReadingRow(NamedTuple):
    """One energy value of one home, measured or missing, over `span` slots ending with `slot`."""

    home: str
    measure: Measure
    slot: Slot
    span: int
    energy_wh: int | None
    mark: Mark
    gap: Gap


@dataclass(frozen=True, slots=True)
class LongIntervalRow:
    """Energy known only as a total over several slots; evidence, never settled."""

    home: str
    measure: Measure
    first_slot: Slot
    slots: int
    energy_wh: int


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """Last known liveness of a device, as the agent in this seat of the home said; has no measured value."""

    home: str
    name: str
    state: str
    age_s: int
    reported_at: int
    seat: int = 1


@dataclass(slots=True)
class AcceptedMessage:
    """A verified message and its decoded content, as intake stores it.

    Nobody changes one; that Python should refuse it would cost intake more than anything else that makes one.
    """

    agent: str
    home: str
    epoch: int
    seq: int
    kind: str
    hash: bytes
    sealed: bytes
    received_at: int
    slot: Slot | None
    readings: tuple[ReadingRow, ...]
    long_intervals: tuple[LongIntervalRow, ...]
    devices: tuple[DeviceRow, ...]
    consent: bytes | None
    consent_version: int | None
    answer: tuple[str, str, int] | None  # prompt id, choice, at
    refused: str | None = None  # why its content was refused: only number and hash are stored
    seat: int = 1
    sources: tuple[MeterSource, ...] = ()  # the meters whose source its agent becomes with this message


@dataclass(frozen=True, slots=True)
class RefusedNumber:
    """A message number that has a receipt although its content was refused."""

    agent: str
    epoch: int
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How often messages claimed by `agent` were refused for `reason`, with the newest detail (no values)."""

    agent: str
    reason: str
    count: int
    last_at: int
    detail: str


@dataclass(frozen=True, slots=True)
class Access:
    """Who reads a home's values and why; committed before any value is read (I12)."""

    actor: str  # member id, or job name such as "job:forecast"
    role: str  # self, board, job
    purpose: str  # a purpose code of the consent catalogue
    reason: str = ""
    link_by: str = ""  # the board member who made the sign-in link of the session; empty without one


@dataclass(frozen=True, slots=True)
class HomeSeries:
    """One home's values on contiguous slots. Missing = -1 in energy_wh, with mark MISSING and its gap reason.

    Shape: every array is (slots,).
    """

    home: str
    measure: Measure
    first_slot: Slot
    energy_wh: npt.NDArray[np.int64]
    mark: npt.NDArray[np.int8]
    gap: npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class HoodSeries:
    """The neighbourhood's sums on contiguous slots, each with the number of homes in it.

    Shape: energy_wh and homes are (slots,); homes is 0 in a slot without a reading.
    """

    measure: Measure
    first_slot: Slot
    energy_wh: npt.NDArray[np.int64]
    homes: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class SettlementInputs:
    """The inputs of a settlement; members are in byte order of their ids. Missing reading = -1.

    Shape: the arrays are (slots, members). `message_position` is that of the newest message included in these values.
    Where `held`, a new agent does not count yet: its values are missing; where `derived`, the agent derived one.
    """

    members: tuple[str, ...]
    first_slot: Slot
    surplus_wh: npt.NDArray[np.int64]
    demand_wh: npt.NDArray[np.int64]
    present: npt.NDArray[np.bool_]
    held: npt.NDArray[np.bool_]
    derived: npt.NDArray[np.bool_]
    message_position: int = 0


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """A stored forecast with everything needed to explain it."""

    target: str  # demand, pv, wind
    issued_slot: Slot
    first_slot: Slot
    quantiles: tuple[float, ...]
    energy_wh: npt.NDArray[np.float64]  # (slots, quantiles)
    model: str
    reason: str
    drivers: tuple[str, ...]
    weather_issued_at: int | None


@dataclass(frozen=True, slots=True)
class Appliance:
    """An appliance that could run at another time, as its household entered it."""

    home: str
    kind: str  # dishwasher, washing_machine, dryer, ev, hot_water
    energy_wh: int
    duration_slots: int
    usual_slot_of_day: int  # local, 0..95
    earliest_slot_of_day: int
    latest_slot_of_day: int
    is_asked: bool


@dataclass(frozen=True, slots=True)
class PromptRow:
    """A prompt, its reasons, its answer and, later, the measured effect."""

    id: str
    home: str
    member: str
    appliance: str
    energy_wh: int
    usual_slot: Slot
    proposed_slot: Slot
    duration_slots: int
    relief_wh: int
    reasons: tuple[tuple[str, int], ...]
    issued_slot: Slot
    answer_by_slot: Slot
    answer: str | None  # yes, no, never_appliance
    answered_at: int | None
    measured_wh: int | None
    measured_uncertainty_wh: int | None = None


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One ledger entry as stored; the hash chain covers its canonical bytes."""

    position: int
    unit: str  # Wh or nano
    day: str  # ISO local day
    member: str
    run_key: str
    canonical: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class RunRow:
    """One settlement run of one local day, or one run of the co-op's funds (its kind begins with `fund:`)."""

    run_key: str
    kind: str  # D, M1, R1, R2, RF, X; fund:fees, fund:year-end, fund:grant, fund:bill
    day: str
    rule_hash: str
    input_digest: str
    result_hash: str
    state: str  # complete, provisional
    allocation: bytes  # the packed record behind the entries; empty if it was not read
    made_at: int
    entries: int


@dataclass(frozen=True, slots=True)
class AttestationRow:
    """A document the hub signed about its books; the next one contains its hash. `subject` is a local day or month."""

    position: int
    kind: str  # day-root, month-run, approval, publication
    subject: str
    run_key: str
    document: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class BookRows:
    """The books at one moment. Settlement runs lack allocation records; `access_line` is the newest access log line.

    `log` is the head of the log of rows: how many lines it has, and the last one's link.
    """

    coop: Coop
    last_attestation: AttestationRow | None
    ledger: tuple[int, bytes]
    log: tuple[int, bytes]
    access_line: int
    runs: tuple[RunRow, ...]
    fund_runs: tuple[RunRow, ...]
    decisions: tuple[AttestationRow, ...]


@dataclass(frozen=True, slots=True)
class SettledThrough:
    """The newest message, memberships and decision used by a day's current run. A hint, not part of the books."""

    day: str
    message_position: int
    members_digest: str
    decision: int = 0


@dataclass(frozen=True, slots=True)
class NewObjection:
    """A member's objection to a line in a statement: one for a local day, or for the month if `day` is empty.

    `stated` is the line's value in Wh or nano-currency; `statement` is the hash of the document that contains it.
    """

    member: str
    month: str
    day: str
    line: str
    stated: int
    statement: str
    reason: str
    made_at: int
    due_at: int


@dataclass(frozen=True, slots=True)
class ObjectionRow:
    """An objection and the board's decision, whose fields are None until the board decides."""

    id: int
    member: str
    month: str
    day: str
    line: str
    stated: int
    statement: str
    reason: str
    made_at: int
    due_at: int
    verdict: str | None  # accepted, rejected
    board_member: str | None
    decision: str | None
    decided_at: int | None
