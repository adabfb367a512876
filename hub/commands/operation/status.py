"""`commonwatt-hub status`: what the hub has received, refused and settled, read from its store."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hub.backups.last_backup import backup_age_s, backup_words
from hub.books.after_restore import restore_words
from hub.core.ledger.approvals import lone_board
from hub.folder.addresses import pages_address
from hub.folder.clock import clock_warning, open_clock
from hub.folder.last_verification import verification_words
from hub.folder.opening import open_hub
from hub.folder.settings import HubSettings, load_settings
from hub.health.checks import HealthCheck, Level, health_checks, unready
from hub.health.facts import VERIFICATION, HubHealth
from hub.health.sentences import in_english
from hub.processes.watching.asking import health_of, health_without_store
from hub.quality.connections import home_limits
from hub.storage.audit_records import FileCheck
from hub.storage.contract import Store
from hub.storage.errors import StoreAwayError, StoreError, StoreFullError, StoreRefusedError
from hub.storage.jobs.standing import DAY_S, JobNow, jobs_now
from hub.trust.authority import AuthorityError
from hub.trust.authority_files import certificate_ends_at, certificate_warnings
from protocols.errors import IdentityError
from protocols.slots import format_slot, slot_of
from protocols.timeline import Clock

CHECK_S: Final = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the status. While a server keeps the store out of reach, what is known without it; that is no success."""
    clock, code = open_clock(args.clock), 0
    try:
        status = asyncio.run(status_of(args.data, clock=clock))
    except (StoreAwayError, StoreRefusedError, StoreFullError) as error:
        if load_settings(args.data).store is None:
            raise  # a file: the line says all
        status, code = status_without_store(args.data, error, now_s=clock.now()), 1
    sys.stdout.write(json.dumps(status) + "\n" if args.json else status_lines(status))
    return code


def _store_line(check: FileCheck) -> str:
    if check.problem is not None:
        return check.problem
    if check.is_whole:
        return "sound, as far as a quick check tells"
    return f"sound in the part that {CHECK_S:.0f} s were enough for; the whole is checked by: commonwatt-hub verify"


async def status_of(folder: Path, *, clock: Clock) -> Mapping[str, object]:
    """The state of the hub, read from its store, without any member's values."""
    settings, _, store = await open_hub(folder, clock=clock, takes_rule=False)
    try:
        now_slot = slot_of(clock.now())
        health = await health_of(folder, store, settings=settings, now_s=clock.now())
        checks = health_checks(health)
        limits = await home_limits(store, slot=now_slot)
        members = await store.members()
        clock_is_off = await clock_warning(store, now_s=clock.now())
        people = sum(member.held_by is None for member in members)
        board = [member.id for member in members if member.is_board]
        fleet = await store.fleet(slots=range(now_slot - 96, now_slot))
        return {
            "coop": settings.coop.id,
            "is_running": health.is_running,
            "is_ready": not unready(checks),
            "health": [_told(check) for check in checks if check.level is not Level.GOOD],
            "clock": "fits the hub's last work" if clock_is_off is None else f"WARNING: {clock_is_off}",
            "store": _store_line(await store.quick_check(within_s=CHECK_S)),
            "backup": backup_words(
                folder,
                now_s=clock.now(),
                is_planned=settings.backup is not None,
                on_server=None if settings.store is None else settings.store.backup,
            ),
            "backup_age_s": backup_age_s(folder, now_s=clock.now()),
            "verification": _verification(health, settings),
            "restore": next(
                (restore_words(each) for each in await store.restores() if each.checked_at is None), "none to confirm"
            ),
            "pages": pages_address(folder, settings),
            "members": people,
            "board": lone_board(board, members=people) or f"{len(board)} members",
            "messages_stored": await store.message_count(),
            "refused": [
                {"agent": r.agent, "reason": r.reason, "count": r.count, "detail": r.detail}
                for r in await store.refusals()
            ],
            "cut_off": [
                {"agent": cut.agent, "since": _utc(cut.at), "messages_in_vain_in_a_minute": cut.messages}
                for cut in await store.cut_offs()
            ],
            "homes": [
                {
                    "home": row.home,
                    "agent": row.agent,
                    "last_slot": None if row.last_slot is None else format_slot(row.last_slot),
                    "messages": row.stored_messages,
                    "waiting_or_missing_of_last_96": sum(p in ("waiting", "missing") for p in row.presence),
                }
                for row in fleet
            ],
            "connections_without_agreement": [
                {"home": home, "limit_w": limit.power_w, "from": limit.source}
                for home, limit in sorted(limits.items())
                if limit.source != "agreement"
            ],
            "last_settled_day": await store.last_settled_day(),
            "certificates": certificates_line(folder),
            "jobs": [_job_told(job) for job in await _jobs(store, health, now_s=clock.now())],
        }
    finally:
        await store.close()


