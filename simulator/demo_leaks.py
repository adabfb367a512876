"""Reads what left a home (its outbox holds the exact bytes) and weighs it against the household's own consent file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cbor2

from protocols.consent import parse_consent, violations
from protocols.readings import decode_batch
from protocols.refusals import WireError
from protocols.slots import iso

SIZE_CLASSES = {512 << n for n in range(6)}


class LeakWatch:
    """Weighs all that one home sent, message by message; `look` goes on where the last look ended."""

    def __init__(self, home: str, folder: Path) -> None:
        self._home = home
        self._folder = folder
        self._consent = parse_consent((folder / "consent.toml").read_text(encoding="utf-8"))
        self._after = (0, 0)
        self._slots: set[int] = set()
        self.messages = 0
        self.leaks: list[str] = []

    def look(self) -> None:
        """Read what is new in the outbox."""
        path = self._folder / "data" / "outbox.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            sql = "SELECT epoch, seq, kind, sealed FROM message WHERE (epoch, seq) > (?, ?) ORDER BY epoch, seq"
            for epoch, seq, kind, sealed in db.execute(sql, self._after):
                self._after = (epoch, seq)
                self.messages += 1
                for leak in self._weigh(kind, sealed):
                    self.leaks.append(f"{self._home}: {leak}")

    def waiting(self) -> int:
        """How many messages have no receipt yet."""
        path = self._folder / "data" / "outbox.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            (count,) = db.execute("SELECT count(*) FROM message WHERE receipted_at IS NULL").fetchone()
        return int(count)

    def has_every_slot(self) -> bool:
        """Whether exactly one batch stands for every quarter hour from the first to the last: a fixed cadence."""
        return len(self._slots) > 0 and len(self._slots) == max(self._slots) - min(self._slots) + 1

    def _weigh(self, kind: str, sealed: bytes) -> Iterator[str]:
        if len(sealed) not in SIZE_CLASSES:
            yield f"a message of {len(sealed)} bytes tells more than a size class"
        if kind != "batch":
            return
        try:
            # The hub's verification opens the same bytes with the agent's key; here only what they say is weighed.
            batch = decode_batch(cbor2.loads(sealed).value[2])
        except (WireError, ValueError, TypeError, AttributeError, IndexError) as error:
            yield f"a message that cannot be read ({type(error).__name__})"
            return
        if batch.slot in self._slots:
            yield f"{iso(batch.slot)}: a second batch for one quarter hour"
        self._slots.add(batch.slot)
        for violation in violations(self._consent, batch):
            yield f"{iso(batch.slot)}: {violation}"
