"""The library's client for a connection: TCP, UDP, TLS, serial RTU and ASCII, also over TCP."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import struct
import termios
from collections.abc import Callable
from functools import partial
from typing import Any

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient, AsyncModbusUdpClient
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
)

from edge_agent.devices.line import LineSettings, LinkBrokenError
from edge_agent.devices.owed import Question
from edge_agent.settings import Endpoint

BUFFER_BYTES = 8192
NAME_LIMIT_S = 2.0
_LibraryClient = AsyncModbusTcpClient | AsyncModbusUdpClient | AsyncModbusSerialClient
Watch = Callable[[bool, bytes], bytes]
Answer = tuple[int, ...] | ModbusPDU
"""The words of an answer that fits its question in every byte, or what the library made of any other."""


class Client:
    """The library's client, showing every packet to `watch`; it never retries or reconnects by itself.

    `garbled` is called for bytes the library cannot take. Raises LinkBrokenError for a certificate it cannot read.
    """

    def __init__(self, endpoint: Endpoint, line: LineSettings, watch: Watch, garbled: Callable[[], None]) -> None:
        self._client = _client(endpoint, line)
        for response in _RESPONSES:
            self._client.register(response)
        self.ctx = self._client.ctx
        self._ears = _Ears(self.ctx, watch, garbled, may_echo=not endpoint.has_numbers)
        self._is_numbered = endpoint.has_numbers
        self._frames: dict[Question, bytes] = {}

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        return self.ctx.transport is not None

    async def connect(self) -> bool:
        """Open the connection; whether that was possible."""
        return await self._client.connect()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    async def ask(self, question: Question, within_s: float) -> Answer:
        """One request and its answer, without the library's turn-taking and its retries: the link has its own.

        Raises: TimeoutError, ModbusException for what is no answer, OSError.
        """
        ctx, loop = self.ctx, asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        ctx.request_dev_id, ctx.request_transaction_id = question.unit, ctx.getNextTID()
        ctx.response_future = answer
        frame = self._frame(question)
        if self._is_numbered:
            frame = ctx.request_transaction_id.to_bytes(2, "big") + frame[2:]
            self._ears.expect(frame, question)
        limit = loop.call_later(within_s, _give_up, answer)
        try:
            ctx.send(ctx.trace_packet(True, frame))
            return await answer
        finally:
            self._ears.expected = b""
            limit.cancel()

    def _frame(self, question: Question) -> bytes:
        """The request as the library writes it, without a number: a meter is asked the same all day."""
        frame = self._frames.get(question)
        if frame is None:
            unit, function, address, count = question
            request = _REQUESTS[function](address=address, count=count, dev_id=unit)
            frame = self._frames[question] = self.ctx.framer.buildFrame(request)
        return frame


def _give_up(answer: asyncio.Future[Answer]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())


class _HoldingWords(ReadHoldingRegistersResponse):
    """The library's answer, its registers unpacked at once; its text is made for each answer, and nobody reads it."""

    def decode(self, data: bytes) -> None:
        """Take the registers. Raises: IndexError, struct.error for an answer that ends too early, as the library."""
        self.registers = struct.unpack_from(f">{data[0] // 2}H", data, 1)

    def __str__(self) -> str:
        return "registers"


class _InputWords(_HoldingWords):
    """The same of input registers."""

    function_code = 4


_ANSWER = struct.Struct(">HBBB")
_WORDS = [struct.Struct(f">{count}H") for count in range(126)]
_RESPONSES = (_HoldingWords, _InputWords)
_REQUESTS = {3: ReadHoldingRegistersRequest, 4: ReadInputRegistersRequest}


class _Receiver(asyncio.BufferedProtocol):
    """Receives for a client into one small buffer. For any other, asyncio takes 256 kB from the system for each answer.

    That was a third of what a request costs.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._protocol.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._protocol.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the system puts what arrived."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """This many bytes arrived."""
        self._protocol.data_received(bytes(self._buffer[:nbytes]))


class _Ears:
    """What a client hears: without the echo of some adapters, and nothing that makes the library fail.

    An answer that is byte for byte what was asked for needs no library; whatever else arrives is left to it.
    """

    def __init__(self, ctx: Any, watch: Watch, garbled: Callable[[], None], *, may_echo: bool) -> None:
        self._ctx, self._take = ctx, partial(ctx.datagram_received, addr=None)
        self._watch, self._garbled, self._may_echo = watch, garbled, may_echo
        self._sent = self._held = self.expected = b""
        self._count = 0
        ctx.trace_packet = self._notice
        ctx.data_received = self._hear
        ctx.datagram_received = self._hear_packet

    def expect(self, frame: bytes, question: Question) -> None:
        """How the answer to this numbered request begins: number, length, unit, function and count of bytes."""
        self._count = question.count
        length = 2 * self._count
        self.expected = frame[:4] + _ANSWER.pack(length + 3, question.unit, question.function, length & 0xFF)

    def _notice(self, is_sending: bool, packet: bytes) -> bytes:
        if is_sending and self._may_echo:
            self._sent, self._held = packet, b""
        return self._watch(is_sending, packet)

    def _hear(self, data: bytes) -> None:
        if self.expected and self._is_expected(data):
            self._watch(False, data)
            self._ctx.response_future.set_result(_WORDS[self._count].unpack_from(data, len(self.expected)))
            return
        heard = self._without_echo(data) if self._sent else data
        if not heard:
            return
        try:
            self._take(heard)
        except (ModbusException, ValueError, LookupError, struct.error):
            self._garbled()
            if not self._ctx.response_future.done():
                self._ctx.response_future.set_exception(ModbusException("garbage"))

    def _is_expected(self, data: bytes) -> bool:
        """Whether this is the whole answer, the first one, and behind nothing else."""
        is_whole = data.startswith(self.expected) and len(data) == len(self.expected) + 2 * self._count
        return is_whole and not self._ctx.recv_buffer and not self._ctx.response_future.done()

    def _hear_packet(self, data: bytes, addr: tuple[Any, ...] | None) -> None:
        """A packet over UDP; `addr` is the address asked, the system passes on no other's."""
        self._hear(data)

    def _without_echo(self, data: bytes) -> bytes:
        """The bytes behind the frame just sent. Until all of it was heard again, or something else, they are held."""
        self._held += data
        if self._sent.startswith(self._held) and self._held != self._sent:
            return b""
        behind = self._held.removeprefix(self._sent)
        self._sent = self._held = b""
        return behind


