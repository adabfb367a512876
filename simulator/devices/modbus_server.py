"""Simulated units on the wire: pymodbus servers over TCP and over a pty that behave like real devices.

pymodbus alone would lose all but the first of several requests in one segment, answer for units that do not exist
and refuse overlong reads with a wrong code; real devices also serve only one client, or need a moment after a
connect. All of that is handled here, before the library sees a request. Registers come from `image`.
"""

import asyncio
import logging
import os
import random
import struct
import tty
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.pdu import ExceptionResponse
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from simulator.devices.faults import FaultScript
from simulator.devices.image import DeviceImage
from simulator.devices.modbus_answers import (
    DEVICE_FAILURE,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    NO_GATEWAY_ANSWER,
    FrameFormatError,
    ModbusRequest,
    build_exception_reply,
    build_reply,
    next_rtu,
    next_tcp,
)
from simulator.devices.register_image import RegisterImage
from simulator.devices.wire_faults import WIRE_FAULTS, spoil

MAX_WAITING = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """How one connection behaves. Units: real seconds."""

    max_clients: int | None = None
    connect_delay_s: float = 0.0


class SimulatedLink:
    """The units behind one TCP port or serial bus, and how they behave. `requests` counts answered requests."""

    def __init__(
        self,
        images: Sequence[DeviceImage],
        now: Callable[[], float],
        *,
        script: FaultScript | None = None,
        manners: LinkLimits | None = None,
        recorded: Sequence[RegisterImage] = (),
    ) -> None:
        self.images: Mapping[int, DeviceImage] = {image.unit.unit: image for image in images}
        self.recorded: Mapping[int, RegisterImage] = {image.unit: image for image in recorded}
        self.now = now
        self.script = script or FaultScript()
        self.manners = manners or LinkLimits()
        self.clients: set[_Handler] = set()
        self.requests = 0
        self.chance = random.Random(1)  # noqa: S311 - decides which fault comes next, guards nothing
        self._listener: asyncio.Server | None = None
        self._bus: _Bus | None = None

    async def serve_tcp(self, port: int = 0) -> int:
        """Listen on the loopback and return the port; 0 takes a free one. Raises: OSError."""
        server = _TcpServer(self, context=self._devices(), address=("127.0.0.1", port))
        # Bound here, because the library would report an occupied port only in its own log.
        listen = asyncio.get_running_loop().create_server
        self._listener = await listen(server.handle_new_connection, "127.0.0.1", port)
        return int(self._listener.sockets[0].getsockname()[1])

    def serve_rtu(self, path: Path) -> None:
        """Answer on a pty that `path` links to. Raises: OSError."""
        server = _SerialServer(self, context=self._devices(), framer=FramerType.RTU, port=str(path))
        self._bus = _Bus(path, server.handle_new_connection())

    async def close(self) -> None:
        """Stop listening and drop all clients."""
        for client in tuple(self.clients):
            client.drop()
        if self._bus is not None:
            self._bus.close()
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()
        self._listener = self._bus = None

    def _devices(self) -> list[SimDevice]:
        # The library wants a device to serve; a recorded one is answered before its registers are looked at.
        nothing = SimData(0, values=[0], datatype=DataType.REGISTERS)
        unread = [SimDevice(id=unit, simdata=[nothing]) for unit in self.recorded]
        return [*(_sim_device(image, self.now) for image in self.images.values()), *unread]


