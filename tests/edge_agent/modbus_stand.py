"""Modbus devices for the agent's tests, frame by frame, so that they can misbehave as real ones do.

`Stand` serves TCP and, on a pseudo-terminal, RTU; `pymodbus_server` is a foreign server for the ordinary case.
"""

import asyncio
import contextlib
import fcntl
import os
import sys
import termios
import time
import tty
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from functools import cache

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent.devices.line import LineSettings
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.settings import Endpoint
from protocols.maps.loading import resolve_map
from protocols.maps.placement import ResolvedMap
from protocols.maps.registers import Value
from tests.protocols.maps.shipped import shipped_map


def link_to(endpoint: Endpoint, line: LineSettings) -> ModbusLink:
    """A link that goes by the clock of the loop that its device lives in too."""
    return ModbusLink(endpoint, line, monotonic=asyncio.get_running_loop().time)


ARRIVES_S = 30


@cache
def shipped(family: str) -> ResolvedMap:
    """A shipped map as the agent would place it (families without SunSpec)."""
    return resolve_map(shipped_map(family))


def meter_words(import_wh: int, export_wh: int = 0, power_w: int = 0) -> dict[tuple[int, int], int]:
    """What an SDM630 shows."""
    values: dict[str, Value] = {
        "energy_import_total": Decimal(import_wh) / 1000,
        "energy_export_total": Decimal(export_wh) / 1000,
        "active_power": Decimal(power_w),
        "voltage_l1": Decimal(230),
        "frequency": Decimal(50),
    }
    return shipped("eastron-sdm630").encode(values)


class Stand:
    """Registers behind one or more unit ids. `modes` says how the next requests are treated; then all is well.

    Modes: ok, silent, busy, refuse, short, wrong_unit, id0, double, cut, late (answers after `late_s`), fail.
    `holes` are refused, `mute` registers never answered, blocks over `longest` treated as `on_too_long`.
    """

    def __init__(self, words: dict[tuple[int, int], int] | None = None, *, units: tuple[int, ...] = (1,)) -> None:
        self.words = dict(words or {})
        self.units = units
        self.modes: deque[str] = deque()
        self.always = "ok"
        self.late_s = 0.5
        self.holes: set[tuple[int, int]] = set()
        self.mute: set[tuple[int, int]] = set()
        self.longest = 125
        self.on_too_long = "silent"
        self.requests: list[tuple[int, int, int, int]] = []
        self.connections = 0
        self.port = 0
        self.send_unasked: Callable[[int, bytes], None] | None = None
        """On a bus: puts a frame of a unit on the line at once."""

        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0) -> "Stand":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port or self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readexactly(7)
                pdu = await reader.readexactly(int.from_bytes(head[4:6]) - 1)
                await self._treat(head[6], pdu, _tcp_sender(writer, head[:2]))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _treat(self, unit: int, pdu: bytes, send: Callable[..., None]) -> None:
        function, address, count = pdu[0], int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])
        self.requests.append((unit, function, address, count))
        mode = self.modes.popleft() if self.modes else self.always
        if count > self.longest:
            mode = self.on_too_long
        elif self.mute and self.mute.intersection((function, at) for at in range(address, address + count)):
            mode = "silent"
        answer = self._answer(function, address, count)
        if mode == "silent" or unit not in self.units:
            return
        if mode == "late":
            await asyncio.sleep(self.late_s)
        elif mode == "busy":
            answer = bytes([function | 0x80, 6])
        elif mode in ("refuse", "fail"):
            answer = bytes([function | 0x80, 2 if mode == "refuse" else 4])
        elif mode == "short":
            answer = self._answer(function, address, count - 1)
        elif mode == "cut":
            raise ConnectionError
        elif mode == "id0":
            send(unit, answer, tid=b"\0\0")
            return
        send(unit + (mode == "wrong_unit"), answer)
        if mode == "double":
            await asyncio.sleep(0.002)
            send(unit, self._answer(function, address + 1, count))

    def _answer(self, function: int, address: int, count: int) -> bytes:
        wanted = [(function, at) for at in range(address, address + count)]
        if self.holes.intersection(wanted):
            return bytes([function | 0x80, 2])
        content = b"".join(self.words.get(key, 0).to_bytes(2) for key in wanted)
        return bytes([function, len(content)]) + content

    @contextlib.contextmanager
    def on_a_bus(self) -> Iterator[str]:
        """Serve RTU on a pseudo-terminal; gives the path the agent opens.

        A late answer holds up the next: a device on a bus answers one question after the other.
        """
        ours, theirs = os.openpty()
        tty.setraw(ours)
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        loop = asyncio.get_running_loop()
        buffer = bytearray()
        tasks: set[asyncio.Task[None]] = set()
        in_order = asyncio.Lock()

        async def treat(unit: int, pdu: bytes) -> None:
            async with in_order:
                await self._treat(unit, pdu, send)

        def send(unit: int, answer: bytes) -> None:
            frame = bytes([unit]) + answer
            frame += _crc(frame)
            before = _unread_bytes(theirs)
            with contextlib.suppress(OSError):
                os.write(ours, frame)
                _wait_for_unread(theirs, before + len(frame))

        def readable() -> None:
            try:
                buffer.extend(os.read(ours, 4096))
            except OSError:
                return
            while len(buffer) >= 8:
                frame = bytes(buffer[:8])
                del buffer[:8]
                assert _crc(frame[:6]) == frame[6:]
                task = loop.create_task(treat(frame[0], frame[1:6]))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        loop.add_reader(ours, readable)
        self.send_unasked = send
        try:
            yield os.ttyname(theirs)
        finally:
            loop.remove_reader(ours)
            for task in tasks:
                task.cancel()
            os.close(ours)
            os.close(theirs)


def _unread_bytes(terminal: int) -> int:
    return int.from_bytes(fcntl.ioctl(terminal, termios.FIONREAD, bytes(4)), sys.byteorder)


def _wait_for_unread(terminal: int, count: int) -> None:
    """Wait until what was written has arrived: on a busy machine the system hands it over after the next question.

    What came in after that question would be its answer to anybody; a wire is not late by more than the pause between.
    """
    ends = time.monotonic() + ARRIVES_S
    while _unread_bytes(terminal) < count:
        assert time.monotonic() < ends, "a pseudo-terminal lost a frame"
        time.sleep(0.0001)  # between two looks: a terminal says to nobody that bytes have arrived


def _tcp_sender(writer: asyncio.StreamWriter, asked: bytes) -> Callable[..., None]:
    def send(unit: int, answer: bytes, tid: bytes = asked) -> None:
        writer.write(_mbap(tid, unit, answer))

    return send


def _mbap(tid: bytes, unit: int, answer: bytes) -> bytes:
    return tid + b"\0\0" + (len(answer) + 1).to_bytes(2) + bytes([unit]) + answer


def _crc(frame: bytes) -> bytes:
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


@contextlib.asynccontextmanager
async def pymodbus_server(words: dict[tuple[int, int], int], *, unit: int = 1) -> AsyncIterator[int]:
    """A foreign Modbus TCP server with these input and holding registers; gives its port."""
    last = max(address for _, address in words) + 130

    def block(function: int) -> list[SimData]:
        values = [words.get((function, address), 0) for address in range(last)]
        return [SimData(0, values=values, datatype=DataType.REGISTERS)]

    bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    server = ModbusTcpServer(
        context=SimDevice(unit, simdata=(bits, bits, block(3), block(4))), address=("127.0.0.1", 0)
    )
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()
