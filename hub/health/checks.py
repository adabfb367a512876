"""What of a hub's health needs a hand: each check has a threshold, a sentence and what to do. Pure.

The readiness answer, `commonwatt-hub status`, the board's Health page and the metric `commonwatt_check` show them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from hub.health.facts import (
    HubHealth,
    IntakeHealth,
    PartHealth,
    StoredHealth,
    StoreTrouble,
    disk_free_percent,
    is_street_silent,
)
from hub.health.sentences import Moment, Said, counted, said, translatable

DISK_LOW_PERCENT: Final = 10
DISK_FULL_PERCENT: Final = 3
JOB_FAILS_S: Final = 1800
JOB_LATE_S: Final = 900
LAG_S: Final = 1.0
RESTARTS_MANY: Final = 3
RECENT_S: Final = 3600
QUEUE_PERCENT: Final = 80
LEFT_MANY: Final = 100
REFUSED_MANY: Final = 10
DROPPED_MANY: Final = 1
"""Messages in an hour from which on the board is told. Single ones come of a reconnection or of a stranger."""

_WARNINGS: Final[Mapping[str, Said | None]] = {
    "clock": None,  # its words say what to do
    "board": said("Appoint a second board member: commonwatt-hub board."),
    "backup": said("See the section Backups of docs/day-two.md, or of docs/postgres.md where a server has the store."),
    "certificates": said("See the section Certificates of docs/day-two.md."),
    "verification": said("Run commonwatt-hub verify: it names each thing, and docs/verifying.md says what it means."),
    "restore": said("Check the restored hub and confirm it: commonwatt-hub restore."),
}


STORE: Final = "intake-store"
AWAY: Final = "away"
REFUSES: Final = "refuses"
FULL: Final = "full"
FAILS: Final = "fails"
_TROUBLES: Final = {
    AWAY: (
        said("The database server is away: %(why)s."),
        said(
            "Nothing is lost: no receipt is signed meanwhile, and homes keep their readings. Start the server, or mend"
            " the way to it; the hub then goes on by itself."
        ),
    ),
    REFUSES: (
        said("The store does not let the hub in: %(why)s."),
        said(
            "Nothing is lost: no receipt is signed meanwhile, and homes keep their readings. Mend the password or the"
            " rights: docs/postgres.md; the hub then goes on by itself."
        ),
    ),
    FULL: (
        said("The database server has no room: %(why)s."),
        said(
            "Nothing is lost: no receipt is signed for what finds no room, and homes keep it. Make room there; the hub"
            " then goes on by itself."
        ),
    ),
    FAILS: (
        said("The store cannot be read or written: %(why)s."),
        said("Homes keep their readings meanwhile. Read the hub's log."),
    ),
}


class Level(IntEnum):
    """How bad it is."""

    GOOD = 0
    WARNING = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that was looked at. `stops`: while it is bad, the hub does not do its work and is not ready."""

    name: str
    level: Level
    what: Said
    do: Said | None = None
    stops: bool = False


def health_checks(health: HubHealth) -> tuple[HealthCheck, ...]:
    """Everything that can be looked at, the worst first and otherwise in a fixed order."""
    found: list[HealthCheck] = []
    if health.is_running:
        found += _parts(health)
        found += [] if health.intake is None else _intake(health.intake)
    else:
        found.append(_not_running())
    if health.store_trouble is not None:
        found = [each for each in found if each.name != STORE] + [_trouble(health.store_trouble)]
    found += _jobs(health)
    found += [] if health.stored is None else _stored(health.stored)
    return tuple(sorted(found, key=lambda check: -check.level))


def _trouble(trouble: StoreTrouble) -> HealthCheck:
    what, do = _TROUBLES.get(trouble.kind, _TROUBLES[FAILS])
    return HealthCheck(STORE, Level.BAD, replace(what, parts={"why": trouble.words}), do, stops=True)


def unready(checks: Iterable[HealthCheck]) -> tuple[HealthCheck, ...]:
    """What keeps the hub from its work now; nothing if it is ready."""
    return tuple(check for check in checks if check.stops and check.level is Level.BAD)


def _not_running() -> HealthCheck:
    return HealthCheck(
        "hub",
        Level.BAD,
        said("The hub is not running."),
        said("Start it: systemctl start commonwatt-hub, or commonwatt-hub run."),
        stops=True,
    )


