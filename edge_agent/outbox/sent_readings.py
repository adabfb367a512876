"""What the home said it drew from the grid and fed into it: kept after the sealed messages themselves are deleted.

With these, a household checks a statement against what its own agent sent, not against what the hub gives out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from edge_agent.outbox.messages import OutboxError
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_UTC_DAY, Slot
from protocols.wire.envelope import payload_of
from protocols.wire.readings import Batch, decode_batch
from protocols.wire.refusal_reasons import WireError

KEPT_SLOTS = 400 * SLOTS_PER_UTC_DAY
ENDING = "SELECT sealed FROM message WHERE kind = 'batch' AND receipted_at < ?"
KEEP = "INSERT OR REPLACE INTO sent_reading (slot, export_wh, import_wh) VALUES (?,?,?)"
THIN = "DELETE FROM sent_reading WHERE slot < (SELECT max(slot) FROM sent_reading) - ?"

SentReading = tuple[Slot, int, int]


def readings_of(sealed: Iterable[bytes]) -> list[SentReading]:
    """Slot, export and import in Wh of each sealed batch that has both for its quarter hour."""
    found: list[SentReading] = []
    for each in sealed:
        try:
            batch = decode_batch(payload_of(each))
        except WireError:
            continue  # the hub refused it for the same reason
        export_wh, import_wh = _quarter_hour(batch, Measure.GRID_EXPORT), _quarter_hour(batch, Measure.GRID_IMPORT)
        if export_wh is not None and import_wh is not None:
            found.append((batch.slot, export_wh, import_wh))
    return found


def sent_record(member: str, readings: Iterable[SentReading]) -> str:
    """The readings in the form of a statement's readings.json."""
    return json.dumps({"member": member, "readings": [list(row) for row in readings]}, separators=(",", ":"))


def write_sent(path: Path, text: str) -> None:
    """Write the file, readable only by its owner. Raises: OutboxError; an existing file stays as it is."""
    try:
        with open(path, "x", encoding="utf-8", opener=_private) as file:
            file.write(text + "\n")
    except OSError as cause:
        raise OutboxError(f"--out {path}: cannot be written: {cause.strerror or cause}") from None


def _quarter_hour(batch: Batch, measure: Measure) -> int | None:
    values = [column.energy_wh for column in batch.columns if column.measure == measure and column.span == 1]
    return values[0] if values else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
