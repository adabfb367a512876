"""Makes the library's client for a connection: TCP, UDP, TLS, serial RTU and ASCII, also over TCP. Opens nothing."""

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
Client = AsyncModbusTcpClient | AsyncModbusUdpClient | AsyncModbusSerialClient
Watch = Callable[[bool, bytes], bytes]


def make_client(endpoint: Endpoint, line: LineSettings, watch: Watch, garbled: Callable[[], None]) -> Client:
    """A client that shows every packet to `watch` and never retries or reconnects by itself.

    `garbled` is called for bytes the library cannot take. Raises LinkBrokenError for a certificate it cannot read.
    """
    client = _client(endpoint, line)
    for response in _RESPONSES:
        client.register(response)
    _Ears(client, watch, garbled, may_echo=not endpoint.has_numbers)
    return client


async def ask(client: Client, question: Question, within_s: float) -> ModbusPDU:
    """One request of the library and its answer, without its turn-taking and its retries: the link has its own.

    Raises: TimeoutError, ModbusException for what is no answer, OSError.
    """
    ctx, loop = client.ctx, asyncio.get_running_loop()
    answer: asyncio.Future[ModbusPDU] = loop.create_future()
    request = _REQUESTS[question.function](address=question.address, count=question.count, dev_id=question.unit)
    request.transaction_id = ctx.getNextTID()
    ctx.response_future = answer
    limit = loop.call_later(within_s, _give_up, answer)
    try:
        ctx.pdu_send(request)
        return await answer
    finally:
        limit.cancel()


def _give_up(answer: asyncio.Future[ModbusPDU]) -> None:
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
    """What a client hears: without the echo of some adapters, and nothing that makes the library fail."""

    def __init__(self, client: Client, watch: Watch, garbled: Callable[[], None], *, may_echo: bool) -> None:
        self._ctx, self._take = client.ctx, partial(client.ctx.datagram_received, addr=None)
        self._watch, self._garbled, self._may_echo = watch, garbled, may_echo
        self._sent = self._held = b""
        self._ctx.trace_packet = self._notice
        self._ctx.data_received = self._hear  # type: ignore[method-assign]
        self._ctx.datagram_received = self._hear_packet  # type: ignore[method-assign]

    def _notice(self, is_sending: bool, packet: bytes) -> bytes:
        if is_sending and self._may_echo:
            self._sent, self._held = packet, b""
        return self._watch(is_sending, packet)

    def _hear(self, data: bytes) -> None:
        heard = self._without_echo(data) if self._sent else data
        if not heard:
            return
        try:
            self._take(heard)
        except (ModbusException, ValueError, LookupError, struct.error):
            self._garbled()
            if not self._ctx.response_future.done():
                self._ctx.response_future.set_exception(ModbusException("garbage"))

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


def _client(endpoint: Endpoint, line: LineSettings) -> Client:
    if endpoint.is_serial:
        return AsyncModbusSerialClient(
            endpoint.path,
            framer=FramerType.ASCII if endpoint.wire == "ascii" else FramerType.RTU,
            baudrate=endpoint.baud or line.baud,
            parity=endpoint.parity or line.parity,
            bytesize=line.bits,
            stopbits=endpoint.stop or line.stop,
            timeout=line.timeout_s,
            retries=0,
            reconnect_delay=0,
        )
    framers = {"rtu+tcp": FramerType.RTU, "ascii+tcp": FramerType.ASCII}
    make = AsyncModbusUdpClient if endpoint.wire == "udp" else AsyncModbusTcpClient
    client = make(
        endpoint.host,
        port=endpoint.port,
        framer=framers.get(endpoint.wire, FramerType.SOCKET),
        timeout=line.timeout_s,
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
