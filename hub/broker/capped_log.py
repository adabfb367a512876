"""The broker's log file, kept small while the broker writes to it: no client can fill the disk by being refused."""

import asyncio
import os
from pathlib import Path
from typing import BinaryIO, Final

MAX_BYTES: Final = 2 * 2**20
KEPT_BYTES: Final = 2**18
LOOK_EACH_S: Final = 5.0


def open_capped(path: Path) -> BinaryIO:
    """A new log, open for appending: only so may the file be cut short while another program writes to it.

    What an earlier start of the broker wrote last is kept beside it.
    """
    cut_short(path, more_than=0)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb")


def cut_short(path: Path, *, more_than: int = MAX_BYTES) -> bool:
    """Move the end of a log of more than so many bytes to `NAME.1` and empty it; False if it is not larger."""
    try:
        size = path.stat().st_size
        if size <= more_than:
            return False
        with path.open("r+b") as file:
            file.seek(max(0, size - KEPT_BYTES))
            end = file.read(KEPT_BYTES)
            before = os.open(path.with_name(path.name + ".1"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(before, "wb") as kept:
                kept.write(end)
            file.truncate(0)
    except OSError:  # deleted, or the disk is full: the next look tries again
        return False
    return True


async def keep_capped(path: Path) -> None:
    """Look at the log every few seconds until cancelled."""
    while True:
        await asyncio.sleep(LOOK_EACH_S)
        await asyncio.to_thread(cut_short, path)