def status_without_store(folder: Path, error: StoreError, *, now_s: float) -> Mapping[str, object]:
    """What the running hub and its folder say while the store's server does not: the names are those of `status_of`."""
    settings = load_settings(folder)
    health = health_without_store(folder, error, now_s=now_s)
    checks = health_checks(health)
    return {
        "coop": settings.coop.id,
        "is_running": health.is_running,
        "is_ready": not unready(checks),
        "health": [_told(check) for check in checks if check.level is not Level.GOOD],
        "store": str(error),
        "pages": pages_address(folder, settings),
        "certificates": certificates_line(folder),
    }


def _verification(health: HubHealth, settings: HubSettings) -> str:
    """As the machine knows it that verified last."""
    assert health.stored is not None
    warning, verified_at = health.stored.warnings.get(VERIFICATION), health.stored.verified_at
    return verification_words(warning, verified_at, every_days=settings.verify_every_days)


async def _jobs(store: Store, health: HubHealth, *, now_s: float) -> tuple[JobNow, ...]:
    running = {job.name: job.running_since for job in health.jobs if job.running_since is not None}
    runs = await store.job_runs(since=int(now_s) - DAY_S)
    planned = {job.name for job in health.jobs}
    return jobs_now(await store.jobs(), runs, planned=planned, running=running, now_s=now_s)


def _job_told(job: JobNow) -> dict[str, object]:
    since = {} if job.since is None else {"since": _utc(job.since)}
    on = {"worker": job.worker} if job.worker else {}
    return {
        "name": job.name,
        "state": job.state.value,
        **since,
        **on,
        "due_at": _utc(job.next_at),
        "last_error": job.error,
    }


def _told(check: HealthCheck) -> dict[str, str]:
    do = "" if check.do is None else in_english(check.do)
    return {"check": check.name, "level": check.level.name.lower(), "what": in_english(check.what), "do": do}


def certificates_line(folder: Path) -> str:
    """What the board has to do about the co-op's certificates, or until when there is nothing to do."""
    try:
        warnings, first_end = certificate_warnings(folder, now_s=int(time.time())), certificate_ends_at(folder)
    except (AuthorityError, IdentityError) as error:
        return f"WARNING: {error}"
    if first_end is None:
        return "no authority, so this computer's homes only"
    return f"WARNING: {'; '.join(warnings)}" if warnings else f"in order; the first one ends on {_utc(first_end)[:10]}"


def status_lines(status: Mapping[str, object]) -> str:
    """The status for people."""
    return "\n".join(f"{key.replace('_', ' ')}: {_shown(value)}" for key, value in status.items()) + "\n"


def _shown(value: object) -> str:
    if isinstance(value, list):
        if value and "check" in value[0]:
            return "".join(f"\n  {row['level']}: {row['what']} {row['do']}" for row in value)
        rows = (", ".join(f"{key.replace('_', ' ')}: {_shown(part)}" for key, part in row.items()) for row in value)
        return "".join(f"\n  {row}" for row in rows) or "none"
    return "yes" if value is True else "no" if value is False else "none yet" if value is None else str(value)


def _utc(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
