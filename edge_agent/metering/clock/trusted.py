"""When a clock can be trusted: within the hub's signed time, not before what was sealed; and which slot is next then.

Decides and waits; `boot_readings` keeps what is read meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from protocols.quantities import Gap
from protocols.slots import Slot, slot_of, start_of
from protocols.timeline import Clock
from protocols.wire.readings import ClockTrust

log = logging.getLogger("commonwatt.agent")

TRUSTED_SINCE_S = 1_704_067_200
"""2024-01-01: a clock before this was never set."""

PATIENCE_S = 3600.0
"""How long a plausible clock waits for a time service; without one, and without a hub, it is then an estimate."""

HUB_TOLERANCE_S = 600.0
"""A clock further from the hub's time is wrong: the hub would refuse what it dates."""

HUB_AGREES_S = 30.0
"""A clock this close to the hub's time needs no other witness."""

HUB_INSTEAD_AFTER_S = 600.0
"""How long a wrong clock waits for a time service before the agent goes by the hub's time instead."""

SUDDEN_S = 86400.0
HUB_WAIT_S = 60.0
"""A clock that is suddenly more than a day later than anything signed waits this long for the hub's word."""

CHECK_EVERY_S = 1.0
MAX_SKIPPED_SLOTS = 672
"""A week: in a longer absence the older slots get no message; the hub sees them as gaps."""

BootClock = Callable[[], float]
"""Seconds since the computer started: never set, never stepped."""


class HubBounds(Protocol):
    """Between what the hub's time is now."""

    @property
    def least_s(self) -> float: ...
    @property
    def most_s(self) -> float: ...
    def distance_s(self, clock_s: float) -> float: ...


FindBounds = Callable[[], HubBounds | None]


def _no_bounds() -> None:
    return None


@dataclass(frozen=True, slots=True)
class ClockBounds:
    """Lower bounds of the time: the slot to be sealed next, and the hub's newest signed receipt."""

    sealed_s: float = 0.0
    signed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TrustedTime:
    """The time, how far it can be trusted, the boot clock at the same instant, and whether the agent waited for it.

    `sealed_too_far`: what was sealed before is dated later than this, so a clock was wrong when it was sealed.
    """

    now_s: float
    trust: ClockTrust
    boot_s: float
    waited: bool
    sealed_too_far: bool = False


def judge_clock(
    now_s: float, bounds: ClockBounds, *, is_synchronised: bool, waited_s: float, hub: HubBounds | None = None
) -> ClockTrust | None:
    """How far this clock can be trusted; None while it cannot, and readings wait for a better one."""
    if hub is not None and is_sealed_too_far(bounds, hub):
        bounds = ClockBounds(0.0, bounds.signed_s)
    if now_s < max(TRUSTED_SINCE_S, bounds.sealed_s):
        return None
    if hub is not None:
        off_s = abs(hub.distance_s(now_s))
        if off_s > HUB_TOLERANCE_S:
            return None
        if is_synchronised:
            return ClockTrust.TRUSTED
        return ClockTrust.ESTIMATED if off_s <= HUB_AGREES_S or waited_s >= HUB_INSTEAD_AFTER_S else None
    if is_synchronised:
        newest_s = max(bounds.sealed_s, bounds.signed_s)
        is_sudden = newest_s > 0 and now_s > newest_s + SUDDEN_S
        return None if is_sudden and waited_s < HUB_WAIT_S else ClockTrust.TRUSTED
    return ClockTrust.ESTIMATED if now_s >= bounds.signed_s and waited_s >= PATIENCE_S else None


def is_sealed_too_far(bounds: ClockBounds, hub: HubBounds) -> bool:
    """Whether what was sealed is dated later than the hub's time allows: a clock was ahead, and it binds nothing."""
    return bounds.sealed_s > hub.most_s + HUB_TOLERANCE_S


