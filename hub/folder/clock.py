"""The clock the hub lives by: real time, or for developers a timeline file that another program writes."""

import asyncio
import time
from pathlib import Path

from protocols.errors import ClockFileError
from protocols.timeline import Clock, parse_timeline


def open_clock(path: Path | None) -> Clock:
    """Real time, or the timeline in `path`, followed as it changes. Raises: ClockFileError when it holds none."""
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
