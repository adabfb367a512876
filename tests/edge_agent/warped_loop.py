"""An event loop whose time passes only while nothing is left to do, and a connection without a socket.

Waiting costs nothing, so that a million exchanges with their time-outs take minutes. The library's framing is the real
one.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from edge_agent.devices.line import LineSettings
from edge_agent.devices.modbus_client import Client, Watch
from edge_agent.settings import Endpoint

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Looks, never waits: the time it should have waited is added to the clock."""

    now_s = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen any more")
        if not ready:
            self.now_s += timeout or 0.0
        return ready


class WarpedLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on its own clock."""

    def __init__(self) -> None:
        self._warp = _Selector()
        super().__init__(self._warp)

    def time(self) -> float:
        return self._warp.now_s

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        """Every name is known, and no thread is waited for: its end would not count as something left to do."""
        return []


def run_warped(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end; an error that only the loop saw fails too."""
    loop = WarpedLoop()
    failures: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    try:
        asyncio.set_event_loop(loop)
        result = loop.run_until_complete(make())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert not failures, failures[0]
    return result


class FarEnd(Protocol):
    """What a connection leads to."""

    def accept(self, wire: "Wire") -> None:
        """A client connects. Raises OSError to refuse it."""

    def receive(self, data: bytes, wire: "Wire") -> None:
        """The client sent this."""


class Wire(asyncio.Transport):
    """A connection in memory."""

    def __init__(self, far: FarEnd, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._far, self._protocol = far, protocol
        self._loop = asyncio.get_running_loop()
        self._is_closed = False
        self._passing_until_s = 0.0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._is_closed:
            self._far.receive(bytes(data), self)

    def is_closing(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def deliver(self, data: bytes, delay_s: float = 0.0) -> None:
        """A frame that reaches the client after a while, if it is still there."""
        self._loop.call_later(delay_s, self._arrive, data, False)

    def deliver_pieces(self, pieces: Sequence[bytes], gap_s: float) -> None:
        """One frame in pieces; other frames wait until it has passed, as on any one connection."""
        self._passing_until_s = self._loop.time() + len(pieces) * gap_s
        for at, piece in enumerate(pieces):
            self._loop.call_later(at * gap_s, self._arrive, piece, True)

    def _arrive(self, data: bytes, is_piece: bool) -> None:
        if self._is_closed:
            return
        if not is_piece and self._loop.time() < self._passing_until_s:
            self._loop.call_at(self._passing_until_s, self._arrive, data, False)
            return
        self._protocol.data_received(data)


def wired_to(far: FarEnd) -> Callable[[Endpoint, LineSettings, Watch, Callable[[], None]], Client]:
    """A maker of clients for ModbusLink that connects them to this far end."""

    def make(endpoint: Endpoint, line: LineSettings, watch: Watch, garbled: Callable[[], None]) -> Client:
        client = Client(endpoint, line, watch, garbled)

        async def create() -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
            protocol = client.ctx.handle_new_connection()
            wire = Wire(far, protocol)
            far.accept(wire)
            protocol.connection_made(wire)
            return wire, protocol

        client.ctx.call_create = create
        return client

    return make
