"""The computer the agent runs on: its clock, its disk, the data folder, and the agent's own process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edge_agent.checkup.results import Diagnosis, note, ok, wrong
from edge_agent.checkup.service import ServiceCommands
from edge_agent.outbox.opening import is_running
from edge_agent.status_text import span_words

LEAST_FREE_MB = 100
LITTLE_FREE_MB = 500
QUIET_AFTER_S = 1800
RELEASE_S = 1_795_000_000
"""A clock before this program was made is wrong. 2026-11-18."""


def check_clock(is_synchronised: Callable[[], bool], *, now_s: float, is_carried: bool = False) -> Diagnosis:
    """Whether somebody keeps the clock right. `is_carried`: the running agent has found the time and goes by it."""
    if now_s < RELEASE_S:
        return wrong(
            "clock",
            "it shows a time before this program was made",
            "connect the network and wait a minute, or set it: `sudo timedatectl set-ntp true`",
        )
    if not is_synchronised() and is_carried:
        return note(
            "clock",
            "no time service keeps it right; the running agent goes by the hub's signed time",
            "nothing now; `sudo timedatectl set-ntp true` lets a time service keep it",
        )
    if not is_synchronised():
        return wrong(
            "clock",
            "no time service keeps it right",
            "`sudo timedatectl set-ntp true`, and let the network through to a time server; the agent measures"
            " meanwhile and sends when the time is known",
        )
    return ok("clock", "a time service keeps it right")


def check_disk(data: Path) -> list[Diagnosis]:
    """Whether there is room, and whether the data folder can be written."""
    there = next(each for each in (data, *data.parents) if each.exists())
    results = []
    found = os.statvfs(there)
    free_mb = found.f_bavail * found.f_frsize >> 20
    if free_mb < LEAST_FREE_MB:
        results.append(wrong("disk", f"only {free_mb} MB are free", "delete what is not needed, or use a larger card"))
    elif free_mb < LITTLE_FREE_MB:
        results.append(note("disk", f"{free_mb} MB are free", "enough for now"))
    else:
        results.append(ok("disk", f"{free_mb} MB are free"))
    if found.f_flag & os.ST_RDONLY:
        results.append(
            wrong(
                "disk",
                f"{there} is read-only: a worn-out card often turns so",
                "restart the computer; if it comes back, replace the card",
            )
        )
    elif not os.access(there, os.W_OK | os.X_OK):
        results.append(
            wrong("disk", f"{there} cannot be written by this user", "run this with sudo, or as the agent's user")
        )
    return results


def check_process(data: Path, commands: ServiceCommands, *, newest_made_s: float | None, now_s: float) -> Diagnosis:
    """Whether an agent runs on this folder, and still closes its quarter hours."""
    quiet_s = None if newest_made_s is None else now_s - newest_made_s
    if not is_running(data):
        return wrong(
            "agent",
            "it is not running" + ("" if quiet_s is None else f"; its last message is {span_words(quiet_s)} old"),
            f"start it: `{commands.start}`; if it ends again, look why: {commands.log}",
        )
    if quiet_s is not None and quiet_s > QUIET_AFTER_S:
        return wrong(
            "agent",
            f"it runs, but has made no message for {span_words(quiet_s)}",
            f"{commands.restart}, and report it with what it said: {commands.log}",
        )
    return ok("agent", "it is running")
