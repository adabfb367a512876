"""A home's outbox read beside the running agent: how far it has measured, and what still waits. It writes nothing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from protocols.slots import Slot


@contextmanager
def opened_outbox(data: Path) -> Iterator[sqlite3.Connection]:
    """The outbox in an agent's data folder."""
    with closing(sqlite3.connect(f"file:{data / 'outbox.sqlite'}?mode=ro", uri=True, timeout=10)) as db:
        yield db


def next_slot(data: Path) -> Slot:
    """The quarter hour the agent seals next: every one before it lies in the outbox. 0 before it ever measured."""
    with opened_outbox(data) as db:
        row = db.execute("SELECT json_extract(checkpoint, '$.next_slot') FROM state").fetchone()
    return 0 if row is None or row[0] is None else int(row[0])


def waiting(data: Path) -> int:
    """How many messages have no receipt yet."""
    with opened_outbox(data) as db:
        (count,) = db.execute("SELECT count(*) FROM message WHERE receipted_at IS NULL").fetchone()
    return int(count)


def overview(data: Path, *, newest: int) -> dict[str, Any]:
    """How much there is, how much of it waits or was given up for want of room, and the newest messages' numbers."""
    with opened_outbox(data) as db:
        count, waiting, size = db.execute(
            "SELECT count(*), count(*) FILTER (WHERE receipted_at IS NULL), coalesce(sum(length(sealed)), 0)"
            " FROM message"
        ).fetchone()
        (dropped,) = db.execute("SELECT dropped FROM state").fetchone() or (0,)
        rows = db.execute(
            "SELECT epoch, seq, receipted_at FROM message ORDER BY epoch DESC, seq DESC LIMIT ?", (newest,)
        ).fetchall()
    listed = [{"epoch": epoch, "seq": seq, "receipted_at": at} for epoch, seq, at in rows]
    return {"messages": count, "waiting": waiting, "dropped": dropped, "bytes": size, "newest": listed}
