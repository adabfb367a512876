"""A home's outbox, read while the agent runs: how far it has measured and what is still waiting. Read-only."""

import json
import sqlite3
import zlib
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
    """The quarter hour the agent seals next; every earlier one is in the outbox. 0 before it ever measured."""
    with opened_outbox(data) as db:
        row = db.execute("SELECT checkpoint FROM state").fetchone()
    if row is None or row[0] is None:
        return 0
    return int(json.loads(zlib.decompress(row[0])).get("next_slot") or 0)


def waiting(data: Path) -> int:
    """How many messages have no receipt yet."""
    with opened_outbox(data) as db:
        (count,) = db.execute("SELECT count(*) FROM message WHERE receipted_at IS NULL").fetchone()
    return int(count)


def overview(data: Path, *, newest: int) -> dict[str, Any]:
    """Totals, how much is waiting or was dropped for lack of space, and the newest messages' numbers."""
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
