"""Connections of every kind against foreign servers and odd adapters: TLS with a pinned certificate, ASCII, echoes."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer, ModbusUdpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent.devices.line import LineSettings, LinkBrokenError, NoAnswerError
from edge_agent.devices.modbus_client import Client
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.settings import Endpoint, Wire
from tests.edge_agent.hostile_device import crc16
from tests.edge_agent.modbus_stand import link_to
from tests.edge_agent.warped_loop import Wire as MemoryWire
from tests.edge_agent.warped_loop import run_warped, wired_to

VALUES = [at * 7 for at in range(200)]


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that signed itself, as devices have, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    shown, secret = folder / f"{name}.pem", folder / f"{name}.key"
    shown.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    no_password = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    secret.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password))
    return shown, secret


@contextlib.asynccontextmanager
async def served(**settings: object) -> AsyncIterator[int]:
    """A foreign server, with the framing given."""
    device = SimDevice(1, simdata=[SimData(0, values=VALUES, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(context=device, address=("127.0.0.1", 0), **settings)  # type: ignore[arg-type]
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


@pytest.mark.parametrize(("wire", "framer"), [("ascii+tcp", FramerType.ASCII), ("rtu+tcp", FramerType.RTU)])
async def test_frames_of_serial_lines_come_over_a_network_too(wire: Wire, framer: FramerType) -> None:
    async with served(framer=framer) as port:
        link = ModbusLink(Endpoint(wire, "127.0.0.1", port), LineSettings(timeout_s=2))
        assert await link.read_words(1, 3, address=10, count=100) == VALUES[10:110]
        await link.close()


async def test_a_meter_over_udp_is_read_and_a_lost_packet_is_no_answer() -> None:
    device = SimDevice(1, simdata=[SimData(0, values=VALUES, datatype=DataType.REGISTERS)])
    server = ModbusUdpServer(context=device, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    host, port = server.transport.get_extra_info("sockname")  # type: ignore[union-attr]
    link = link_to(Endpoint("udp", host, port), LineSettings(timeout_s=0.3))
    assert await link.read_words(1, 3, address=10, count=100) == VALUES[10:110]
    await server.shutdown()
    with pytest.raises(NoAnswerError):
        await link.read_words(1, 3, address=10, count=2)
    server = ModbusUdpServer(context=device, address=(host, port))
    await server.serve_forever(background=True)
    assert await link.read_words(1, 4, address=20, count=2) == VALUES[20:22]
    await link.close()
    await server.shutdown()


@contextlib.asynccontextmanager
async def served_over_tls(shown: Path, secret: Path) -> AsyncIterator[int]:
    """A server of our own behind TLS: the frames are those of Modbus TCP (Modbus/TCP Security, chapter 5)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                asked = await reader.readexactly(12)
                first, count = int.from_bytes(asked[8:10]), int.from_bytes(asked[10:])
                content = b"".join(word.to_bytes(2) for word in VALUES[first : first + count])
                pdu = bytes([3, len(content)]) + content
                writer.write(asked[:4] + (len(pdu) + 1).to_bytes(2) + asked[6:7] + pdu)
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, secret)
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_device_with_tls_is_read_if_it_shows_the_pinned_certificate(tmp_path: Path) -> None:
    shown, secret = certificate(tmp_path, "inverter")
    other, _ = certificate(tmp_path, "stranger")
    async with served_over_tls(shown, secret) as port:
        link = ModbusLink(Endpoint("tls+tcp", "127.0.0.1", port, certificate=str(shown)), LineSettings(timeout_s=5))
        assert await link.read_words(1, 3, address=10, count=100) == VALUES[10:110]
        await link.close()
        for file, words in (
            (other, "another certificate than the one pinned"),
            (tmp_path / "none.pem", "No such file"),
            (secret, "no certificate in it"),
        ):
            link = ModbusLink(Endpoint("tls+tcp", "127.0.0.1", port, certificate=str(file)), LineSettings(timeout_s=5))
            with pytest.raises(LinkBrokenError, match=words):
                await link.read_words(1, 3, address=10, count=100)


