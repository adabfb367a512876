"""What a process of the hub uses: processor time, memory, open files, and how late its event loop was."""

import asyncio
import os
from collections import deque
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from hub.health.facts import ProcessUse
from hub.processes.own_hub import cpu_s

SAMPLE_EACH_S: Final = 0.5
LATE_KEPT: Final = 120
"""Samples: the last minute."""

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class LoopWatch:
    """Measures how late the event loop wakes a task that asked for a certain time."""

    def __init__(self) -> None:
        self._late_s: deque[float] = deque(maxlen=LATE_KEPT)

    @property
    def worst_s(self) -> float:
        """The latest it was within the last minute."""
        return max(self._late_s, default=0.0)

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + SAMPLE_EACH_S
            await asyncio.sleep(SAMPLE_EACH_S)
            self._late_s.append(max(0.0, loop.time() - due_s))


def own_use(watch: LoopWatch) -> ProcessUse:
    """What this process uses."""
    pid = os.getpid()
    return ProcessUse(pid, cpu_s(), _resident_bytes(pid), _open_files(pid), round(watch.worst_s, 4))


def use_of(pid: int) -> ProcessUse | None:
    """What a process that the hub started uses; None if it is gone or this system has no /proc.

    The broker's process is below the one that ends it with the hub.
    """
    pid = _largest_below(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return ProcessUse(pid, (int(fields[11]) + int(fields[12])) / _TICKS, _resident_bytes(pid), _open_files(pid))


def own_version() -> str:
    """The version of this program."""
    try:
        return version("commonwatt")
    except PackageNotFoundError:
        return "not installed"


def _largest_below(pid: int) -> int:
    """The largest process below this one; itself if it has none."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return pid  # gone meanwhile, or a system that does not list them
    return max((int(each) for each in below), default=pid, key=_resident_bytes)


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except OSError:
        return 0  # gone meanwhile, or a system without /proc: not known


def _open_files(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0  # the same
