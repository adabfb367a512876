"""What is known of a running hub's health, as plain values. Nothing in it is about one home.

The parts of the hub report these values over their channels as JSON, and the Health page, `commonwatt-hub status`, the
metrics and the readiness answer are made from them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

SILENT_AFTER_S: Final = 2 * 3600
"""A home of which nothing has arrived for this long is silent."""

VERIFICATION: Final = "verification"
"""The subject of the warning about the last verification."""

HOMES_STEP: Final = 5
"""Counts of homes are rounded down to a multiple of this. Where a count steps, some home crossed a boundary, and it is
not said which."""


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What one process uses. `loop_lag_s` is the longest that its event loop was late within the last minute."""

    pid: int
    cpu_s: float = 0.0
    rss_bytes: int = 0
    open_files: int = 0
    loop_lag_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PartHealth:
    """One process that the hub starts. `problem` says why it last ended and `ended_at` when, if it ever did (unix s).

    `is_serving` turns False as soon as it ends, and also if it has not answered for a while. `is_spare`: others do what
    it did. `role`: the role by which it is started again by hand, or by who supervises it; empty if the hub does that.
    Where a hub has several processes, `part` is which part of a hub it is and `process` the start it belongs to; `name`
    then has both for people.
    """

    name: str
    is_serving: bool
    restarts: int = 0
    problem: str = ""
    ended_at: int | None = None
    use: ProcessUse | None = None
    is_spare: bool = False
    part: str = ""
    process: str = ""
    role: str = ""

    @property
    def of_hub(self) -> str:
        """Which part of a hub it is, by its short name."""
        return self.part or self.name


@dataclass(frozen=True, slots=True)
class Buckets:
    """How long something took: `counts` per upper bound of `bounds_s`, and one more for all that took longer."""

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


@dataclass(frozen=True, slots=True)
class IntakeHealth:
    """What intake has done since it was started: each message counts once in `outcomes`, refused ones also by reason.

    `left` are messages that found no room and wait at their agents, by reason; `asked_again` how many numbers receipts
    named as missing; `dropped_in` and `dropped_out` what the broker link had no room for. `last_hour` has the same
    for the last hour. `store_problem` is empty while the store works.
    """

    broker_connected: bool
    broker_connections: int
    received: int
    outcomes: Mapping[str, int]
    refused: Mapping[str, int]
    left: Mapping[str, int]
    receipts: int
    asked_again: int
    dropped_in: int
    dropped_out: int
    waiting: int
    waiting_most: int
    store_errors: int
    store_problem: str
    groups: Buckets
    last_hour: Mapping[str, int]
    has_cut_off: bool


@dataclass(frozen=True, slots=True)
class PagesHealth:
    """Requests since the pages were started, by area and class of status; `turned_away` had too many before them."""

    requests: Mapping[str, Mapping[str, int]]
    took: Buckets
    turned_away: int
    open_requests: int


@dataclass(frozen=True, slots=True)
class JobHealth:
    """One planned job. `failing_since` is the first due time for which it failed, None if it succeeded last;
    `running_since` is None if it does not run.

    Units: times in unix s.
    """

    name: str
    due_at: int
    last_run_at: int | None
    failing_since: int | None
    runs: int = 0
    failures: int = 0
    seconds: float = 0.0
    last_seconds: float = 0.0
    running_since: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether it runs now."""
        return self.running_since is not None


@dataclass(frozen=True, slots=True)
class StoredHealth:
    """What store and folder say. `homes` have sent a reading, and `silent` of them none lately. Both are exact: only
    `homes_at_least` of them, and what follows from that, may be published.

    `warnings` are whole sentences of the hub's rooms on these subjects: clock, board, backup, certificates,
    verification, restore. The disk is the one with the hub's folder, also with `is_on_server`: of the server's own disk
    nothing is known. `verified_at` is when all was last verified on the folder's machine (unix s).
    """

    messages: int
    homes: int
    silent: int
    newest_slot_end: int | None
    last_settled_day: str | None
    refused: Mapping[str, int]
    store_bytes: int
    disk_free_bytes: int
    disk_bytes: int
    backup_age_s: int | None
    certificates_end_at: int | None
    warnings: Mapping[str, str] = field(default_factory=dict)
    verified_at: int | None = None
    is_on_server: bool = False


@dataclass(frozen=True, slots=True)
class StoreTrouble:
    """Why the store does not do its work now: its server is `away`, `refuses` the hub or is `full`, or it `fails`.

    `words` are what was told, in one line.
    """

    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class HubHealth:
    """Everything that is known at `now_s`. A part that did not answer has said nothing: None or empty.

    With `is_running` False, only what the store and the folder say is known. `process` names the start that says this
    among all of the hub, in the same words after each start. `intakes` has the counts of each start by itself where
    `intake` adds up several.
    """

    now_s: float
    is_running: bool = True
    version: str = ""
    parts: tuple[PartHealth, ...] = ()
    intake: IntakeHealth | None = None
    pages: PagesHealth | None = None
    jobs: tuple[JobHealth, ...] = ()
    stored: StoredHealth | None = None
    store_trouble: StoreTrouble | None = None
    process: str = ""
    intakes: Mapping[str, IntakeHealth] = field(default_factory=dict)


Facts = HubHealth | PartHealth | IntakeHealth | PagesHealth | StoredHealth | JobHealth | ProcessUse | StoreTrouble


def disk_free_percent(stored: StoredHealth) -> int:
    """How much of its room the hub's own disk has left, rounded down. Unit: %."""
    return stored.disk_free_bytes * 100 // max(stored.disk_bytes, 1)


def homes_at_least(count: int) -> int:
    """How many homes may be said of `count`: so many at least.

    >>> [homes_at_least(count) for count in (0, 4, 5, 12)]
    [0, 0, 5, 10]
    """
    return count - count % HOMES_STEP


def is_street_silent(stored: StoredHealth) -> bool:
    """Whether so many homes are silent that the hub's own connection is the likely reason.

    It is published, so it rests on the published counts alone. It holds only where more than half of all homes are
    silent, and always where five or more are and nobody sends.
    """
    homes, silent = homes_at_least(stored.homes), homes_at_least(stored.silent)
    return silent * 2 > homes


def with_newest_verification(own: StoredHealth, others: Iterable[StoredHealth]) -> StoredHealth:
    """The same with the verification's warning as the machine knows it that verified last: the others keep no note."""
    # A machine that could not verify yet may have something to say all the same.
    newest = max((own, *others), key=lambda each: (each.verified_at or 0, VERIFICATION in each.warnings))
    if newest is own:
        return own
    warnings = {subject: words for subject, words in own.warnings.items() if subject != VERIFICATION}
    if VERIFICATION in newest.warnings:
        warnings[VERIFICATION] = newest.warnings[VERIFICATION]
    return replace(own, warnings=warnings, verified_at=newest.verified_at)


def as_facts(health: Facts) -> dict[str, Any]:
    """Health as plain values for JSON."""
    return asdict(health)
