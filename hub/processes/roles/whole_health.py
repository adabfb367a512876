"""The health of a hub of several processes: what each of them last wrote down, put together. It reads no home."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hub.health.facts import Buckets, HubHealth, IntakeHealth, PartHealth, with_newest_verification
from hub.health.reported import HealthReportError, read_health
from hub.storage.shared.records import HubProcess, ProcessReport

log = logging.getLogger(__name__)

GONE_S: Final = 60.0
"""A process that was not heard for so long is gone."""


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


def other_processes(now_ms: int, reports: Iterable[ProcessReport], *, own: str) -> list[OtherProcess]:
    """All but those of the process that was started as `own`."""
    return [_read(now_ms, each) for each in reports if started_as(each.process.id) != started_as(own)]


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
    parts = [*own.parts]
    for each in others:
        parts += _parts(each, is_spare=served[each.report.process.role] > 0)
    stored = own.stored
    if stored is not None:
        stored = with_newest_verification(stored, [each.stored for each in living if each.stored is not None])
    return replace(own, parts=tuple(parts), intake=_added(intakes), jobs=jobs, stored=stored)


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
        return [PartHealth(other.name, is_serving=False, problem=words, ended_at=ended_at, is_spare=is_spare)]
    if other.health is None:
        return [PartHealth(other.name, is_serving=True)]
    return [replace(part, name=f"{part.name} of {other.name}") for part in other.health.parts]


def process_name(process: HubProcess) -> str:
    """The process among all others, for people."""
    return f"{process.role} on {process.machine}, {started_as(process.id)[-4:]}"


def _added(intakes: Sequence[IntakeHealth]) -> IntakeHealth | None:
    if len(intakes) <= 1:
        return intakes[0] if intakes else None
    return IntakeHealth(
        broker_connected=all(each.broker_connected for each in intakes),
        broker_connections=sum(each.broker_connections for each in intakes),
        received=sum(each.received for each in intakes),
        outcomes=_added_counts(each.outcomes for each in intakes),
        refused=_added_counts(each.refused for each in intakes),
        left=_added_counts(each.left for each in intakes),
        receipts=sum(each.receipts for each in intakes),
        asked_again=sum(each.asked_again for each in intakes),
        dropped_in=sum(each.dropped_in for each in intakes),
        dropped_out=sum(each.dropped_out for each in intakes),
        waiting=sum(each.waiting for each in intakes),
        waiting_most=sum(each.waiting_most for each in intakes),
        store_errors=sum(each.store_errors for each in intakes),
        store_problem=next((each.store_problem for each in intakes if each.store_problem), ""),
        groups=_added_buckets([each.groups for each in intakes]),
        last_hour=_added_counts(each.last_hour for each in intakes),
        has_cut_off=any(each.has_cut_off for each in intakes),
    )


def _added_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            found[name] = found.get(name, 0) + count
    return found


def _added_buckets(buckets: Sequence[Buckets]) -> Buckets:
    return Buckets(
        buckets[0].bounds_s,
        tuple(map(sum, zip(*(each.counts for each in buckets), strict=True))),
        sum(each.sum_s for each in buckets),
    )
