"""HTTP connections with limits: how many, how long a request may take to arrive, how long an answer may go unread."""

import asyncio
from typing import Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS: Final = 256
"""With the broker's, the store's and the log's files this stays far below the 1,024 files a process may open."""

REQUEST_WITHIN_S: Final = 10.0
"""A form holds at most 64 KB: over any line that carries a page it arrives within this time."""

UNREAD_FOR_S: Final = 60.0


class LimitedProtocol(H11Protocol):
    """One connection. A request that is not whole in time ends it, and so does a client that does not read its answer.

    When there are too many, the one that has waited longest for a whole request makes room: who only holds
    connections open keeps nobody out.
    """

    most_connections = MOST_CONNECTIONS
    request_within_s = REQUEST_WITHIN_S
    unread_for_s = UNREAD_FOR_S

    _limit: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the client still owes a whole request."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= self.most_connections and not self._make_room():
            # Nothing was set up yet, so the parent class must not see this connection end.
            transport.abort()
            return
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if self.transport is not None:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._restart(self.unread_for_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def _watch(self) -> None:
        """Give a request that is not whole its time limit; the time runs from its first byte, not from its last."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.flow.write_paused:
            return
        if not self.is_waiting:
            if self._limit is not None:
                self._limit.cancel()
                self._limit = None
        elif self._limit is None:
            self._restart(self.request_within_s)

    def _restart(self, within_s: float) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit = self.loop.call_later(within_s, self._abort)

    def _abort(self) -> None:
        self._limit = None
        self.transport.abort()

    def _make_room(self) -> bool:
        """End the connection that has waited longest for a whole request; False if all of them are being answered."""
        waiting = [each for each in self.connections if isinstance(each, LimitedProtocol) and each.is_waiting]
        limits = {each: each._limit for each in waiting if each._limit is not None}
        if not limits:
            return False
        oldest = min(limits, key=lambda each: cast("asyncio.TimerHandle", limits[each]).when())
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True
