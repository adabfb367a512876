"""The health of a hub of several processes: what each of them last wrote down, put together. It reads no home."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any, Final

from hub.health.facts import Buckets, HubHealth, IntakeHealth, PartHealth, with_newest_verification
from hub.health.reported import HealthReportError, read_health
from hub.processes.roles.names import ROLES
from hub.storage.shared.records import HubProcess, ProcessReport

log = logging.getLogger(__name__)

GONE_S: Final = 60.0
"""A process that was not heard for so long is gone."""
PAST_S: Final = 900.0
"""One that was not heard for so long is missed no more, if another one of its role lives."""


@dataclass(frozen=True, slots=True)
class OtherProcess:
    """What another process last said; `silent_s` is how long ago it was heard."""

    report: ProcessReport
    silent_s: float
    health: HubHealth | None
    figures: Mapping[str, Any]

    @property
    def is_gone(self) -> bool:
        """Whether it was not heard for too long."""
        return self.silent_s > GONE_S

    @property
    def name(self) -> str:
        """The process among all others, for people."""
        return process_name(self.report.process)

    @property
    def process(self) -> str:
        """The same for programs: as it calls itself, which stays the same over its starts."""
        said = "" if self.health is None else self.health.process
        return said or f"{self.report.process.machine}-{self.report.process.role}"


def other_processes(now_ms: int, reports: Iterable[ProcessReport], *, own: str) -> list[OtherProcess]:
    """All but those of the process that was started as `own`, and those that are gone and missed no more."""
    found = [_read(now_ms, each) for each in reports]
    living = [each.report.process for each in found if not each.is_gone]
    return [
        each for each in found if started_as(each.report.process.id) != started_as(own) and not _is_past(each, living)
    ]


def _is_past(each: OtherProcess, living: Sequence[HubProcess]) -> bool:
    """Whether it is gone and another one of its role came after it, or has done its work for a quarter of an hour."""
    heard_ms = each.report.process.heard_ms
    others = [other for other in living if other.role == each.report.process.role]
    return each.is_gone and any(each.silent_s > PAST_S or other.started_ms > heard_ms for other in others)


def started_as(process: str) -> str:
    """What the processes of one start have in common in their names."""
    return process.rpartition(".")[0]


def with_others(own: HubHealth, others: Sequence[OtherProcess]) -> HubHealth:
    """The health of the whole hub: processes side by side, counts of intake added up, the jobs of who does them.

    What was found by the last verification is known on the machine where it ran: whoever verified last is believed.
    """
    living = [each.health for each in others if not each.is_gone and each.health is not None]
    intakes = [each.intake for each in (own, *living) if each.intake is not None]
    jobs = next((each.jobs for each in (own, *living) if each.jobs), ())
    served = Counter(each.report.process.role for each in others if not each.is_gone)
    # Of two with one name, such as a killed one and its successor, the later start is told.
    counts = {} if own.intake is None else {own.process: own.intake}
    parts = [*own.parts]
    for each in sorted(others, key=lambda each: each.report.process.started_ms):
        parts += _parts(each, is_spare=served[each.report.process.role] > 0)
        if not each.is_gone and each.health is not None and each.health.intake is not None:
            counts[each.process] = each.health.intake
    stored = own.stored
    if stored is not None:
        stored = with_newest_verification(stored, [each.stored for each in living if each.stored is not None])
    trouble = own.store_trouble or next((each.store_trouble for each in living if each.store_trouble), None)
    whole = replace(own, parts=tuple(parts), intake=_added(intakes), intakes=counts, jobs=jobs)
    return replace(whole, stored=stored, store_trouble=trouble)


def whole_figures(own: Mapping[str, Any], others: Sequence[OtherProcess]) -> dict[str, Any]:
    """What the hub's status says of its work, from every process that says something of it."""
    living = [each.figures for each in others if not each.is_gone]
    said = [own, *living]
    connected = [bool(each["broker_connected"]) for each in said if "broker_connected" in each]
    leads = next((each for each in said if each.get("leads")), None) or {}
    processes = dict(own.get("processes", {}))
    for each in others:
        for name, facts in dict(each.figures.get("processes", {})).items():
            processes[f"{name} of {each.name}"] = facts
    return {
        "broker_connected": bool(connected) and all(connected),
        "jobs_due": int(leads.get("jobs_due", 0)),
        "jobs_done_through_s": int(leads.get("jobs_done_through_s", 0)),
        "cpu_s": sum(float(each.get("cpu_s", 0.0)) for each in said),
        "processes": processes,
    }


def _read(now_ms: int, report: ProcessReport) -> OtherProcess:
    silent_s = (now_ms - report.process.heard_ms) / 1000
    try:
        said = json.loads(report.facts) if report.facts else {}
        health = read_health(said["health"], HubHealth) if "health" in said else None
        return OtherProcess(report, silent_s, health, dict(said.get("figures", {})))
    except (ValueError, TypeError, AttributeError, HealthReportError) as error:
        log.warning("what the process %s says of itself cannot be read: %s", report.process.id, error)
        return OtherProcess(report, silent_s, None, {})


def _parts(other: OtherProcess, *, is_spare: bool) -> list[PartHealth]:
    if other.is_gone:
        ended_at = other.report.process.heard_ms // 1000
        words = f"it was last heard {other.silent_s:.0f} s ago"
        gone = PartHealth(other.name, is_serving=False, problem=words, ended_at=ended_at, is_spare=is_spare)
        return [replace(gone, part=_part_of(other), process=other.process, role=other.report.process.role)]
    if other.health is None:
        return [PartHealth(other.name, is_serving=True, part=_part_of(other), process=other.process)]
    return [
        replace(part, name=f"{part.name} of {other.name}", part=part.name, process=other.process)
        for part in other.health.parts
    ]


def _part_of(other: OtherProcess) -> str:
    role = other.report.process.role
    return ROLES[role].part if role in ROLES else role


def process_name(process: HubProcess) -> str:
    """The process among all others, for people."""
    return f"{process.role} on {process.machine}, {started_as(process.id)[-4:]}"


def _added(intakes: Sequence[IntakeHealth]) -> IntakeHealth | None:
    if len(intakes) <= 1:
        return intakes[0] if intakes else None
    said = {each.name: [getattr(intake, each.name) for intake in intakes] for each in fields(IntakeHealth)}
    added = {name: _ADDED_OTHERWISE.get(name, _sum)(values) for name, values in said.items()}
    return IntakeHealth(**added)


def _sum(values: Sequence[Any]) -> Any:
    """Numbers, counts by name, or how long something took, added up."""
    match values[0]:
        case Mapping():
            return {name: sum(each.get(name, 0) for each in values) for name in dict.fromkeys(chain(*values))}
        case Buckets(bounds_s=bounds_s):
            counts = tuple(map(sum, zip(*(each.counts for each in values), strict=True)))
            return Buckets(bounds_s, counts, sum(each.sum_s for each in values))
        case _:
            return sum(values)


_ADDED_OTHERWISE: Final[Mapping[str, Callable[[Sequence[Any]], Any]]] = {
    "broker_connected": all,
    "has_cut_off": any,
    "store_problem": lambda values: next(filter(None, values), ""),
}
