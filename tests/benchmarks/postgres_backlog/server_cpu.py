"""The CPU time of a PostgreSQL server: of its first process, of those that run under it, and of those that ended."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def server_cpu_s(pid: int) -> float:
    """Seconds since the server was started. What ended counts through the process that waited for it."""
    while True:
        with suppress(FileNotFoundError, ProcessLookupError):  # one ended while it was looked at: look again at all
            before = list(_tree(pid))
            ticks = sum(_ticks(each) for each in before)
            if list(_tree(pid)) == before:
                return ticks / os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def _ticks(pid: int) -> int:
    """Own time, and that of its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    utime, stime, cutime, cstime = (int(each) for each in fields[11:15])
    return utime + stime + cutime + cstime
