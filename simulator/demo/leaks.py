"""Reads what left a home (its outbox has the exact bytes) and checks it against the household's consent file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cbor2

from protocols.consent.reduction import find_violations
from protocols.consent.text import parse_consent
from protocols.slots import format_slot
from protocols.wire.messages import ConsentNotice, PromptAnswer, decode_answer, decode_consent_notice
from protocols.wire.readings import Batch, decode_batch
from protocols.wire.refusal_reasons import WireError
from simulator.demo.order import ChainOrder
from simulator.demo.outbox import opened_outbox, waiting

DECODE: dict[str, Callable[[bytes], PromptAnswer | ConsentNotice]] = {
    "answer": decode_answer,
    "consent": decode_consent_notice,
}
SIZE_CLASSES = {512 << n for n in range(6)}


class LeakWatch:
    """Checks everything one home sent, message by message; `scan_outbox` continues where it last stopped."""

    def __init__(self, home: str, folder: Path) -> None:
        self._home = home
        self._data = folder / "data"
        self._consent = parse_consent((folder / "consent.toml").read_text(encoding="utf-8"))
        self._after = (0, 0)
        self._slots: set[int] = set()
        self.messages = 0
        self.leaks: list[str] = []
        self.order = ChainOrder()

    def scan_outbox(self) -> None:
        """Read what is new in the outbox."""
        with opened_outbox(self._data) as db:
            sql = "SELECT epoch, seq, kind, sealed FROM message WHERE (epoch, seq) > (?, ?) ORDER BY epoch, seq"
            for epoch, seq, kind, sealed in db.execute(sql, self._after):
                self._after = (epoch, seq)
                self.messages += 1
                self.leaks += [f"{self._home}: {leak}" for leak in self._check(kind, sealed)]

    def waiting(self) -> int:
        """How many messages have no receipt yet."""
        return waiting(self._data)

    def has_every_slot(self) -> bool:
        """Whether there is exactly one batch for every quarter hour from first to last: a fixed cadence."""
        return len(self._slots) > 0 and len(self._slots) == max(self._slots) - min(self._slots) + 1

    def _check(self, kind: str, sealed: bytes) -> Iterator[str]:
        if len(sealed) not in SIZE_CLASSES:
            yield f"a message of {len(sealed)} bytes is not of a padded size"
        try:
            # The hub's verification opens the same bytes with the agent's key; here only their content is checked.
            payload = cbor2.loads(sealed).value[2]
            body = decode_batch(payload) if kind == "batch" else DECODE[kind](payload)
        except (WireError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
            yield f"a {kind} that cannot be read ({type(error).__name__})"
            return
        self.order.add_message(body.header, sealed=sealed, slot=body.slot if isinstance(body, Batch) else None)
        if not isinstance(body, Batch):
            return
        if body.slot in self._slots:
            yield f"{format_slot(body.slot)}: a second batch for one quarter hour"
        self._slots.add(body.slot)
        for violation in find_violations(self._consent, body):
            yield f"{format_slot(body.slot)}: {violation}"