async def test_a_device_without_tls_is_said_to_speak_none(tmp_path: Path) -> None:
    shown, _ = certificate(tmp_path, "inverter")

    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"not TLS at all, and never will be")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        link = ModbusLink(Endpoint("tls+tcp", "127.0.0.1", port, certificate=str(shown)), LineSettings(timeout_s=5))
        with pytest.raises(LinkBrokenError, match="does not speak TLS on this port"):
            await link.read_words(1, 3, address=0, count=1)


class Adapter:
    """A serial adapter that hears itself, in pieces, before the meter's answer, in pieces too."""

    def __init__(self, answer: bytes, piece: int) -> None:
        self.answer, self.piece = answer, piece

    def accept(self, wire: MemoryWire) -> None:
        pass

    def receive(self, data: bytes, wire: MemoryWire) -> None:
        heard = data + self.answer
        for at in range(0, len(heard), self.piece):
            wire.deliver(heard[at : at + self.piece], 0.01 + at * 0.001)


@pytest.mark.parametrize("piece", [1, 3, 8, 13, 100])
@pytest.mark.parametrize("wire", ["rtu", "rtu+tcp"])
def test_an_adapter_that_hears_itself_is_understood(piece: int, wire: Wire) -> None:
    body = bytes.fromhex("01030401020304")

    async def read() -> list[int]:
        far = Adapter(body + crc16(body), piece)
        endpoint = Endpoint(wire, path="/dev/it") if wire == "rtu" else Endpoint(wire, "it", 502)
        link = ModbusLink(endpoint, LineSettings(), monotonic=asyncio.get_running_loop().time, make=wired_to(far))
        words = await link.read_words(1, 3, address=0x0401, count=2)
        assert (link.requests, link.opened) == (1, 1)
        await link.close()
        return words

    assert run_warped(read) == [0x0102, 0x0304]


