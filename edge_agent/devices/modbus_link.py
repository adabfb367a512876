"""Modbus over TCP, serial RTU and RTU over TCP: the only module that uses pymodbus. It can read, never write.

pymodbus passes on late, duplicate and short answers as good ones. So: one request at a time, no retry inside the
library, the count is checked, and after anything odd the connection is closed, left quiet and opened again.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import termios
import time
from collections.abc import Awaitable, Callable

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from edge_agent.devices.line import (
    DeviceBusyError,
    LineSettings,
    LinkBrokenError,
    NoAnswerError,
    ReadRefusedError,
)
from edge_agent.settings import Endpoint

HOLDING, INPUT = 3, 4
BUSY_CODES = frozenset({5, 6})
MAX_DRAINS = 20
TCP_BUFFER_BYTES = 8192


class ModbusLink:
    """One connection to one host or serial bus, opened when first needed.

    `requests` counts what was sent, `opened` how often the connection was made.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        line: LineSettings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoint = endpoint
        self.line = line
        self.requests = 0
        self.opened = 0
        self._sleep = sleep
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None
        self._free_at = 0.0
        self._is_asking = False
        self._stray_bytes = 0
        self._wrong_frame = False

    async def read_words(self, unit: int, function: int, *, address: int, count: int) -> list[int]:
        """`count` registers from `address` of one device, read with function 3 or 4.

        Raises: NoAnswerError, DeviceBusyError, ReadRefusedError, LinkBrokenError. After the first and the last
        the connection is closed; the next read waits until a late answer can no longer arrive, then opens it again.
        """
        if function not in (HOLDING, INPUT):
            raise ValueError(f"function {function} does not read registers")
        async with self._lock:
            client = await self._ready()
            self._free_at = self._monotonic() + self.line.request_gap_s
            try:
                answer = await self._ask(client, unit, function=function, address=address, count=count)
                _raise_lost_cancel()
                return self._words(answer, unit, function=function, count=count)
            except (NoAnswerError, LinkBrokenError):
                self._drop()
                _raise_lost_cancel()
                raise
            except BaseException:
                # Cancelled during a request: the answer may still arrive and would be taken for the next one's.
                if self._is_asking:
                    self._drop()
                raise
            finally:
                self._is_asking = False
                self._free_at = max(self._free_at, self._monotonic() + self.line.request_gap_s)

    async def close(self) -> None:
        """Close the connection for good."""
        async with self._lock:
            self._close_client()

    async def _ready(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        """An open connection that may send now and owes no answer."""
        wait_s = self._free_at - self._monotonic()
        if wait_s > 0:
            await self._sleep(wait_s)
        if self._client is not None and (self._stray_bytes or not self._client.connected):
            # Unrequested bytes: a duplicate or late answer. The next answer could not be told apart from it.
            self._drop()
            await self._sleep(max(0.0, self._free_at - self._monotonic()))
        if self._client is None:
            self._client = await self._open()
        return self._client

    async def _open(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        client = self._make_client()
        try:
            opened = await client.connect()
            _raise_lost_cancel()
        except asyncio.CancelledError:
            client.close()
            raise
        except (OSError, ModbusException, RuntimeError, ValueError, termios.error) as cause:
            # termios.error is not an OSError: the adapter lacks this parity, or was just unplugged.
            client.close()
            raise LinkBrokenError(f"cannot connect to {self.endpoint.shown}: {_reason(cause)}") from None
        if not opened:
            client.close()
            raise LinkBrokenError(
                f"cannot connect to {self.endpoint.shown}: is it connected, and not in use by another program?"
            )
        try:
            if self.line.connect_delay_s:
                await self._sleep(self.line.connect_delay_s)
            await self._drain()
        except BaseException:
            # Nobody else knows this connection yet: left open it would keep the only place of a one-client device.
            client.close()
            raise
        self.opened += 1
        return client

    async def _drain(self) -> None:
        """A serial bus outlives the connection: wait until it has been quiet for a moment."""
        if self.endpoint.wire == "tcp":
            self._stray_bytes = 0
            return
        quiet_s = max(0.005, 40.0 / self.line.baud) if self.endpoint.wire == "rtu" else 0.005
        for _ in range(MAX_DRAINS):
            self._stray_bytes = 0
            await self._sleep(quiet_s)
            if not self._stray_bytes:
                return
        raise LinkBrokenError(f"{self.endpoint.shown} is never quiet: is another program using this bus?")

    def _make_client(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        line, endpoint = self.line, self.endpoint
        if endpoint.wire == "rtu":
            return AsyncModbusSerialClient(
                endpoint.path,
                baudrate=endpoint.baud or line.baud,
                parity=endpoint.parity or line.parity,
                bytesize=line.bits,
                stopbits=endpoint.stop or line.stop,
                timeout=line.timeout_s,
                retries=0,
                reconnect_delay=0,
                trace_packet=self._watch,
            )
        framer = FramerType.SOCKET if endpoint.wire == "tcp" else FramerType.RTU
        client = AsyncModbusTcpClient(
            endpoint.host,
            port=endpoint.port,
            framer=framer,
            timeout=line.timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._watch,
        )
        if endpoint.wire == "tcp":
            # The library discards everything received once it is more than one frame: a stray answer in front of
            # the right one would lose the right one, and the next stray one be taken for it.
            client.ctx.max_buffer_size = TCP_BUFFER_BYTES
        return client

    def _watch(self, is_sending: bool, packet: bytes) -> bytes:
        if is_sending or not packet:
            return packet
        if not self._is_asking:
            self._stray_bytes += len(packet)
        elif self.endpoint.wire == "tcp" and len(packet) >= 2 and packet[:2] == b"\0\0":
            # pymodbus accepts transaction 0 for any request; we never send one numbered 0.
            self._wrong_frame = True
        return packet

    async def _ask(
        self,
        client: AsyncModbusTcpClient | AsyncModbusSerialClient,
        unit: int,
        *,
        function: int,
        address: int,
        count: int,
    ) -> ModbusPDU:
        read = client.read_holding_registers if function == HOLDING else client.read_input_registers
        self._is_asking, self._wrong_frame = True, False
        self.requests += 1
        try:
            # The library waits `timeout_s` for the answer; the outer limit holds whatever happens inside it.
            async with asyncio.timeout(self.line.timeout_s * 1.5 + 0.2):
                answer = await read(address, count=count, device_id=unit)
        except TimeoutError:
            raise NoAnswerError("no answer in time") from None
        except ModbusException:
            if client.connected:
                raise NoAnswerError("no answer in time") from None
            raise LinkBrokenError("the other side closed the connection instead of answering") from None
        except (OSError, termios.error) as cause:
            raise LinkBrokenError(f"connection lost: {_reason(cause)}") from None
        self._is_asking = False
        return answer

    def _words(self, answer: ModbusPDU, unit: int, *, function: int, count: int) -> list[int]:
        if self._wrong_frame:
            raise LinkBrokenError("an answer to no request of ours")
        if isinstance(answer, ExceptionResponse):
            if answer.exception_code in BUSY_CODES:
                raise DeviceBusyError("the device is busy")
            if answer.exception_code in (10, 11):
                raise NoAnswerError("the gateway cannot reach the device")
            raise ReadRefusedError(answer.exception_code)
        if answer.function_code != function or answer.dev_id != unit:
            raise LinkBrokenError("an answer to another request")
        if len(answer.registers) != count:
            raise LinkBrokenError(f"{len(answer.registers)} registers where {count} were asked for")
        return list(answer.registers)

    def _drop(self) -> None:
        """Close, and stay quiet until anything still in transit must have arrived."""
        self._close_client()
        self._free_at = self._monotonic() + self.line.timeout_s

    def _close_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _reason(cause: BaseException) -> str:
    """Why, in the system's words or ours; what a library writes about itself helps nobody."""
    number = getattr(cause, "errno", None) or (cause.args[0] if cause.args else None)
    if isinstance(cause, socket.gaierror):
        return "no such host name"
    if isinstance(number, int) and number in errno.errorcode:
        return os.strerror(number)
    if isinstance(cause, ValueError | termios.error):
        return "this adapter does not take these serial settings (baud, parity, stop)"
    return "is it switched on, and not in use by another program?"


def _raise_lost_cancel() -> None:
    """Raise the cancellation that the library swallows when it arrives together with a connection or an answer.

    asyncio.wait_for of Python 3.11 loses it then, and the agent would go on reading instead of stopping.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
