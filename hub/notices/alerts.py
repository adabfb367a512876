"""What the board is written about: each source looks at one thing and says what is wrong there now.

A new source is one function and one line in HUB_SOURCES, with its sentence in hub/web/templates/mail/hub.txt.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hub.backups.last_backup import backup_warning
from hub.folder.last_verification import found_warning, read_last_verification, refused_checkpoint_warning
from hub.health.checks import DISK_LOW_PERCENT, JOB_FAILS_S
from hub.storage.fleet_records import FleetRow
from hub.storage.jobs.records import Job
from hub.trust.authority_files import certificate_warnings
from protocols.errors import CommonwattError
from protocols.slots import SLOT_S

SILENT_AFTER_S: Final = 6 * 3600
CLOCK_OFF_S: Final = 120
STREET_LEAST: Final = 3


@dataclass(frozen=True, slots=True)
class BoardAlert:
    """One piece of trouble. `key` names it; it is told once, or once a week while it lasts."""

    key: str
    facts: Mapping[str, str]
    is_once: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What sources of the hub's own trouble may look at. `plans_backup`: the settings say where backups go.

    `server_backup`: how the server that has the store is backed up, as they say; None where it is a file.
    `verifies_every_days`: how often the settings have the hub verify itself; 0 is never.
    """

    folder: Path
    now_s: int
    jobs: Sequence[Job]
    plans_backup: bool
    verifies_every_days: int = 1
    server_backup: str | None = None


def silent_since(row: FleetRow, *, now_s: int) -> int | None:
    """Since when a home with an agent has been silent; None if it is not, or has never sent anything."""
    if row.agent is None or row.last_slot is None:
        return None
    since_s = (row.last_slot + 1) * SLOT_S
    return since_s if now_s - since_s > SILENT_AFTER_S else None


def named_home(row: FleetRow, several: Set[str]) -> str:
    """The home's name, with the agent where the home is one of those with several."""
    return f"{row.home_name} ({row.agent})" if row.home in several else row.home_name


def key_of(row: FleetRow, several: Set[str]) -> str:
    """What trouble with this agent is known by, so that it is told once."""
    return f"{row.home} {row.agent}" if row.home in several else row.home


def is_street_silent(fleet: Sequence[FleetRow], *, now_s: int) -> bool:
    """Whether so many homes are silent that the hub's own connection is the likely reason."""
    silent = {row.home for row in fleet if silent_since(row, now_s=now_s) is not None}
    heard = {row.home for row in fleet if row.last_slot is not None}
    return len(silent) >= STREET_LEAST and len(silent) * 2 > len(heard)


def home_alerts(fleet: Sequence[FleetRow], *, now_s: int) -> list[BoardAlert]:
    """Silent homes and wrong clocks; most homes at once are one piece of trouble."""
    found = []
    several = {row.home for row in fleet if not row.is_first}
    is_street = is_street_silent(fleet, now_s=now_s)
    if is_street:
        since_s = min(s for row in fleet if (s := silent_since(row, now_s=now_s)) is not None)
        found.append(BoardAlert("street", {"what": "street", "since": str(since_s)}))
    for row in fleet:
        since = silent_since(row, now_s=now_s)
        if since is not None and not is_street:
            facts = {"what": "silent", "home": named_home(row, several), "since": str(since)}
            found.append(BoardAlert(f"silent {key_of(row, several)} {since}", facts, is_once=True))
        if row.clock is not None and abs(row.clock.ahead_s) > CLOCK_OFF_S:
            found.append(BoardAlert(f"clock {row.clock.agent}", {"what": "clock", "home": named_home(row, several)}))
    return found


def hub_alerts(around: Surroundings) -> list[BoardAlert]:
    """What all sources say."""
    return [alert for source in HUB_SOURCES for alert in source(around)]


def _disk(around: Surroundings) -> list[BoardAlert]:
    usage = shutil.disk_usage(around.folder)
    percent = usage.free * 100 // usage.total
    if percent >= DISK_LOW_PERCENT:
        return []
    return [BoardAlert("disk", {"what": "disk", "percent": str(percent)})]


def _jobs(around: Surroundings) -> list[BoardAlert]:
    """A job that still fails half an hour after it was due. Its error may name a home, so it stays on the hub."""
    return [
        BoardAlert(f"job {job.name}", {"what": "job", "job": job.name})
        for job in around.jobs
        if job.last_error and job.last_run_at is not None and around.now_s - job.last_run_at >= JOB_FAILS_S
    ]


def _backup(around: Surroundings) -> list[BoardAlert]:
    said = backup_warning(
        around.folder, now_s=around.now_s, is_planned=around.plans_backup, on_server=around.server_backup
    )
    return [] if said is None else [BoardAlert("backup", {"what": "said", "said": said})]


def _verification(around: Surroundings) -> list[BoardAlert]:
    found = []
    if said := found_warning(around.folder, now_s=around.now_s, every_days=around.verifies_every_days):
        found.append(BoardAlert("verification", {"what": "said", "said": said}))
    if said := refused_checkpoint_warning(around.folder, now_s=around.now_s):
        # Told once; of several in one calendar week, the first.
        year, week, _ = datetime.fromtimestamp(read_last_verification(around.folder).refused_at or 0, UTC).isocalendar()
        found.append(BoardAlert(f"checkpoint {year}-W{week:02}", {"what": "said", "said": said}, is_once=True))
    return found


def _certificates(around: Surroundings) -> list[BoardAlert]:
    try:
        said = certificate_warnings(around.folder, now_s=around.now_s)
    except CommonwattError as error:
        said = (str(error),)
    return [BoardAlert(f"certificate {n}", {"what": "said", "said": each}) for n, each in enumerate(said)]


HUB_SOURCES: Final[tuple[Callable[[Surroundings], list[BoardAlert]], ...]] = (
    _disk,
    _jobs,
    _backup,
    _verification,
    _certificates,
)