class Meter:
    """A meter over TCP whose frames arrive as told: `pieces` of them, and `twice`."""

    def __init__(self, pieces: int, *, is_double: bool = False) -> None:
        self.pieces, self.is_double = pieces, is_double

    def accept(self, wire: MemoryWire) -> None:
        pass

    def receive(self, data: bytes, wire: MemoryWire) -> None:
        content = b"".join((0x1000 + at).to_bytes(2) for at in range(int.from_bytes(data[10:12])))
        frame = data[:4] + (len(content) + 3).to_bytes(2) + data[6:8] + bytes([len(content)]) + content
        frame += frame if self.is_double else b""
        size = -(-len(frame) // self.pieces)
        for at in range(0, len(frame), size):
            wire.deliver(frame[at : at + size], 0.01 + at * 0.001)


@pytest.mark.parametrize("is_double", [False, True])
@pytest.mark.parametrize("pieces", [1, 2, 3, 40])
@pytest.mark.parametrize("count", [1, 24, 125])
def test_a_numbered_answer_is_the_same_in_one_piece_in_many_and_with_another_behind_it(
    pieces: int, count: int, is_double: bool
) -> None:
    async def read() -> None:
        link = ModbusLink(
            Endpoint("tcp", "it", 502),
            LineSettings(),
            monotonic=asyncio.get_running_loop().time,
            make=wired_to(Meter(pieces, is_double=is_double)),
        )
        for _ in range(3):
            words = await link.read_words(1, 3, address=7, count=count)
            assert words == [0x1000 + at for at in range(count)]
            await asyncio.sleep(1)
        assert link.requests == 3
        await link.close()

    run_warped(read)


class Seamstress(Meter):
    """Answers that break off and are filled up by the next frame, to the very length that was asked for."""

    def receive(self, data: bytes, wire: MemoryWire) -> None:
        content = b"".join((0x1000 + at).to_bytes(2) for at in range(int.from_bytes(data[10:12])))
        frame = data[:4] + (len(content) + 3).to_bytes(2) + data[6:8] + bytes([len(content)]) + content
        wire.deliver((frame[:21] + frame)[: len(frame)])


def test_an_answer_filled_up_to_its_length_by_the_next_frame_is_refused() -> None:
    async def read() -> None:
        clock = asyncio.get_running_loop().time
        link = ModbusLink(Endpoint("tcp", "it", 502), LineSettings(), monotonic=clock, make=wired_to(Seamstress(1)))
        with pytest.raises(LinkBrokenError, match="parts of two"):
            await link.read_words(1, 3, address=0, count=24)
        await link.close()

    run_warped(read)


class Babbler(Adapter):
    """Something that answers, but not with Modbus."""

    def receive(self, data: bytes, wire: MemoryWire) -> None:
        wire.deliver(data[:4] + b"\0\3" + data[6:7] + b"\x63\1")


def test_an_answer_that_is_no_modbus_is_said_to_be_none() -> None:
    async def read() -> None:
        clock = asyncio.get_running_loop().time
        link = ModbusLink(Endpoint("tcp", "it", 1), LineSettings(), monotonic=clock, make=wired_to(Babbler(b"", 1)))
        with pytest.raises(LinkBrokenError, match="no Modbus frame"):
            await link.read_words(1, 3, address=0, count=2)
        await link.close()

    run_warped(read)


class ClosedDoor:
    """A far end that takes no connection."""

    def accept(self, wire: MemoryWire) -> None:
        raise ConnectionRefusedError

    def receive(self, data: bytes, wire: MemoryWire) -> None:
        raise AssertionError("nobody is connected")


@pytest.mark.parametrize(
    ("name_server", "said"),
    [
        ("knows it", "is it connected"),
        ("knows it not", "nobody-home: is it spelt right"),
        ("is dead", "is it connected"),
    ],
)
def test_why_no_connection_came_about_is_said_without_a_long_wait(name_server: str, said: str) -> None:
    """The time that passes here is the loop's own."""

    async def look_up(host: object, port: object) -> list[object]:
        if name_server == "knows it not":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        if name_server == "is dead":
            await asyncio.sleep(600)
        return []

    async def read() -> None:
        loop = asyncio.get_running_loop()
        loop.getaddrinfo = look_up  # type: ignore[method-assign, assignment]
        endpoint, began_s = Endpoint("tcp", "nobody-home", 502), loop.time()
        link = ModbusLink(endpoint, LineSettings(), monotonic=loop.time, make=wired_to(ClosedDoor()))
        with pytest.raises(LinkBrokenError, match=said):
            await link.read_words(1, 3, address=0, count=2)
        assert loop.time() - began_s < 60

    run_warped(read)


@pytest.mark.parametrize(
    ("timeout_s", "opens_after_s", "is_read"),
    [(0.05, 2.9, True), (0.05, 3.1, False), (10.0, 9.0, True), (10.0, 11.0, False)],
)
def test_connecting_has_three_seconds_or_as_long_as_an_answer(
    timeout_s: float, opens_after_s: float, is_read: bool
) -> None:
    """A quick device is not reached faster than any other by a busy computer, or over a network that lost a packet."""

    async def read() -> None:
        clock = asyncio.get_running_loop().time
        at_once = wired_to(Meter(1))

        def make(*given: Any) -> Client:
            client = at_once(*given)
            connect = client.ctx.call_create

            async def create() -> Any:
                await asyncio.sleep(opens_after_s)
                return await connect()

            client.ctx.call_create = create
            return client

        line = LineSettings(timeout_s=timeout_s)
        link = ModbusLink(Endpoint("tcp", "it", 502), line, monotonic=clock, make=make)
        with contextlib.nullcontext() if is_read else pytest.raises(LinkBrokenError, match="cannot connect"):
            assert await link.read_words(1, 3, address=7, count=2) == [0x1000, 0x1001]
        await link.close()

    run_warped(read)