def _client(endpoint: Endpoint, line: LineSettings) -> _LibraryClient:
    """The library's time-out serves for connecting alone: `Client.ask` has its own for an answer."""
    if endpoint.is_serial:
        return AsyncModbusSerialClient(
            endpoint.path,
            framer=FramerType.ASCII if endpoint.wire == "ascii" else FramerType.RTU,
            baudrate=endpoint.baud or line.baud,
            parity=endpoint.parity or line.parity,
            bytesize=line.bits,
            stopbits=endpoint.stop or line.stop,
            timeout=line.connect_limit_s,
            retries=0,
            reconnect_delay=0,
        )
    framers = {"rtu+tcp": FramerType.RTU, "ascii+tcp": FramerType.ASCII}
    make = AsyncModbusUdpClient if endpoint.wire == "udp" else AsyncModbusTcpClient
    client = make(
        endpoint.host,
        port=endpoint.port,
        framer=framers.get(endpoint.wire, FramerType.SOCKET),
        timeout=line.connect_limit_s,
        retries=0,
        reconnect_delay=0,
    )
    if endpoint.has_numbers:
        # The library discards everything received once it is more than one frame: a stray answer in front of
        # the right one would lose the right one, and the next stray one be taken for it.
        client.ctx.max_buffer_size = BUFFER_BYTES
    if endpoint.wire != "udp":
        client.ctx.call_create = partial(_connect, endpoint, client.ctx.handle_new_connection)
    if endpoint.wire == "tls+tcp":
        # Its own TLS client takes whatever arrives for one frame; this one measures each frame.
        client.ctx.call_create = partial(_connect_tls, endpoint, client.ctx.handle_new_connection)
    return client


async def _connect(
    endpoint: Endpoint, make_protocol: Callable[[], asyncio.BaseProtocol]
) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
    loop = asyncio.get_running_loop()
    return await loop.create_connection(lambda: _Receiver(make_protocol()), endpoint.host, endpoint.port)


async def _connect_tls(
    endpoint: Endpoint, make_protocol: Callable[[], asyncio.BaseProtocol]
) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
    try:
        return await asyncio.get_running_loop().create_connection(
            make_protocol,
            endpoint.host,
            endpoint.port,
            ssl=_trust(endpoint.certificate),
            server_hostname=endpoint.host,
        )
    except ssl.SSLError as cause:
        # The library would say no more than that it could not connect.
        raise LinkBrokenError(f"cannot connect to {endpoint.shown}: {reason_of(cause)}") from None


def _trust(certificate: str) -> ssl.SSLContext:
    """Trust this one certificate and no authority: a device at home has no public name to be certified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cafile=certificate)
    except (OSError, ssl.SSLError) as cause:
        why = "no certificate in it" if isinstance(cause, ssl.SSLError) else cause.strerror
        raise LinkBrokenError(f"{certificate}: {why}: save the device's certificate there as PEM text") from None
    return context


async def unopened_reason(endpoint: Endpoint) -> str:
    """Why a connection may not have come about: the library does not say that a name is unknown."""
    why = "is it connected, and not in use by another program?"
    if endpoint.host:
        try:
            async with asyncio.timeout(NAME_LIMIT_S):
                await asyncio.get_running_loop().getaddrinfo(endpoint.host, endpoint.port)
        except TimeoutError:
            # Nobody said that the name is unknown, and a device must not wait for a name server.
            return f"{why} Its name {endpoint.host} could not be looked up in time; its number needs no looking up"
        except (OSError, UnicodeError):
            return f"no device or router knows the name {endpoint.host}: is it spelt right, or use its number"
    return why


def reason_of(cause: BaseException) -> str:
    """Why, in the system's words or ours; what a library writes about itself helps nobody."""
    number = getattr(cause, "errno", None) or (cause.args[0] if cause.args else None)
    if isinstance(cause, socket.gaierror):
        return "no such host name"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "it shows another certificate than the one pinned"
    if isinstance(cause, ssl.SSLError):
        return "it does not speak TLS on this port"
    if isinstance(number, int) and number in errno.errorcode:
        return os.strerror(number)
    if isinstance(cause, ValueError | termios.error):
        return "this adapter does not take these serial settings (baud, parity, stop)"
    return "is it switched on, and not in use by another program?"