def _start_again(part: PartHealth) -> Said:
    if part.role:
        return said(
            "Start it on its machine: commonwatt-hub run --role %(role)s. If it ended on purpose, leave it.",
            role=part.role,
        )
    return said("It is started again by itself. If that does not help, read the hub's log.")


def _parts(health: HubHealth) -> list[HealthCheck]:
    found = []
    for part in health.parts:
        stops = part.of_hub != "forecast-worker" and not part.is_spare
        name = f"part-{part.of_hub}" + (f"-{part.process}" if part.process else "")
        ended = part.ended_at is not None
        why: dict[str, str | Moment] = {
            "part": part.name,
            "why": part.problem or "-",
            "moment": Moment(part.ended_at or 0),
        }
        if not part.is_serving and ended:
            what = said("The process %(part)s is not running: it ended at %(moment)s (%(why)s).", **why)
            do = _start_again(part)
            found.append(HealthCheck(name, Level.BAD if stops else Level.WARNING, what, do, stops))
        elif not part.is_serving:
            what = said("The process %(part)s does not answer.", part=part.name)
            do = said("After a start this takes some seconds. If it lasts, read the hub's log.")
            found.append(HealthCheck(name, Level.WARNING if part.is_spare else Level.BAD, what, do, stops))
        elif part.restarts >= RESTARTS_MANY and health.now_s - (part.ended_at or 0) < RECENT_S:
            what = counted(
                "The process %(part)s was started again %(n)s time, last at %(moment)s (%(why)s).",
                "The process %(part)s was started again %(n)s times, last at %(moment)s (%(why)s).",
                part.restarts,
                **why,
            )
            found.append(HealthCheck(name, Level.WARNING, what, said("Read the hub's log."), stops))
        elif part.use is not None and part.use.loop_lag_s >= LAG_S:
            what = said(
                "The process %(part)s kept everybody waiting for %(seconds)s s within the last minute.",
                part=part.name,
                seconds=f"{part.use.loop_lag_s:.1f}",
            )
            do = said("The computer is too slow or too busy. See what else runs on it.")
            found.append(HealthCheck(name, Level.WARNING, what, do, stops))
        else:
            found.append(HealthCheck(name, Level.GOOD, said("The process %(part)s is running.", part=part.name)))
    return found


def _intake(intake: IntakeHealth) -> list[HealthCheck]:
    found = []
    if intake.broker_connected:
        found.append(HealthCheck("broker-connection", Level.GOOD, said("The broker is connected.")))
    else:
        what = said("The hub is not connected to the broker: no reading arrives.")
        do = said("Homes keep their readings meanwhile. Read the logs of hub and broker.")
        found.append(HealthCheck("broker-connection", Level.BAD, what, do, stops=True))
    if intake.store_problem:
        what = said("Intake cannot store anything: %(why)s.", why=intake.store_problem)
        do = said("No receipt is signed until it can; homes keep their readings. Check disk and log.")
        found.append(HealthCheck(STORE, Level.BAD, what, do, stops=True))
    else:
        found.append(HealthCheck(STORE, Level.GOOD, said("What arrives is stored.")))
    return [*found, _left(intake), _refused(intake), _dropped(intake), _queue(intake), _cut_off(intake)]


def _left(intake: IntakeHealth) -> HealthCheck:
    what = counted(
        "%(n)s message found no room in the last hour; its agent sends it again.",
        "%(n)s messages found no room in the last hour; their agents send them again.",
        intake.last_hour.get("left", 0),
    )
    do = said("After an outage this passes. If it does not, see on the page Fleet who sends so much.")
    return _counted("intake-left", what, do, many=LEFT_MANY)


def _refused(intake: IntakeHealth) -> HealthCheck:
    what = counted(
        "%(n)s message was refused in the last hour.",
        "%(n)s messages were refused in the last hour.",
        intake.last_hour.get("refused", 0),
    )
    do = said("The page Fleet says whose they were and why.")
    return _counted("intake-refused", what, do, many=REFUSED_MANY)


def _dropped(intake: IntakeHealth) -> HealthCheck:
    what = counted(
        "%(n)s message to or from the broker was dropped in the last hour.",
        "%(n)s messages to or from the broker were dropped in the last hour.",
        intake.last_hour.get("dropped", 0),
    )
    do = said("Agents send them again and ask for receipts. If it lasts, the computer is too slow.")
    return _counted("link-dropped", what, do, many=DROPPED_MANY)


