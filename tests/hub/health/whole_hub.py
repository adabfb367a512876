"""The health of a hub in which everything is known and nothing is wrong."""

from dataclasses import replace
from typing import Any

from hub.health.facts import (
    Buckets,
    HubHealth,
    IntakeHealth,
    JobHealth,
    PagesHealth,
    PartHealth,
    ProcessUse,
    StoredHealth,
)
from hub.health.intake_tally import OUTCOMES

NOW_S = 1_790_000_000.0
PARTS = ("hub", "pages", "timetable", "intake", "broker", "forecast-worker")
BUCKETS = Buckets((0.1, 1.0), (0, 0, 0), 0.0)
INTAKE = IntakeHealth(
    broker_connected=True,
    broker_connections=1,
    received=9,
    outcomes=dict.fromkeys(OUTCOMES, 0),
    refused={"garbage": 0},
    left={"too_many": 0},
    receipts=9,
    asked_again=0,
    dropped_in=0,
    dropped_out=0,
    waiting=0,
    waiting_most=800,
    store_errors=0,
    store_problem="",
    groups=BUCKETS,
    last_hour={},
    has_cut_off=False,
)
STORED = StoredHealth(
    messages=9,
    homes=12,
    silent=0,
    newest_slot_end=int(NOW_S) - 300,
    last_settled_day="2026-09-19",
    refused={},
    store_bytes=1_000_000,
    disk_free_bytes=60,
    disk_bytes=100,
    backup_age_s=3600,
    certificates_end_at=int(NOW_S) + 90 * 86_400,
)
JOBS = (JobHealth("weather", int(NOW_S) + 60, int(NOW_S) - 3540, None, runs=3),)


def whole_hub(*, took: Buckets = BUCKETS, parts: dict[str, PartHealth] | None = None, **changed: Any) -> HubHealth:
    """The hub with some parts replaced; `changed` are fields of intake, what is stored, or the hub itself."""
    known = {name: PartHealth(name, is_serving=True, use=ProcessUse(7)) for name in PARTS} | (parts or {})
    of_intake = {key: value for key, value in changed.items() if hasattr(INTAKE, key)}
    of_stored = {key: value for key, value in changed.items() if hasattr(STORED, key) and key not in of_intake}
    rest = {key: value for key, value in changed.items() if key not in of_intake and key not in of_stored}
    health = HubHealth(
        now_s=NOW_S,
        version="1.0",
        parts=tuple(known.values()),
        intake=replace(INTAKE, **of_intake),
        pages=PagesHealth({"my-home": {"2xx": 1}}, took, 0, 0),
        jobs=JOBS,
        stored=replace(STORED, **of_stored),
    )
    return replace(health, **rest)
