"""A one-client inverter read by the agent and, through it, by other programs: never written to, never cached."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient

from edge_agent.devices.line import LineSettings, NoAnswerError
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.proxy.server import MAX_GUESTS, MAX_SPARED, ReadOnlyProxy, Served
from edge_agent.sections.proxy import ProxyChoice
from edge_agent.settings import Endpoint
from protocols.maps.planning import BlockLimits, Span
from tests.edge_agent.agent_process import agent_home
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, link_to, meter_words

WORDS = {(3, at): at * 3 for at in range(500)} | {(4, at): at * 5 for at in range(500)}
NO_READ = BlockLimits(no_read=(Span(3, 60, 2),))


@dataclass
class Home:
    """The inverter, the agent's connection to it, and the port where guests read it."""

    stand: Stand
    link: ModbusLink
    proxy: ReadOnlyProxy
    port: int
    seconds: list[float]


@contextlib.asynccontextmanager
async def served(*, timeout_s: float = 0.3) -> AsyncIterator[Home]:
    stand = await Stand(WORDS, units=(5,)).start()
    link = link_to(Endpoint("tcp", "127.0.0.1", stand.port), LineSettings(timeout_s=timeout_s))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seconds = [0.0]
    choice = ProxyChoice("sun", "127.0.0.1", port)
    proxy = ReadOnlyProxy(choice, Served(link, 5, NO_READ), monotonic=lambda: seconds[0])
    running = asyncio.create_task(proxy.run())
    await until(lambda: not _is_free(port), 10)
    try:
        yield Home(stand, link, proxy, port, seconds)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await link.close()
        await stand.stop()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@contextlib.asynccontextmanager
async def guest(home: Home) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=home.port, retries=0, timeout=5)
    assert await client.connect()
    yield client
    client.close()


async def test_a_guest_reads_over_the_agents_one_connection_and_what_it_gets_is_never_old() -> None:
    async with served() as home, guest(home) as program:
        assert await home.link.read_words(5, 3, address=0, count=2) == [0, 3]
        for unit in (5, 0, 255):
            answer = await program.read_holding_registers(100, count=125, device_id=unit)
            assert answer.registers == [at * 3 for at in range(100, 225)]
        home.stand.words[4, 7] = 999
        assert (await program.read_input_registers(7, count=1, device_id=5)).registers == [999]
        home.stand.words[4, 7] = 1000
        assert (await program.read_input_registers(7, count=1, device_id=5)).registers == [1000]
        assert home.stand.connections == 1


async def test_no_write_reaches_the_device() -> None:
    async with served() as home:
        for function in (*range(1, 3), *range(5, 128)):
            for body in (b"\0\1\0\1", b"\0\1\0\1\2\0\7", b""):
                assert await home.proxy.answer(5, bytes([function]) + body) == bytes([function | 0x80, 1])
        async with guest(home) as program:
            assert (await program.write_register(1, 7, device_id=5)).exception_code == 1
            assert (await program.write_registers(1, [7, 8], device_id=5)).exception_code == 1
            assert (await program.write_coil(1, True, device_id=5)).exception_code == 1
        assert home.stand.requests == []


@pytest.mark.parametrize(
    ("unit", "asked", "code"),
    [
        (6, b"\3\0\0\0\1", 11),
        (5, b"\3\0\0\0\0", 3),
        (5, b"\3\0\0\0\x7e", 3),
        (5, b"\3\xff\xff\0\2", 2),
        (5, b"\3\0\x3d\0\1", 2),
        (5, b"\3\0\x30\0\x20", 2),
        (5, b"\3\0\0", 3),
    ],
)
async def test_what_must_not_be_asked_is_not_asked(unit: int, asked: bytes, code: int) -> None:
    async with served() as home:
        assert await home.proxy.answer(unit, asked) == bytes([0x83, code])
        assert home.stand.requests == []


async def test_the_devices_own_refusals_are_handed_on() -> None:
    async with served() as home:
        for mode, code in (("refuse", 2), ("fail", 4), ("busy", 6)):
            home.stand.modes.append(mode)
            assert await home.proxy.answer(5, b"\3\0\0\0\1") == bytes([0x83, code])


async def test_a_read_that_goes_unanswered_is_not_repeated_at_once() -> None:
    async with served(timeout_s=0.1) as home:
        home.stand.mute = {(3, 9)}
        for _ in range(3):
            assert await home.proxy.answer(5, b"\3\0\x09\0\1") == b"\x83\x0b"
        assert [each[2] for each in home.stand.requests] == [9]
        home.stand.mute, home.seconds[0] = set(), 61.0
        assert await home.proxy.answer(5, b"\3\0\x09\0\1") == b"\3\2\0\x1b"


