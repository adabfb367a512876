"""Notices that a file was replaced, by whichever program: looks at it every few seconds."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

EVERY_S: Final = 3.0


async def watch_file(path: Path, replaced: Callable[[], None], *, every_s: float = EVERY_S) -> None:
    """Call `replaced` whenever the file at this path is another one than before, until cancelled."""
    before = _identity(path)
    while True:
        await asyncio.sleep(every_s)
        now = _identity(path)
        if now not in (None, before):
            before = now
            replaced()


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
