"""On the wire the simulated devices behave as real ones do where the library underneath would not."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from simulator.devices.modbus_answers import FrameFormatError, crc, next_rtu, next_tcp
from simulator.devices.modbus_server import LinkLimits, SimulatedLink
from simulator.world.street import Street
from tests.simulator.modbus_wire import exchange, images_of, read_frame, served

SUNSPEC, HUAWEI, BUS = "h01", "h07", "h04"


async def test_an_ordinary_client_reads_and_cannot_write(street: Street, noon_s: int) -> None:
    async with served(street, SUNSPEC, now_s=noon_s) as (link, port):
        client = AsyncModbusTcpClient("127.0.0.1", port=port, retries=0, timeout=5)
        await client.connect()
        answer = await client.read_holding_registers(40000, count=4, device_id=1)
        assert answer.registers == [0x5375, 0x6E53, 1, 66]
        written = await client.write_register(40072, 5, device_id=1)
        assert (written.function_code, written.exception_code) == (0x86, 1)
        client.close()
        assert link.requests == 2


async def test_requests_in_one_segment_are_all_answered_in_order(street: Street, noon_s: int) -> None:
    frames = [read_frame(40000 + each, 2, tid=each + 1) for each in range(5)]
    async with served(street, SUNSPEC, now_s=noon_s) as (_, port):
        answers = await exchange(port, b"".join(frames), answers=5)
    assert [answer[3:7] for answer in answers] == [
        bytes.fromhex(words) for words in ("53756e53", "6e530001", "00010042", "0042536f", "536f6c76")
    ]


async def test_a_request_in_pieces_is_answered(street: Street, noon_s: int) -> None:
    async with served(street, SUNSPEC, now_s=noon_s) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for byte in read_frame(40000, 2):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await asyncio.wait_for(reader.readexactly(13), 5))[9:] == b"SunS"
        writer.close()


@pytest.mark.parametrize(
    ("request_frame", "answer"),
    [
        (read_frame(40000, 126), b"\x01\x83\x03"),
        (read_frame(40000, 0), b"\x01\x83\x03"),
        (read_frame(39998, 4), b"\x01\x83\x02"),
        (read_frame(40229, 9), b"\x01\x83\x02"),
        (read_frame(40000, 2, function=4), b"\x01\x84\x01"),
        (read_frame(0, 8, function=1), b"\x01\x81\x01"),
        (read_frame(40000, 2, unit=9), b"\x09\x83\x0b"),
    ],
)
async def test_what_cannot_be_read_is_refused_as_the_standard_says(
    street: Street, noon_s: int, request_frame: bytes, answer: bytes
) -> None:
    async with served(street, SUNSPEC, now_s=noon_s) as (_, port):
        assert await exchange(port, request_frame) == [answer]


async def test_a_device_refuses_more_registers_than_its_family_takes(street: Street, noon_s: int) -> None:
    async with served(street, HUAWEI, now_s=noon_s) as (_, port):
        assert await exchange(port, read_frame(37100, 65)) == [b"\x01\x83\x03"]
        assert len((await exchange(port, read_frame(37100, 38)))[0]) == 3 + 76


async def test_one_client_at_a_time(street: Street, noon_s: int) -> None:
    async with served(street, HUAWEI, now_s=noon_s, manners=LinkLimits(max_clients=1)) as (link, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(read_frame(37100, 1))
        await asyncio.wait_for(reader.readexactly(11), 5)
        second, other = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(second.read(), 5) == b""
        other.close()
        writer.close()
        async with asyncio.timeout(60):
            while link.clients:
                await asyncio.sleep(0.01)
        assert len(await exchange(port, read_frame(37100, 1))) == 1


async def test_nothing_is_answered_too_soon_after_a_connect(street: Street, noon_s: int) -> None:
    async with served(street, HUAWEI, now_s=noon_s, manners=LinkLimits(connect_delay_s=0.3)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(read_frame(37100, 1, tid=1))
        await asyncio.sleep(0.35)
        writer.write(read_frame(37100, 1, tid=2))
        assert (await asyncio.wait_for(reader.readexactly(11), 5))[:2] == b"\x00\x02"
        writer.close()


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x01\x00\x00\xff\xff" + b"\0" * 300])
async def test_what_is_not_modbus_ends_the_connection(street: Street, noon_s: int, junk: bytes) -> None:
    async with served(street, SUNSPEC, now_s=noon_s) as (link, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(junk)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert len(await exchange(port, read_frame(40000, 2))) == 1
        assert link.requests == 1


async def test_a_taken_port_is_said_so(street: Street, noon_s: int) -> None:
    async with served(street, SUNSPEC, now_s=noon_s) as (_, port):
        second = SimulatedLink(images_of(street, street.home(SUNSPEC), "solar"), lambda: noon_s)
        with pytest.raises(OSError, match=r"address already in use|in use"):
            await second.serve_tcp(port)


async def test_three_units_on_one_bus_and_silence_for_a_fourth(street: Street, noon_s: int, tmp_path: Path) -> None:
    link = SimulatedLink(images_of(street, street.home(BUS), "bus"), lambda: noon_s)
    path = tmp_path / "bus"
    link.serve_rtu(path)
    client = AsyncModbusSerialClient(str(path), baudrate=9600, retries=0, timeout=0.4)
    assert await client.connect()
    state = street.physics(BUS).state(noon_s)
    power = []
    for unit in (1, 2):
        answer = await client.read_input_registers(52, count=2, device_id=unit)
        power.append(client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32))
    assert power == [state.grid_w, -state.power_w["wind"]]
    turbine = await client.read_holding_registers(5000, count=31, device_id=3)
    assert turbine.registers[23] == state.power_w["wind"]
    with pytest.raises(ModbusException):
        await client.read_holding_registers(5000, count=31, device_id=4)
    assert link.requests == 3
    again = await client.read_input_registers(52, count=2, device_id=1)
    assert len(again.registers) == 2
    client.close()
    second = AsyncModbusSerialClient(str(path), baudrate=9600, retries=0, timeout=2)
    assert await second.connect()
    assert len((await second.read_input_registers(52, count=2, device_id=2)).registers) == 2
    second.close()
    await link.close()
    assert not path.exists()


def test_crc_is_the_one_of_the_standard() -> None:
    assert crc(bytes.fromhex("0207")) == 0x1241
    assert crc(b"123456789") == 0x4B37


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 247), st.integers(0, 65535), st.integers(1, 125)), max_size=6), st.data())
def test_frames_come_out_whole_however_they_arrive(reads: list[tuple[int, int, int]], data: st.DataObject) -> None:
    for take, wrap in ((next_tcp, tcp_frame), (next_rtu, rtu_frame)):
        stream = b"".join(wrap(*read) for read in reads)
        buffer, found = bytearray(), []
        while stream:
            cut = data.draw(st.integers(1, len(stream)))
            buffer += stream[:cut]
            stream = stream[cut:]
            while (asked := take(buffer)) is not None:
                found.append((asked.unit, asked.address, asked.count))
        assert found == reads


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_a_bus_finds_the_next_frame_after_noise(noise: bytes) -> None:
    buffer = bytearray(noise)
    for _ in range(40):
        if next_rtu(buffer) is None:
            break
    buffer += rtu_frame(5, 52, 2) * 40
    found = []
    while (asked := next_rtu(buffer)) is not None:
        found.append((asked.unit, asked.address, asked.count))
    assert found.count((5, 52, 2)) >= 1


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_frames_or_not_modbus(junk: bytes) -> None:
    buffer = bytearray(junk)
    try:
        while next_tcp(buffer) is not None:
            continue
    except FrameFormatError:
        return
    assert len(buffer) < 260


def tcp_frame(unit: int, address: int, count: int) -> bytes:
    return read_frame(address, count, unit=unit)


def rtu_frame(unit: int, address: int, count: int) -> bytes:
    body = read_frame(address, count, unit=unit)[6:]
    return body + crc(body).to_bytes(2, "little")