def _counted(name: str, what: Said, do: Said, *, many: int) -> HealthCheck:
    is_many = what.n >= many
    return HealthCheck(name, Level.WARNING if is_many else Level.GOOD, what, do if is_many else None)


def _queue(intake: IntakeHealth) -> HealthCheck:
    is_full = intake.waiting * 100 >= intake.waiting_most * QUEUE_PERCENT
    what = counted("%(n)s message waits for intake.", "%(n)s messages wait for intake.", intake.waiting)
    do = said("After an outage this passes. If it does not, the computer or its disk is too slow.")
    return HealthCheck("intake-queue", Level.WARNING if is_full else Level.GOOD, what, do if is_full else None)


def _cut_off(intake: IntakeHealth) -> HealthCheck:
    if not intake.has_cut_off:
        return HealthCheck("cut-off", Level.GOOD, said("No agent is cut off."))
    what = said("An agent is cut off, because it sent far too much.")
    do = said("The page Fleet names it. Find out why, then let it in again: commonwatt-hub let-in.")
    return HealthCheck("cut-off", Level.WARNING, what, do)


def _jobs(health: HubHealth) -> list[HealthCheck]:
    found, jobs, now_s = [], health.jobs, health.now_s
    for job in jobs:
        name = f"job-{job.name.replace(' ', '-')}"
        if job.failing_since is not None and now_s - job.failing_since >= JOB_FAILS_S:
            since = Moment(job.failing_since)
            what = said("The job “%(job)s” has failed since %(moment)s.", job=job.name, moment=since)
            do = said("commonwatt-hub status shows why. It is tried again by itself.")
            found.append(HealthCheck(name, Level.WARNING, what, do))
        elif health.is_running and not job.is_running and now_s - job.due_at >= JOB_LATE_S:
            due = Moment(job.due_at)
            what = said("The job “%(job)s” was due at %(moment)s and waits.", job=job.name, moment=due)
            do = said("Another job takes long, or the hub does not run. Read the hub's log.")
            found.append(HealthCheck(name, Level.WARNING, what, do))
    if health.is_running and jobs and not found:
        what = counted(
            "%(n)s job of the timetable runs as planned.", "%(n)s jobs of the timetable run as planned.", len(jobs)
        )
        found.append(HealthCheck("jobs", Level.GOOD, what))
    return found


def _stored(stored: StoredHealth) -> list[HealthCheck]:
    return [_disk(stored), _street(stored), *(_warning(name, stored) for name in _WARNINGS)]


def _disk(stored: StoredHealth) -> HealthCheck:
    free = disk_free_percent(stored)
    what = said("The disk of the hub's own computer has %(percent)s %% of its room left.", percent=str(free))
    do = said("Make room or move the hub to a larger disk: without room nothing is stored.")
    is_low, is_full = free < DISK_LOW_PERCENT, free < DISK_FULL_PERCENT
    level = Level.BAD if is_full else Level.WARNING if is_low else Level.GOOD
    return HealthCheck("disk", level, what, do if is_low else None)


def _street(stored: StoredHealth) -> HealthCheck:
    if is_street_silent(stored):
        what = said("More than half of the homes are silent.")
        do = said("Check the hub's own connection and the broker's: it is unlikely to be the homes.")
        return HealthCheck("street", Level.WARNING, what, do)
    if stored.newest_slot_end is None:
        return HealthCheck("street", Level.GOOD, said("No reading has arrived yet."))
    newest = Moment(stored.newest_slot_end)
    return HealthCheck("street", Level.GOOD, said("Readings arrived until %(moment)s.", moment=newest))


def _warning(name: str, stored: StoredHealth) -> HealthCheck:
    told = stored.warnings.get(name, "")
    if told:
        what = said("%(subject)s: %(what)s", subject=_SUBJECTS[name], what=told)
        return HealthCheck(name, Level.WARNING, what, _WARNINGS[name])
    return HealthCheck(name, Level.GOOD, said("%(subject)s: in order", subject=_SUBJECTS[name]))


_SUBJECTS: Final = {
    "clock": translatable("Clock"),
    "board": translatable("Board"),
    "backup": translatable("Backup"),
    "certificates": translatable("Certificates"),
    "verification": translatable("Verification"),
    "restore": translatable("After a restore"),
}