async def test_the_agents_own_readings_go_first() -> None:
    async with served(timeout_s=5) as home:
        home.stand.always, home.stand.late_s = "late", 0.02
        await home.link.read_words(5, 3, address=0, count=1)
        home.stand.requests.clear()
        guests = [asyncio.create_task(home.proxy.answer(5, bytes([4, 0, 10 + at, 0, 1]))) for at in range(6)]
        await until(lambda: home.stand.requests, 10)
        own = [asyncio.create_task(home.link.read_words(5, 3, address=at, count=1)) for at in range(4)]
        await asyncio.gather(*own)
        asked = [function for _, function, _, _ in home.stand.requests]
        assert asked[:5] == [4, 3, 3, 3, 3], "one guest was under way; the rest waited"
        await asyncio.gather(*guests)
        assert len(home.stand.requests) == 10


async def test_guests_and_what_they_send_are_bounded() -> None:
    async with served() as home:
        held = [await asyncio.open_connection("127.0.0.1", home.port) for _ in range(MAX_GUESTS)]
        for _, writer in held:
            writer.write(b"\0\1\0\0\0\6\5\3\0\0\0\1")
        for reader, _ in held:
            assert await reader.readexactly(11) == b"\0\1\0\0\0\5\5\3\2\0\0"
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        assert await reader.read() == b"", "one more is turned away"
        held[0][1].write(b"\0\1\0\0\xff\xff\5" + bytes(3000))
        with contextlib.suppress(ConnectionError):
            assert await held[0][0].read() == b"", "what is no Modbus ends the connection"
        for _, each in (*held, (reader, writer)):
            each.close()


async def test_a_port_that_is_taken_is_said_once_and_stops_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.proxy.server.RETRY_S", 0.01)
    caplog.set_level(logging.INFO)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        link = ModbusLink(Endpoint("tcp", "127.0.0.1", 1), LineSettings())
        proxy = ReadOnlyProxy(ProxyChoice("sun", "127.0.0.1", port), Served(link, 1, NO_READ))
        running = asyncio.create_task(proxy.run())
        await until(lambda: "cannot listen" in caplog.text, 10)
    await until(lambda: "can be read at" in caplog.text, 10)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert caplog.text.count("cannot listen") == 1


async def test_a_running_agent_serves_its_meter(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    table = f'[[proxy]]\ndevice = "meter"\nlisten = "127.0.0.1:{port}"\n'
    async with agent_home(tmp_path, Stand(meter_words(1000)), devices=table) as home:
        home.start()
        await until(lambda: not _is_free(port), 30)
        client = AsyncModbusTcpClient("127.0.0.1", port=port, retries=0, timeout=10)
        assert await client.connect()
        answer = await client.read_input_registers(72, count=2, device_id=1)
        assert answer.registers == [home.stand.words[4, 72], home.stand.words[4, 73]]
        assert (await client.write_register(28, 0, device_id=1)).exception_code == 1
        client.close()
        assert home.stand.connections == 1
        assert "can be read at" in home.log.read_text()
        await asyncio.to_thread(home.stop)


class SilentLink:
    """A connection to a device that answers nothing; a time-out takes no time here."""

    def __init__(self) -> None:
        self.endpoint, self.line = Endpoint("tcp", "127.0.0.1", 1), LineSettings()
        self.requests = self.opened = 0

    async def read_words(
        self, unit: int, function: int, *, address: int, count: int, is_guest: bool = False
    ) -> list[int]:
        self.requests += 1
        raise NoAnswerError("no answer in time")

    async def close(self) -> None:
        pass


async def test_a_guest_that_searches_the_whole_device_leaves_the_line_to_the_agent() -> None:
    link = SilentLink()
    proxy = ReadOnlyProxy(ProxyChoice("sun", "127.0.0.1", 0), Served(link, 5, NO_READ))
    answers = [await proxy.answer(5, bytes([3, 1, at, 0, 1])) for at in range(MAX_SPARED)]
    assert set(answers) == {b"\x83\x0b"}
    asked = link.requests
    assert await proxy.answer(5, b"\x03\x00\x07\x00\x01") == b"\x83\x06"
    assert link.requests == asked == MAX_SPARED


async def test_the_end_waits_for_no_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.12 and later wait in `wait_closed` until every connection of a server is gone."""
    waited = []

    async def wait_closed(server: asyncio.Server) -> None:
        waited.append(server)

    async with served() as home, guest(home):
        await until(lambda: bool(home.proxy._guests), 10)
        monkeypatch.setattr(asyncio.Server, "wait_closed", wait_closed)
    assert set(waited) <= {home.stand._server}