async def trusted_now(
    clock: Clock,
    bounds: ClockBounds,
    *,
    is_synchronised: Callable[[], bool],
    boot_clock: BootClock | None,
    hub_bounds: FindBounds = _no_bounds,
) -> TrustedTime:
    """Wait until the time can be trusted. Without a boot clock, waiting for a better one gains nothing."""
    boot_s = began_s = boot_clock() if boot_clock else 0.0
    waited, logged = False, ""
    while True:
        now_s, boot_s = clock.now(), boot_clock() if boot_clock else 0.0
        waited_s = boot_s - began_s if boot_clock else PATIENCE_S
        hub, is_set = hub_bounds(), is_synchronised()
        too_far = hub is not None and is_sealed_too_far(bounds, hub)
        trust = judge_clock(now_s, bounds, is_synchronised=is_set, waited_s=waited_s, hub=hub)
        if trust is not None:
            return TrustedTime(now_s, trust, boot_s, waited, too_far)
        if hub is not None and waited_s >= HUB_INSTEAD_AFTER_S and (too_far or hub.least_s >= bounds.sealed_s):
            log.warning("no time service sets the system clock: using the hub's signed time instead")
            return TrustedTime(hub.least_s, ClockTrust.ESTIMATED, boot_s, waited, too_far)
        words = _waiting_reason(now_s, bounds, is_synchronised=is_set, hub=hub)
        if words != logged:
            log.warning("%s", words)
        waited, logged = True, words
        await asyncio.sleep(CHECK_EVERY_S)


def _waiting_reason(now_s: float, bounds: ClockBounds, *, is_synchronised: bool, hub: HubBounds | None) -> str:
    if hub is not None and abs(off_s := hub.distance_s(now_s)) > HUB_TOLERANCE_S:
        side = "ahead of" if off_s > 0 else "behind"
        return (
            f"the system clock is {_span(abs(off_s))} {side} the hub's signed time: no slot is closed until it is"
            " corrected; readings are kept meanwhile"
        )
    if is_synchronised and TRUSTED_SINCE_S <= now_s < bounds.sealed_s:
        until = datetime.fromtimestamp(bounds.sealed_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return (
            f"the system clock is behind what was already sealed; nothing is sealed until {until},"
            " or until the hub's signed time shows that the earlier time was wrong"
        )
    if is_synchronised and now_s >= TRUSTED_SINCE_S:
        return "the system clock is more than a day later than anything sealed or receipted: asking the hub first"
    if now_s >= TRUSTED_SINCE_S:
        return "no time service sets the system clock: no slot is closed until one does or the hub's signed time agrees"
    return "the system clock is not set yet: no slot is closed until it is"


def _span(seconds: float) -> str:
    for unit, size in (("years", 365.25 * 86400), ("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def first_slot(now_s: float, resumed: Slot | None, *, begun_s: float | None = None) -> tuple[Slot, int]:
    """The slot to close next, and how many earlier ones are skipped because the absence was too long.

    `begun_s` is the time of the first reading, if there were earlier readings.
    """
    current = slot_of(now_s)
    wanted = resumed if resumed is not None else slot_of(now_s if begun_s is None else begun_s)
    first = max(wanted, current - MAX_SKIPPED_SLOTS)
    return first, first - wanted if resumed is not None else 0


def first_whole_slot(next_slot: Slot, seen_since_s: float, *, window_s: float, goes_on: bool) -> Slot:
    """The first slot an agent sees from its beginning to its end; the one it started in the middle of is a gap.

    `next_slot` is the one to close next; an agent that `goes_on` knows what the counters showed at its beginning.
    `window_s` is how late after a boundary a reading still counts as taken there.
    """
    started_in = slot_of(seen_since_s)
    if goes_on and next_slot >= started_in:
        return next_slot
    is_late = seen_since_s > start_of(started_in) + window_s
    return max(next_slot, started_in + is_late)


def gap_of_absence(waited_for_clock: bool) -> Gap:
    """Why slots between two starts are missing."""
    return Gap.CLOCK_UNTRUSTED if waited_for_clock else Gap.AGENT_OFF
