"""The hub's metrics for Prometheus: each one's name, kind and labels, and how it is read from the hub's health. Pure.

docs/metrics.md lists them all. No label and no value is about one home: counts of homes are rounded down.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from hub.health.checks import health_checks, unready
from hub.health.facts import (
    Buckets,
    HubHealth,
    IntakeHealth,
    JobHealth,
    PagesHealth,
    PartHealth,
    ProcessUse,
    StoredHealth,
    homes_at_least,
    is_street_silent,
)

PREFIX: Final = "commonwatt_"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Value = tuple[tuple[str, ...], float]
Histogram = tuple[tuple[str, ...], Buckets]


@dataclass(frozen=True, slots=True)
class MetricKind:
    """One metric: `name` as Prometheus shows it, and `read`, which gives its values with their labels."""

    name: str
    kind: str  # counter, gauge, histogram
    help: str
    labels: tuple[str, ...]
    read: Callable[[HubHealth], Iterable[Value] | Iterable[Histogram]]


def _of_hub(read: Callable[[HubHealth], float | None]) -> Callable[[HubHealth], Iterable[Value]]:
    return lambda health: _one(read(health))


def _of_parts(read: Callable[[PartHealth], float | None]) -> Callable[[HubHealth], Iterable[Value]]:
    def values(health: HubHealth) -> Iterable[Value]:
        found = {}
        for part in health.parts:
            value = read(part)
            if value is not None:
                # A killed process and its successor have the same labels for a minute: the later one is told.
                found[part.of_hub, part.process or health.process] = value
        return found.items()

    return values


def _of_use(read: Callable[[ProcessUse], float]) -> Callable[[HubHealth], Iterable[Value]]:
    return _of_parts(lambda part: None if part.use is None else read(part.use))


def _of_intake(read: Callable[[IntakeHealth], float]) -> Callable[[HubHealth], Iterable[Value]]:
    return lambda health: [((process,), read(intake)) for process, intake in _intakes(health)]


def _intakes(health: HubHealth) -> Iterable[tuple[str, IntakeHealth]]:
    """Each process that takes messages by itself: a sum over them would fall when one ends."""
    if health.intakes:
        return sorted(health.intakes.items())
    return () if health.intake is None else [(health.process, health.intake)]


def _of_pages(read: Callable[[PagesHealth], float]) -> Callable[[HubHealth], Iterable[Value]]:
    return lambda health: _one(None if health.pages is None else read(health.pages))


def _of_jobs(read: Callable[[JobHealth, float], float | None]) -> Callable[[HubHealth], Iterable[Value]]:
    def values(health: HubHealth) -> Iterable[Value]:
        for job in health.jobs:
            value = read(job, health.now_s)
            if value is not None:
                yield (job.name,), value

    return values


def _of_store(read: Callable[[StoredHealth], float | None]) -> Callable[[HubHealth], Iterable[Value]]:
    return lambda health: _one(None if health.stored is None else read(health.stored))


def _counts(read: Callable[[IntakeHealth], Mapping[str, int]]) -> Callable[[HubHealth], Iterable[Value]]:
    return lambda health: [
        ((key, process), n) for process, intake in _intakes(health) for key, n in sorted(read(intake).items())
    ]


def _one(value: float | None) -> Iterable[Value]:
    return () if value is None else [((), value)]


def _requests(health: HubHealth) -> Iterable[Value]:
    if health.pages is not None:
        for area, by_status in sorted(health.pages.requests.items()):
            for status, count in sorted(by_status.items()):
                yield (area, status), count


def _homes(health: HubHealth) -> Iterable[Value]:
    if health.stored is not None:
        yield ("all",), homes_at_least(health.stored.homes)
        yield ("silent",), homes_at_least(health.stored.silent)


def _checks(health: HubHealth) -> Iterable[Value]:
    found: dict[str, float] = {}
    for check in health_checks(health):
        found[check.name] = max(check.level, found.get(check.name, 0))
    return [((name,), level) for name, level in sorted(found.items())]


def _is_ready(health: HubHealth) -> bool:
    return not unready(health_checks(health))


def _settled_s(stored: StoredHealth) -> float | None:
    if stored.last_settled_day is None:
        return None
    return datetime.fromisoformat(stored.last_settled_day).replace(tzinfo=UTC).timestamp()


_PROCESS: Final = ("process",)
_PART: Final = ("part", "process")
_JOB: Final = ("job",)
KINDS: Final[tuple[MetricKind, ...]] = (
    MetricKind(
        "build_info",
        "gauge",
        "1; its label is the version of the program.",
        ("version",),
        lambda h: [((h.version,), 1)],
    ),
    MetricKind(
        "ready",
        "gauge",
        "1 if the hub is ready, as /readyz says.",
        (),
        _of_hub(_is_ready),
    ),
    MetricKind(
        "check",
        "gauge",
        "A check of the Health page: 0 good, 1 warning, 2 bad.",
        ("check",),
        _checks,
    ),
    MetricKind("part_up", "gauge", "1 while this process serves.", _PART, _of_parts(lambda p: p.is_serving)),
    MetricKind("part_restarts_total", "counter", "Times it was started again.", _PART, _of_parts(lambda p: p.restarts)),
    MetricKind(
        "part_cpu_seconds_total",
        "counter",
        "Processor time it has used.",
        _PART,
        _of_use(lambda use: use.cpu_s),
    ),
    MetricKind("part_resident_bytes", "gauge", "Memory it holds.", _PART, _of_use(lambda use: use.rss_bytes)),
    MetricKind(
        "part_open_files",
        "gauge",
        "Files and connections it has open.",
        _PART,
        _of_use(lambda use: use.open_files),
    ),
    MetricKind(
        "part_loop_lag_seconds",
        "gauge",
        "The longest that its event loop was late within the last minute.",
        _PART,
        _of_use(lambda use: use.loop_lag_s),
    ),
    MetricKind(
        "broker_connected",
        "gauge",
        "1 while the hub is connected to the broker.",
        _PROCESS,
        _of_intake(lambda i: i.broker_connected),
    ),
    MetricKind(
        "broker_connections_total",
        "counter",
        "Connections made to the broker.",
        _PROCESS,
        _of_intake(lambda i: i.broker_connections),
    ),
    MetricKind(
        "intake_received_total",
        "counter",
        "Messages from the broker.",
        _PROCESS,
        _of_intake(lambda i: i.received),
    ),
    MetricKind(
        "intake_messages_total",
        "counter",
        "Messages that were checked, by what became of them.",
        ("outcome", "process"),
        _counts(lambda i: i.outcomes),
    ),
    MetricKind(
        "intake_refused_total",
        "counter",
        "Refused messages, by reason.",
        ("reason", "process"),
        _counts(lambda i: i.refused),
    ),
    MetricKind(
        "intake_left_total",
        "counter",
        "Messages left for later: their agents send them again.",
        ("reason", "process"),
        _counts(lambda i: i.left),
    ),
    MetricKind("intake_receipts_total", "counter", "Receipts signed.", _PROCESS, _of_intake(lambda i: i.receipts)),
    MetricKind(
        "intake_asked_again_total",
        "counter",
        "Messages that receipts named as missing.",
        _PROCESS,
        _of_intake(lambda i: i.asked_again),
    ),
    MetricKind("intake_waiting", "gauge", "Messages that wait for intake.", _PROCESS, _of_intake(lambda i: i.waiting)),
    MetricKind("intake_waiting_limit", "gauge", "How many may wait.", _PROCESS, _of_intake(lambda i: i.waiting_most)),
    MetricKind(
        "intake_store_errors_total",
        "counter",
        "Groups that could not be stored at once.",
        _PROCESS,
        _of_intake(lambda i: i.store_errors),
    ),
    MetricKind(
        "intake_group_seconds",
        "histogram",
        "From taking up a group of messages to its receipts.",
        _PROCESS,
        lambda h: [((process,), intake.groups) for process, intake in _intakes(h)],
    ),
    MetricKind(
        "link_dropped_total",
        "counter",
        "Messages that the broker link had no room for.",
        ("direction", "process"),
        _counts(lambda i: {"in": i.dropped_in, "out": i.dropped_out}),
    ),
    MetricKind("pages_requests_total", "counter", "Requests answered.", ("area", "status"), _requests),
    MetricKind(
        "pages_request_seconds",
        "histogram",
        "How long requests took.",
        (),
        lambda h: () if h.pages is None else [((), h.pages.took)],
    ),
    MetricKind(
        "pages_turned_away_total",
        "counter",
        "Requests refused because too many were waiting.",
        (),
        _of_pages(lambda p: p.turned_away),
    ),
    MetricKind(
        "pages_open_requests",
        "gauge",
        "Requests that wait or are answered.",
        (),
        _of_pages(lambda p: p.open_requests),
    ),
    MetricKind("job_runs_total", "counter", "Runs of a job.", _JOB, _of_jobs(lambda job, _: job.runs)),
    MetricKind("job_failures_total", "counter", "Runs that failed.", _JOB, _of_jobs(lambda job, _: job.failures)),
    MetricKind(
        "job_failing",
        "gauge",
        "1 while its last run failed.",
        _JOB,
        _of_jobs(lambda job, _: job.failing_since is not None),
    ),
    MetricKind("job_seconds_total", "counter", "Time its runs took.", _JOB, _of_jobs(lambda job, _: job.seconds)),
    MetricKind("job_last_seconds", "gauge", "Time its last run took.", _JOB, _of_jobs(lambda job, _: job.last_seconds)),
    MetricKind(
        "job_late_seconds",
        "gauge",
        "How long it has been due; 0 if it is not.",
        _JOB,
        _of_jobs(lambda job, now_s: 0.0 if job.is_running else max(0.0, now_s - job.due_at)),
    ),
    MetricKind("store_messages", "gauge", "Messages stored.", (), _of_store(lambda s: s.messages)),
    MetricKind(
        "store_bytes",
        "gauge",
        "Size of the store: its files, or its tables and indexes on the server.",
        (),
        _of_store(lambda s: s.store_bytes),
    ),
    MetricKind(
        "disk_free_bytes",
        "gauge",
        "Room left on the disk of the hub's own computer.",
        (),
        _of_store(lambda s: s.disk_free_bytes),
    ),
    MetricKind(
        "disk_bytes", "gauge", "Size of the disk of the hub's own computer.", (), _of_store(lambda s: s.disk_bytes)
    ),
    MetricKind("backup_age_seconds", "gauge", "Age of the newest backup.", (), _of_store(lambda s: s.backup_age_s)),
    MetricKind(
        "certificates_end_timestamp_seconds",
        "gauge",
        "When the first certificate of the co-op ends.",
        (),
        _of_store(lambda s: s.certificates_end_at),
    ),
    MetricKind(
        "newest_reading_timestamp_seconds",
        "gauge",
        "End of the newest quarter hour that any home has sent.",
        (),
        _of_store(lambda s: s.newest_slot_end),
    ),
    MetricKind(
        "settled_day_timestamp_seconds", "gauge", "The last settled day, at 0:00 UTC.", (), _of_store(_settled_s)
    ),
    MetricKind(
        "homes_at_least", "gauge", "Homes, and silent ones; rounded down to a multiple of 5.", ("state",), _homes
    ),
    MetricKind(
        "street_silent",
        "gauge",
        "1 if more than half are silent, by these two counts.",
        (),
        _of_store(is_street_silent),
    ),
)


def metric_families(health: HubHealth) -> list[Metric]:
    """Every metric that has values now, under its whole name."""
    return [family for kind in KINDS if (family := _family(kind, health)).samples]


def exposition(health: HubHealth) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(metric_families(health)))
    return generate_latest(registry)


class _Collected:
    """What has been read already, in the form in which the library asks for it."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _family(kind: MetricKind, health: HubHealth) -> Metric:
    name = PREFIX + kind.name
    values = kind.read(health)
    if kind.kind == "histogram":
        histogram = HistogramMetricFamily(name, kind.help, labels=kind.labels)
        for labels, value in values:
            if isinstance(value, Buckets):
                histogram.add_metric(labels, _cumulated(value), value.sum_s)
        return histogram
    family = CounterMetricFamily if kind.kind == "counter" else GaugeMetricFamily
    found = family(name, kind.help, labels=kind.labels)
    for labels, value in values:
        if not isinstance(value, Buckets):
            found.add_metric(labels, float(value))
    return found


def _cumulated(buckets: Buckets) -> list[tuple[str, float]]:
    found, total = [], 0
    for bound, count in zip((*map(str, buckets.bounds_s), "+Inf"), buckets.counts, strict=True):
        total += count
        found.append((bound, float(total)))
    return found
