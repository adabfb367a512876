"""The hub's clock: real time, or for developers a timeline file that another program writes."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hub.storage.contract import Store
from protocols.errors import ClockFileError
from protocols.timeline import Clock, parse_timeline

BEHIND_S: Final = 600
LONG_STOP_S: Final = 40 * 86_400
"""A hub that stood still for longer than this is asked whether it did: a clock far ahead looks the same."""


def open_clock(path: Path | None) -> Clock:
    """Real time, or the timeline in `path`, read again whenever it changes. Raises: ClockFileError if it has none."""
    if path is None:
        return Clock(time.time, sleep=asyncio.sleep)
    file = path
    try:
        parse_timeline(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ClockFileError(f"{file}: cannot read the clock file: {error.strerror}") from None
    except ValueError as error:
        raise ClockFileError(f"{file}: {str(error).splitlines()[0]}") from None
    return Clock(time.time, lambda: file.read_text(encoding="utf-8"), lambda: file.stat().st_mtime_ns, asyncio.sleep)


async def clock_warning(store: Store, *, now_s: float) -> str | None:
    """What the board should know of a clock that does not fit what the hub did last; None if it fits."""
    done = [job.last_run_at for job in await store.jobs() if job.last_run_at is not None]
    if not done:
        return None
    last_s = max(done)
    says = f"this computer's clock says {_words(now_s)}"
    if now_s < last_s - BEHIND_S:
        return f"{says}, and the hub worked at {_words(last_s)} already: set the clock, then restart the hub"
    if now_s > last_s + LONG_STOP_S:
        days = int(now_s - last_s) // 86_400
        return f"{says}, and the hub last worked {days} days ago: if it ran since, set the clock, then restart the hub"
    return None


def _words(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
