"""A home's line to the broker: whole packets pass in order, a cut holds everything back, and mending loses nothing."""

import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protocols.quantities import Gap, Mark, Measure
from protocols.wire.chain import FIRST_PREVIOUS
from protocols.wire.envelope import seal
from protocols.wire.readings import Batch, ClockTrust, Column, encode_batch
from protocols.wire.topics import uplink_topic
from simulator.demo.home_line import HomeLine, LineTls, batch_slot, pop_packet
from tests.coop_authority import TestAuthority

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SLOT = 1_975_000
PING = b"\xc0\x00"


def number(value: int) -> bytes:
    parts = []
    while True:
        value, low = divmod(value, 128)
        parts.append(low | (0x80 if value else 0))
        if not value:
            return bytes(parts)


def publishing(slot: int, *, qos: int = 1, properties: bytes = b"") -> bytes:
    topic = uplink_topic("lindenweg", "a-goskby72", kind="batch")
    column = Column(Measure.GRID_IMPORT, 1, 123, 0, Mark.MEASURED, Gap.NONE)
    batch = Batch(
        *("a-goskby72", 1, 1, FIRST_PREVIOUS), boot=1, clock=ClockTrust.TRUSTED, consent_version=1,
        made_at=1, slot=slot, columns=(column,), long_intervals=(), devices=(),
    )  # fmt: skip
    named = topic.encode()
    body = len(named).to_bytes(2) + named + (b"\x00\x07" if qos else b"") + number(len(properties)) + properties
    body += seal(KEY, topic, encode_batch(batch))
    return bytes([0x30 | qos << 1]) + number(len(body)) + body


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("properties", [b"", b"\x01\x00", b"\x26" + b"\x00\x01a\x00\xc8" + b"b" * 200])
def test_a_batch_is_known_by_its_quarter_hour(qos: int, properties: bytes) -> None:
    assert batch_slot(publishing(SLOT, qos=qos, properties=properties)) == SLOT


@pytest.mark.parametrize("packet", [PING, b"\x30\x0a\x00\x06a/batchx", b"\x30\x05\x00\x02up\x00"])
def test_anything_else_is_no_batch(packet: bytes) -> None:
    assert batch_slot(packet) is None


@given(st.lists(st.sampled_from([PING, publishing(SLOT), publishing(SLOT + 1)]), max_size=5), st.data())
def test_packets_are_found_however_the_bytes_arrive(packets: list[bytes], data: st.DataObject) -> None:
    stream, held, found = b"".join(packets), bytearray(), list[bytes]()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        held += stream[:size]
        stream = stream[size:]
        while packet := pop_packet(held):
            found.append(packet)
    assert (found, bytes(held)) == (packets, b"")


@pytest.mark.parametrize("head", [b"\x30\xff\xff\xff\x7f", b"\x30\xff\xff\xff\xff\x01"])
def test_a_packet_of_absurd_length_ends_the_connection(head: bytes) -> None:
    with pytest.raises(ValueError, match="an MQTT packet"):
        pop_packet(bytearray(head))


class Broker:
    """Keeps what it is sent, packet by packet, and answers each with a ping's answer."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.news = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = bytearray()
        while chunk := await reader.read(1000):
            held += chunk
            while packet := pop_packet(held):
                writer.write(b"\xd0\x00")
                async with self.news:
                    self.got.append(packet)
                    self.news.notify_all()

    async def wait_for(self, count: int) -> list[bytes]:
        async with asyncio.timeout(60), self.news:
            await self.news.wait_for(lambda: len(self.got) >= count)
        return self.got


async def test_a_cut_line_holds_back_and_a_mended_one_delivers_all_in_order() -> None:
    broker = Broker()
    async with await asyncio.start_server(broker.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        line = HomeLine(broker_port=port, cut_before=SLOT + 2, damaged=[SLOT + 1])
        await line.listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        sent = [publishing(SLOT + n) for n in range(4)]
        writer.write(PING + b"".join(sent))
        got = await broker.wait_for(3)
        assert got[:2] == [PING, sent[0]]
        changed = [place for place, (a, b) in enumerate(zip(got[2], sent[1], strict=True)) if a != b]
        assert (len(changed), line.damaged) == (1, 1)
        writer.write(sent[1])
        other_reader, other = await asyncio.open_connection("127.0.0.1", line.port)
        other.write(PING)
        async with asyncio.timeout(60):
            while not line.is_cut:
                await asyncio.sleep(0)
        assert len(broker.got) == 3
        line.mend()
        async with asyncio.timeout(60):
            assert await other_reader.readexactly(2) == b"\xd0\x00"
            assert await reader.readexactly(12) == b"\xd0\x00" * 6
        got = await broker.wait_for(7)
        assert [packet for packet in got[3:] if packet != PING] == [sent[2], sent[3], sent[1]]
        for each in (writer, other):
            each.close()
        line.close()


async def test_a_line_between_two_ends_that_speak_tls_reads_what_passes_and_cuts_the_way_to_the_hub_too(
    tmp_path: Path,
) -> None:
    authority, broker, hub = TestAuthority(), Broker(), Broker()
    to_all = authority.server_context(tmp_path, "127.0.0.1")
    trusting = ssl.create_default_context(cadata=authority.root_pem.decode())
    async with (
        await asyncio.start_server(broker.serve, "127.0.0.1", 0, ssl=to_all) as server,
        await asyncio.start_server(hub.serve, "127.0.0.1", 0) as enrolment,
    ):
        port, enrol_port = (each.sockets[0].getsockname()[1] for each in (server, enrolment))
        tls = LineTls(to_all, trusting, enrol_port)
        line = HomeLine(broker_port=port, cut_before=SLOT + 1, damaged=[SLOT], tls=tls)
        await line.listen()
        _, asking = await asyncio.open_connection("127.0.0.1", line.enrol_port)
        asking.write(PING)
        assert await hub.wait_for(1) == [PING]
        _, writer = await asyncio.open_connection("127.0.0.1", line.port, ssl=trusting)
        writer.write(PING + publishing(SLOT) + publishing(SLOT + 1))
        got = await broker.wait_for(2)
        assert (got[0], line.damaged) == (PING, 1)
        assert got[1] != publishing(SLOT)
        async with asyncio.timeout(60):
            while not line.is_cut:
                await asyncio.sleep(0)
        _, later = await asyncio.open_connection("127.0.0.1", line.enrol_port)
        later.write(PING)
        await later.drain()
        assert (len(broker.got), len(hub.got)) == (2, 1)
        line.mend()
        assert (await broker.wait_for(3))[2] == publishing(SLOT + 1)
        assert await hub.wait_for(2) == [PING, PING]
        for each in (asking, writer, later):
            each.close()
        line.close()


async def test_a_line_without_a_broker_closes_the_connection() -> None:
    async with await asyncio.start_server(Broker().serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    line = HomeLine(broker_port=port, cut_before=SLOT)
    await line.listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    writer.close()
    line.close()
