"""What the hub's notice of revocation changes: it is kept, said once in the log, and dropped if receipts come again."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from edge_agent.outbox.store import Outbox
from protocols.wire.receipts import Receipt
from protocols.wire.revocations import RevocationNotice, decode_revocation

log = logging.getLogger("commonwatt.agent")


class RevocationWatch:
    """Whether the hub still accepts this agent's key, as far as its signed messages say."""

    def __init__(self, outbox: Outbox, *, agent: str) -> None:
        self._outbox = outbox
        self._agent = agent
        self._notice: RevocationNotice | None = None

    async def start(self) -> None:
        """Take up what was kept before, and say it again."""
        payload = await self._outbox.revocation()
        if payload is not None:
            self._notice = decode_revocation(payload)
            log.error("%s", revocation_words(self._notice))

    async def note(self, payload: bytes, _sealed: bytes) -> None:
        """Take in a notice whose signature was checked."""
        notice = decode_revocation(payload)
        if notice.agent != self._agent or notice == self._notice:
            return
        await self._outbox.keep_revocation(payload)
        self._notice = notice
        log.error("%s", revocation_words(notice))

    async def note_receipt(self, receipt: Receipt) -> None:
        """Drop the notice if the hub receipts again: it was restored from a backup made before the revocation."""
        if self._notice is not None and receipt.agent == self._agent and receipt.stored_at > self._notice.at:
            await self._outbox.keep_revocation(None)
            self._notice = None
            log.warning("the hub accepts this agent again")


def revocation_words(notice: RevocationNotice) -> str:
    """The notice as one line: what happened, and what to do."""
    since = datetime.fromtimestamp(notice.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"the hub accepts nothing more from this agent since {since}: {notice.cause.plain_words};"
        " switch this agent off, or ask the co-op for a new invitation"
    )
