"""Whether a home's messages stand in the order it measured in: number after number, quarter hour after quarter hour.

It follows one agent's chain as sealed; the hub's side of it is `commonwatt-hub verify`.
"""

import hashlib

from protocols.slots import Slot, format_slot
from protocols.wire.chain import FIRST_PREVIOUS, Header
from protocols.wire.envelope import batch_hash

FINDINGS_MAX = 20


class ChainOrder:
    """One agent's chain, message by message. `digest` is that of `commonwatt-hub verify` for the same messages."""

    def __init__(self) -> None:
        self._lines = hashlib.sha256()
        self._number = (0, 0)
        self._head = FIRST_PREVIOUS
        self._slot: Slot | None = None
        self.findings: list[str] = []

    @property
    def digest(self) -> str:
        """All messages so far, their numbers and their order, as one hash."""
        return self._lines.hexdigest()

    def add_message(self, header: Header, *, sealed: bytes, slot: Slot | None) -> None:
        """The next message by its number; `slot` is the quarter hour a batch speaks of."""
        own = batch_hash(sealed)
        epoch, seq = self._number
        is_new_epoch = header.epoch > epoch
        if (header.epoch, header.seq) != ((header.epoch, 1) if is_new_epoch else (epoch, seq + 1)):
            self._note(f"message {header.epoch}/{header.seq} follows {epoch}/{seq}")
        if header.previous != (FIRST_PREVIOUS if is_new_epoch else self._head):
            self._note(f"message {header.epoch}/{header.seq} does not name the one before it")
        if slot is not None:
            # A new epoch may seal again what the hub had lost: the order is that within an epoch.
            if self._slot is not None and not is_new_epoch and slot <= self._slot:
                self._note(f"message {header.epoch}/{header.seq}: {format_slot(slot)} after {format_slot(self._slot)}")
            self._slot = slot
        self._number, self._head = (header.epoch, header.seq), own
        self._lines.update(f"{header.epoch} {header.seq} {own.hex()}\n".encode())

    def _note(self, sentence: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(sentence)
