"""Asks the hub that runs on a folder how it does; together with what store and folder say, that is its health."""

import json
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Final

from hub.folder.paths import has_roles, is_running, running_health
from hub.folder.settings import HubSettings
from hub.health.facts import HubHealth, JobHealth, PartHealth, with_newest_verification
from hub.health.reported import HealthReportError, read_health
from hub.processes.watching.stored_health import stored_health, trouble_of
from hub.storage.contract import Store
from hub.storage.errors import StoreError

WITHIN_S: Final = 10.0
MAX_BYTES: Final = 1 << 20


async def health_of(folder: Path, store: Store, *, settings: HubSettings, now_s: float) -> HubHealth:
    """The health of the hub on this folder, whether it runs or not. Raises: StoreError."""
    stored = await stored_health(folder, store, settings=settings, now_s=now_s)
    if is_running(folder):
        said = _ask(folder, now_s=now_s)
        if said.stored is not None:  # it has heard of the verification on another machine
            stored = with_newest_verification(stored, [said.stored])
        return replace(said, stored=stored)
    jobs = tuple(
        JobHealth(job.name, job.due_at, job.last_run_at, job.last_run_at if job.last_error else None)
        for job in await store.jobs()
    )
    return HubHealth(now_s, is_running=False, jobs=jobs, stored=stored)


def health_without_store(folder: Path, error: StoreError, *, now_s: float) -> HubHealth:
    """The health of the hub on this folder as its processes know it, while the store cannot be opened, and why."""
    said = _ask(folder, now_s=now_s) if is_running(folder) else HubHealth(now_s, is_running=False)
    return replace(said, store_trouble=said.store_trouble or trouble_of(error))


def _ask(folder: Path, *, now_s: float) -> HubHealth:
    """What the running hub says; one that does not answer is a process that does not."""
    # Of several processes it is `web` that would answer: the others may be well.
    silent = "web" if has_roles(folder) else "hub"
    unknown = HubHealth(now_s, parts=(PartHealth(silent, is_serving=False),))
    place = running_health(folder)
    if place is None:
        return unknown
    address, key = place
    request = urllib.request.Request(  # noqa: S310 - the address is one of this computer, from the hub's own file
        f"{address}/health.json", headers={"Authorization": f"Bearer {key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:  # noqa: S310
            return read_health(json.loads(answer.read(MAX_BYTES)), HubHealth)
    except (OSError, ValueError, urllib.error.URLError, HealthReportError):
        return unknown  # the check of the process says it, and what to do