def _sim_device(image: DeviceImage, now: Callable[[], float]) -> SimDevice:
    """The unit as pymodbus keeps it; words are refreshed in place whenever somebody reads."""
    spans = sorted({(area.address, area.count) for area in image.areas})
    simdata = [SimData(address, values=[0] * count, datatype=DataType.REGISTERS) for address, count in spans]
    shown: Mapping[tuple[int, int], int] | None = None

    async def refresh(
        function: int, start: int, _address: int, _count: int, registers: list[int], new: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        nonlocal shown
        if function not in image.functions or new is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        words = image.words(now())
        if words is not shown:
            for (_, address), word in words.items():
                registers[address - start] = word
            shown = words
        return None

    return SimDevice(id=image.unit.unit, simdata=simdata, action=refresh)


class _TcpServer(ModbusTcpServer):
    def __init__(self, link: SimulatedLink, **settings: Any) -> None:
        super().__init__(**settings)
        self.link = link

    def callback_new_connection(self) -> ServerRequestHandler:
        return _Handler(self, self.link, is_rtu=False)


class _SerialServer(ModbusSerialServer):
    def __init__(self, link: SimulatedLink, **settings: Any) -> None:
        super().__init__(**settings)
        self.link = link

    def callback_new_connection(self) -> ServerRequestHandler:
        return _Handler(self, self.link, is_rtu=True)


class _Handler(ServerRequestHandler):
    """One client's connection, or the one serial bus: frames in order, one at a time."""

    def __init__(self, server: ModbusTcpServer | ModbusSerialServer, link: SimulatedLink, *, is_rtu: bool) -> None:
        super().__init__(server, None, None, None)  # type: ignore[no-untyped-call]
        self._link = link
        self._is_rtu = is_rtu
        self._bytes = bytearray()
        self._waiting: asyncio.Queue[ModbusRequest] = asyncio.Queue(MAX_WAITING)
        self._worker: asyncio.Task[None] | None = None
        self._ready_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        limit = self._link.manners.max_clients
        super().connection_made(transport)
        if limit is not None and len(self._link.clients) >= limit:
            self.close()
            return
        self._link.clients.add(self)
        self._ready_at = self.loop.time() + self._link.manners.connect_delay_s
        self._worker = asyncio.create_task(self._answer_all(), name="modbus connection")

    def callback_disconnected(self, exc: Exception | None) -> None:
        super().callback_disconnected(exc)
        self._stop()

    def drop(self) -> None:
        """Hang up."""
        self._stop()
        self.close()

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        take = next_rtu if self._is_rtu else next_tcp
        try:
            while (asked := take(self._bytes)) is not None:
                self._waiting.put_nowait(asked)
        except (FrameFormatError, asyncio.QueueFull):
            self.drop()

    def _stop(self) -> None:
        self._link.clients.discard(self)
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None

    async def _answer_all(self) -> None:
        while True:
            asked = await self._waiting.get()
            try:
                frame = await self._answer(asked)
            except (ArithmeticError, LookupError, TypeError, ValueError):
                # A value the simulator cannot show: the device fails visibly, the street continues.
                _log.exception("unit %d cannot answer", asked.unit)
                frame = build_exception_reply(asked, DEVICE_FAILURE, is_rtu=self._is_rtu)
            if frame is not None and isinstance(self.transport, asyncio.WriteTransport):
                self._link.requests += 1
                self.transport.write(frame)

    async def _answer(self, asked: ModbusRequest) -> bytes | None:
        """The frame to send back, None for silence."""
        if recorded := self._link.recorded.get(asked.unit):
            return build_reply(asked, recorded.answer(asked), unit=asked.unit, is_rtu=self._is_rtu)
        image = self._link.images.get(asked.unit)
        if image is None:
            # On a bus no unit answers; a gateway reports that the unit did not answer.
            return None if self._is_rtu else build_exception_reply(asked, NO_GATEWAY_ANSWER, is_rtu=False)
        if self.loop.time() < self._ready_at:
            return None
        at_s = image.refresh_time(self._link.now())
        fault = self._link.script.active(image.home.id, image.unit, at_s)
        sleep = self._link.script.sleeps_as(image.home.id, image.unit, at_s)
        if sleep == "silent" and not image.seen(at_s).state.power_w["solar"]:
            return None
        kind: str = fault.kind if fault else "none"
        if kind == "hostile":
            kind = self._link.chance.choice((*WIRE_FAULTS, *["none"] * len(WIRE_FAULTS)))
        if fault and kind == "slow":
            await asyncio.sleep(fault.delay_s)
        pdu = await self._look_up(asked, image)
        return spoil(asked, pdu, kind, is_rtu=self._is_rtu, chance=self._link.chance)

    async def _look_up(self, asked: ModbusRequest, image: DeviceImage) -> bytes:
        """The PDU of a device that works."""
        if not asked.is_read:
            return bytes([asked.function | 0x80, ILLEGAL_FUNCTION])
        if not 1 <= asked.count <= image.max_registers:
            return bytes([asked.function | 0x80, ILLEGAL_VALUE])
        _, request = self.framer.handleFrame(asked.frame, 0, 0)
        if request is None:
            return bytes([asked.function | 0x80, ILLEGAL_FUNCTION])
        answer = await request.datastore_update(self.server.context, asked.unit)
        if isinstance(answer, ExceptionResponse):
            return bytes([asked.function | 0x80, int(answer.exception_code)])
        # Packed here at once: the library packs register by register.
        words = answer.registers
        return struct.pack(f">BB{len(words)}H", asked.function, 2 * len(words), *words)


class _Bus(asyncio.Transport):
    """The far end of a pty, in place of the home's serial adapter. Speeds and bit times are not simulated."""

    def __init__(self, path: Path, handler: Any) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._far, self._near = os.openpty()
        tty.setraw(self._near)
        os.set_blocking(self._far, False)
        self._path = path
        self._handler = handler
        try:
            _lead(path, Path(os.ttyname(self._near)))
        except OSError:
            os.close(self._far)
            os.close(self._near)
            raise
        # The near end stays open here, so that the far end survives clients that come and go.
        self._loop.add_reader(self._far, self._read)
        handler.connection_made(self)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            self._handler.data_received(os.read(self._far, 4096))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send to whoever has the bus open; without a reader the bytes are lost, as on a real line."""
        with suppress(BlockingIOError):
            os.write(self._far, data)

    def close(self) -> None:
        """Remove the bus."""
        if self._far < 0:
            return
        self._loop.remove_reader(self._far)
        os.close(self._far)
        os.close(self._near)
        self._far = self._near = -1
        self._path.unlink(missing_ok=True)


def _lead(path: Path, pty: Path) -> None:
    """Link `path` to the pty; replaces only what an earlier bus left there, never a person's file."""
    if path.is_symlink() and path.readlink().parent == pty.parent:
        path.unlink()
    path.symlink_to(pty)
