"""Serves the socket of a paho client in a thread of its own, and reads from it only while the hub has room.

A broker may send more than the receive maximum allows (Mosquitto 2.0 does, to a client whose session has a backlog).
What is not read stays in the socket and in the broker: so what waits in the hub is bounded whatever the broker does.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import paho.mqtt.client as mqtt

log = logging.getLogger(__name__)

PACKETS_AT_ONCE: Final = 64
"""How many packets are read before writing gets its turn."""

BEAT_S: Final = 1.0
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
GOODBYE_S: Final = 5.0


class SocketLoop:
    """Connects again and again with growing pauses until it is stopped.

    `may_read` says whether the hub has room, `feed` hands the client what is to be sent, `failed` hears that no
    connection came about. All three are called in the thread. `pauses` counts how often reading was put off.
    """

    def __init__(
        self,
        client: mqtt.Client,
        *,
        may_read: Callable[[], bool],
        feed: Callable[[], None],
        failed: Callable[[], None],
    ) -> None:
        self._client = client
        self._may_read = may_read
        self._feed = feed
        self._failed = failed
        self._ears, self._bell = socket.socketpair()
        for each in (self._ears, self._bell):
            each.setblocking(False)
        self._stopping = threading.Event()
        self._packets = 0
        self._pause_s = FIRST_PAUSE_S
        self._is_paused = False
        self.pauses = 0
        # Without it the client would write in whichever thread acknowledges or publishes.
        client.on_socket_register_write = lambda *_: self.wake()
        self._thread = threading.Thread(target=self._serve, name="broker-link", daemon=True)

    def start(self) -> None:
        """Begin to connect. The client must have been told where to, by `connect_async`."""
        self._thread.start()

    def stop(self) -> None:
        """Send what the client still holds, disconnect and end the thread."""
        self._stopping.set()
        self.wake()
        self._thread.join(2 * GOODBYE_S)

    def wake(self) -> None:
        """Say that there is something to write, or room to read again."""
        # Full of calls that were not heard yet: one is enough. Closed: the thread has ended, and nobody is to be woken.
        with suppress(OSError):
            self._bell.send(b"!")

    def note_connected(self) -> None:
        """Called when the broker has accepted the hub: after that, the pauses begin short again."""
        self._pause_s = FIRST_PAUSE_S

    def note_packet(self) -> None:
        """Called for each message that was read: whoever reads one looks at once for the next."""
        self._packets += 1

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                self._client.reconnect()
            except (OSError, ValueError):
                self._failed()
            while self._client.socket() is not None and not self._stopping.is_set():
                self._once()
            if not self._stopping.wait(self._pause_s):
                self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._say_goodbye()

    def _once(self) -> None:
        self._feed()
        link: Any = self._client.socket()
        if link is None:
            return
        may_read = self._may_read()
        self.pauses += not may_read and not self._is_paused
        self._is_paused = not may_read
        has_pending = may_read and hasattr(link, "pending") and link.pending() > 0
        writing = [link] if self._client.want_write() else []
        try:
            readable, writable, _ = select.select(
                [self._ears, link] if may_read else [self._ears], writing, [], 0 if has_pending else BEAT_S
            )
        except (OSError, ValueError):
            self._client.loop_misc()
            return
        if self._ears in readable:
            with suppress(BlockingIOError):
                self._ears.recv(4096)
        if link in readable or has_pending:
            self._read()
        if (writable or self._ears in readable) and self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()

    def _read(self) -> None:
        for _ in range(PACKETS_AT_ONCE):
            before = self._packets
            if self._client.loop_read() or self._packets == before or not self._may_read():
                return

    def _say_goodbye(self) -> None:
        until_s = time.monotonic() + GOODBYE_S
        self._feed()
        self._client.disconnect()
        while (link := self._client.socket()) is not None and time.monotonic() < until_s:
            with suppress(OSError, ValueError):
                select.select([], [link], [], BEAT_S)
            if self._client.loop_write():
                break
        for each in (self._ears, self._bell):
            each.close()
