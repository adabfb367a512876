"""When the computer's clock can be trusted, and which slot is closed next once it is.

Decides and waits; `boot_readings` keeps what is read meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from protocols.quantities import Gap
from protocols.slots import Slot, slot_of
from protocols.timeline import Clock
from protocols.wire.readings import ClockTrust

log = logging.getLogger("commonwatt.agent")

TRUSTED_SINCE_S = 1_704_067_200
"""2024-01-01: a clock before this was never set."""

PATIENCE_S = 3600.0
"""How long a plausible clock waits for the time service; a home without one continues with an estimate."""

CHECK_EVERY_S = 1.0
MAX_SKIPPED_SLOTS = 672
"""A week: in a longer absence the older slots get no message; the hub sees them as gaps."""

BootClock = Callable[[], float]
"""Seconds since the computer started: never set, never stepped."""


@dataclass(frozen=True, slots=True)
class ClockBounds:
    """Lower bounds of the time: the slot to be sealed next, and the hub's newest signed receipt."""

    sealed_s: float = 0.0
    signed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TrustedTime:
    """The time, how far it can be trusted, the boot clock at the same instant, and whether the agent waited for it."""

    now_s: float
    trust: ClockTrust
    boot_s: float
    waited: bool


def judge_clock(now_s: float, bounds: ClockBounds, *, is_synchronised: bool, waited_s: float) -> ClockTrust | None:
    """How far this clock can be trusted; None while it cannot, and readings wait for a better one."""
    if now_s < max(TRUSTED_SINCE_S, bounds.sealed_s):
        return None
    if is_synchronised:
        return ClockTrust.TRUSTED
    return ClockTrust.ESTIMATED if now_s >= bounds.signed_s and waited_s >= PATIENCE_S else None


async def trusted_now(
    clock: Clock, bounds: ClockBounds, *, is_synchronised: Callable[[], bool], boot_clock: BootClock | None
) -> TrustedTime:
    """Wait until the time can be trusted. Without a boot clock, waiting for a better one gains nothing."""
    boot_s = began_s = boot_clock() if boot_clock else 0.0
    waited, logged = False, ""
    while True:
        now_s, boot_s = clock.now(), boot_clock() if boot_clock else 0.0
        waited_s = boot_s - began_s if boot_clock else PATIENCE_S
        trust = judge_clock(now_s, bounds, is_synchronised=is_synchronised(), waited_s=waited_s)
        if trust is not None:
            return TrustedTime(now_s, trust, boot_s, waited)
        words = _waiting_reason(now_s, bounds, is_synchronised=is_synchronised())
        if words != logged:
            log.warning("%s", words)
        waited, logged = True, words
        await asyncio.sleep(CHECK_EVERY_S)


def _waiting_reason(now_s: float, bounds: ClockBounds, *, is_synchronised: bool) -> str:
    if is_synchronised and TRUSTED_SINCE_S <= now_s < bounds.sealed_s:
        until = datetime.fromtimestamp(bounds.sealed_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"the system clock is behind what was already sealed; nothing is sealed until {until}"
    return "the system clock is not set yet: no slot is closed until it is"


def first_slot(now_s: float, resumed: Slot | None, *, begun_s: float | None = None) -> tuple[Slot, int]:
    """The slot to close next, and how many earlier ones are skipped because the absence was too long.

    `begun_s` is the time of the first reading, if there were earlier readings.
    """
    current = slot_of(now_s)
    wanted = resumed if resumed is not None else slot_of(now_s if begun_s is None else begun_s)
    first = max(wanted, current - MAX_SKIPPED_SLOTS)
    return first, first - wanted if resumed is not None else 0


def is_synchronised(state_folder: Path = Path("/run/systemd/timesync")) -> bool:
    """Whether the system's time service has set the clock; without such a service the clock counts as set."""
    return not state_folder.is_dir() or (state_folder / "synchronized").exists()


def gap_of_absence(waited_for_clock: bool) -> Gap:
    """Why slots between two starts are missing."""
    return Gap.CLOCK_UNTRUSTED if waited_for_clock else Gap.AGENT_OFF
