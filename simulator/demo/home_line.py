"""A home's line to the co-op's broker: MQTT forwarded on this computer, disturbed by a script and repaired later.

A cut line refuses nothing and answers nothing: what was sent waits in it, as behind a router that has stopped. It
reads whole MQTT packets, and of a batch only its quarter hour; it has no key. Where home and broker speak TLS it has to
have both their certificates, which a line outside a demonstration has not; it still cannot sign for the home.
"""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from protocols.slots import Slot
from protocols.wire.readings import decode_batch
from protocols.wire.refusal_reasons import WireError

PUBLISH = 3
PACKET_BYTES_MAX = 1 << 20
CHUNK_BYTES = 65_536
HELD_PACKETS_MAX = 1000
HERE = "127.0.0.1"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class LineFault:
    """A home's line to the hub: cut before the batch of one quarter hour passes, some batches before that damaged."""

    home: str
    cut_before: Slot
    damaged: Sequence[Slot] = ()


@dataclass(frozen=True)
class LineTls:
    """What a line needs where home and hub speak TLS: how it shows itself to the home as the broker, and to the broker
    as the home; and the hub's port where the home enrolled, which is behind the same line."""

    to_home: ssl.SSLContext
    to_broker: ssl.SSLContext
    enrol_port: int


class HomeLine:
    """Forwards to the broker until the batch of `cut_before` would pass; from then on everything waits for `mend`.

    The batches of the quarter hours in `damaged` pass once with one bit flipped: the sender has to notice.
    """

    def __init__(
        self, *, broker_port: int, cut_before: Slot, damaged: Iterable[Slot] = (), tls: LineTls | None = None
    ) -> None:
        self._broker_port = broker_port
        self._tls = tls
        self._servers: list[asyncio.Server] = []
        self._cut_before: Slot | None = cut_before
        self._to_damage = set(damaged)
        self._is_whole = asyncio.Event()
        self._is_whole.set()
        self.port = 0
        self.enrol_port = 0
        self.damaged = 0

    @property
    def is_cut(self) -> bool:
        """Whether the line is cut."""
        return not self._is_whole.is_set()

    def mend(self) -> None:
        """Let everything pass from now on. Call it in the thread of the line's loop."""
        self._cut_before = None
        self._is_whole.set()

    async def listen(self) -> None:
        """Serve on free ports of the loopback, kept in `port` and, with TLS, in `enrol_port`."""
        context = None if self._tls is None else self._tls.to_home
        self.port = await self._listen(self._serve, context)
        if self._tls is not None:
            self.enrol_port = await self._listen(self._serve_enrolment, None)

    async def _listen(self, serve: Serve, context: ssl.SSLContext | None) -> int:
        server = await asyncio.start_server(serve, HERE, 0, ssl=context)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()

    async def _serve_enrolment(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forwards what it cannot read."""
        assert self._tls is not None
        try:
            await self._is_whole.wait()
            from_hub, to_hub = await asyncio.open_connection(HERE, self._tls.enrol_port)
            try:
                await _until_one_ends(self._carry(reader, to_hub), self._carry(from_hub, writer))
            finally:
                to_hub.close()
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packets: asyncio.Queue[bytes] = asyncio.Queue(HELD_PACKETS_MAX)
        try:
            # While the line is cut the sender is still read, so that a connection it closed is noticed.
            await _until_one_ends(self._read(reader, packets), self._connect(packets, writer))
        finally:
            writer.close()

    async def _connect(self, packets: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
        await self._is_whole.wait()
        context = None if self._tls is None else self._tls.to_broker
        from_broker, to_broker = await asyncio.open_connection(HERE, self._broker_port, ssl=context)
        try:
            await _until_one_ends(self._send(packets, to_broker), self._carry(from_broker, writer))
        finally:
            to_broker.close()

    async def _read(self, reader: asyncio.StreamReader, packets: asyncio.Queue[bytes]) -> None:
        held = bytearray()
        while chunk := await reader.read(CHUNK_BYTES):
            held += chunk
            while packet := pop_packet(held):
                await packets.put(packet)

    async def _send(self, packets: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
        while True:
            packet = self._disturbed(await packets.get())
            await self._is_whole.wait()
            writer.write(packet)
            await writer.drain()

    def _disturbed(self, packet: bytes) -> bytes:
        slot = batch_slot(packet) if self._cut_before is not None else None
        if slot is None or self._cut_before is None:
            return packet
        if slot >= self._cut_before:
            self._cut_before = None
            self._is_whole.clear()
        elif slot in self._to_damage:
            self._to_damage.remove(slot)
            self.damaged += 1
            middle = len(packet) // 2
            return packet[:middle] + bytes([packet[middle] ^ 1]) + packet[middle + 1 :]
        return packet

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            await self._is_whole.wait()
            writer.write(chunk)
            await writer.drain()


class HomeLines:
    """The disturbed lines of a street, all in one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lines: list[HomeLine] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="home-lines", daemon=True)
        self._thread.start()

    def add(
        self, *, broker_port: int, cut_before: Slot, damaged: Iterable[Slot] = (), tls: LineTls | None = None
    ) -> HomeLine:
        """A new line that listens."""
        line = HomeLine(broker_port=broker_port, cut_before=cut_before, damaged=damaged, tls=tls)
        asyncio.run_coroutine_threadsafe(line.listen(), self._loop).result()
        self._lines.append(line)
        return line

    def mend(self, line: HomeLine) -> None:
        """Repair the line. May be called from any thread."""
        self._loop.call_soon_threadsafe(line.mend)

    def close(self) -> None:
        """Close all connections and end the thread."""
        asyncio.run_coroutine_threadsafe(_end_all(self._lines), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def pop_packet(held: bytearray) -> bytes | None:
    """Remove one complete control packet from the front of the buffer; None while it is incomplete.

    Raises: ValueError for a length over PACKET_BYTES_MAX or of more than four bytes. Source: MQTT 5, section 2.1.4.
    """
    length = 0
    for place in range(1, 5):
        if place >= len(held):
            return None
        length |= (held[place] & 0x7F) << 7 * (place - 1)
        if held[place] < 0x80:
            end = place + 1 + length
            if end > PACKET_BYTES_MAX:
                raise ValueError(f"an MQTT packet of {end} bytes")
            if len(held) < end:
                return None
            packet = bytes(held[:end])
            del held[:end]
            return packet
    raise ValueError("an MQTT packet whose length has more than four bytes")


def batch_slot(packet: bytes) -> Slot | None:
    """The quarter hour of the batch that a packet publishes; None for any other packet. Source: MQTT 5, section 3.3."""
    if packet[0] >> 4 != PUBLISH:
        return None
    at = 1 + _number_size(packet, 1)
    end = at + 2 + int.from_bytes(packet[at : at + 2])
    topic, at = packet[at + 2 : end], end + (2 if packet[0] & 0x06 else 0)
    at += _number_size(packet, at) + _number(packet, at)
    if not topic.endswith(b"/batch"):
        return None
    try:
        return decode_batch(cbor2.loads(packet[at:]).value[2]).slot
    except (WireError, ValueError, TypeError, AttributeError, IndexError):
        return None  # not a batch: pass it on


def _number_size(packet: bytes, at: int) -> int:
    return next(size for size in range(1, 5) if packet[at + size - 1] < 0x80)


def _number(packet: bytes, at: int) -> int:
    return sum((packet[at + place] & 0x7F) << 7 * place for place in range(_number_size(packet, at)))


async def _until_one_ends(*works: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        # Lines break; whoever used this one connects again.
        await asyncio.gather(*tasks, return_exceptions=True)


async def _end_all(lines: Iterable[HomeLine]) -> None:
    for line in lines:
        line.close()
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
