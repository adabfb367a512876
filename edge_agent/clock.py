"""The agent's clock: the computer's own, or for developers one that follows a timeline file."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from protocols.errors import ClockFileError
from protocols.timeline import Clock, parse_timeline


def boot_clock() -> float:
    """Seconds since this computer started, including sleep where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def make_clock(timeline: Path | None) -> Clock:
    """The real clock, or one that follows this file. Raises ClockFileError when the file is not a timeline now."""
    if timeline is None:
        return Clock(time.time, sleep=asyncio.sleep)

    def read_text() -> str:
        return timeline.read_text(encoding="utf-8")

    def stamp() -> int:
        status = timeline.stat()
        return hash((status.st_mtime_ns, status.st_ino, status.st_size))

    try:
        parse_timeline(read_text())
    except OSError as cause:
        raise ClockFileError(f"{timeline}: cannot be read: {cause.strerror or cause}") from None
    except ValueError as cause:
        raise ClockFileError(f"{timeline}: {cause}") from None
    return Clock(time.time, read_text=read_text, stamp=stamp, sleep=asyncio.sleep)
