"""HTTP connections with limits: how many, how long a request may take to arrive, how long an answer may go unread."""

import asyncio
from typing import ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS: Final = 256
"""With the broker's, the store's and the log's files this stays far below the 1,024 files a process may open."""

REQUEST_WITHIN_S: Final = 10.0
"""A form holds at most 64 KB: over any line that carries a page it arrives within this time."""

UNREAD_FOR_S: Final = 60.0
_OWES_A_REQUEST: Final = ("IDLE", "SEND_BODY")


class LimitedProtocol(H11Protocol):
    """One connection. A request that is not whole in time ends it, and so does a client that does not read its answer.

    When there are too many, the one that has waited longest for a whole request makes room: who only holds
    connections open keeps nobody out.
    """

    most_connections = MOST_CONNECTIONS
    request_within_s = REQUEST_WITHIN_S
    unread_for_s = UNREAD_FOR_S

    _limited: ClassVar[dict["LimitedProtocol", None]] = {}
    """The connections with a time limit running, the longest first."""

    _limit: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the client still owes a whole request."""
        return repr(self.conn.their_state) in _OWES_A_REQUEST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= self.most_connections and not self._make_room():
            # Nothing was set up yet, so the parent class must not see this connection end.
            transport.abort()
            return
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_limit()
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
        self._start_limit(self.unread_for_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_limit()
        self._watch()

    def _watch(self) -> None:
        """Give a request that is not whole its time limit; the time runs from its first byte, not from its last."""
        if self.transport is None or self.transport.is_closing() or self.flow.write_paused:
            return
        if not self.is_waiting:
            self._stop_limit()
        elif self._limit is None:
            self._start_limit(self.request_within_s)

    def _start_limit(self, within_s: float) -> None:
        self._stop_limit()
        self._limit = self.loop.call_later(within_s, self._end)
        self._limited[self] = None

    def _stop_limit(self) -> None:
        self._limited.pop(self, None)
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _end(self) -> None:
        self._stop_limit()
        self.connections.discard(self)
        self.transport.abort()

    def _make_room(self) -> bool:
        """End the connection that has waited longest for a whole request; False if all of them are being answered."""
        own = (each for each in self._limited if each.connections is self.connections)
        oldest = next((each for each in own if each.is_waiting), None)
        if oldest is not None:
            oldest._end()
        return oldest is not None
