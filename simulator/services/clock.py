"""The clock of a simulator program: real time, a timeline file another program writes, or a fixed rate."""

import asyncio
import time
from pathlib import Path

from protocols.timeline import Clock, Timeline, parse_timeline
from simulator.errors import SimulatorError


def open_clock(path: Path | None, *, rate: float = 1.0) -> Clock:
    """Follow the timeline in `path`; without one, run from now at `rate` times real speed.

    Raises: SimulatorError if the file contains no timeline.
    """
    if path is None and rate == 1.0:
        return Clock(time.time, sleep=asyncio.sleep)
    if path is None:
        began_s = time.time()
        text = Timeline(began_s, began_s, rate, None).text()
        return Clock(time.time, lambda: text, lambda: 0, asyncio.sleep)
    try:
        parse_timeline(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SimulatorError(f"{path}: cannot read the timeline: {problem.strerror}") from None
    except ValueError as problem:
        raise SimulatorError(f"{path}: not a timeline: {str(problem).splitlines()[0]}") from None
    file = path
    return Clock(time.time, lambda: file.read_text(encoding="utf-8"), lambda: file.stat().st_mtime_ns, asyncio.sleep)
