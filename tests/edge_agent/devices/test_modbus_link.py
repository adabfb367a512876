"""The link against devices that misbehave, over TCP and over a pseudo-terminal: no wrong word is ever handed on."""

import asyncio
import contextlib
import errno
import os
import random
import socket
import termios
import time

import pytest
from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient

from edge_agent.devices.line import (
    DeviceBusyError,
    DeviceReadError,
    LineSettings,
    LinkBrokenError,
    NoAnswerError,
    ReadRefusedError,
)
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.settings import Endpoint
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, link_to, pymodbus_server

WORDS = {(3, address): address * 7 % 65536 for address in range(2000)} | {(4, at): at for at in range(2000)}
FAST = LineSettings(timeout_s=0.15)


def expected(address: int, count: int) -> list[int]:
    return [WORDS[3, at] for at in range(address, address + count)]


async def tcp_link(stand: Stand, line: LineSettings = FAST) -> ModbusLink:
    await stand.start()
    return link_to(Endpoint("tcp", "127.0.0.1", stand.port), line)


async def read(link: ModbusLink, address: int, count: int = 4) -> list[int]:
    return await link.read_words(1, 3, address=address, count=count)


async def test_words_come_from_a_foreign_server_over_one_connection() -> None:
    async with pymodbus_server(WORDS) as port:
        link = link_to(Endpoint("tcp", "127.0.0.1", port), LineSettings())
        assert await read(link, 100, 125) == expected(100, 125)
        assert await link.read_words(1, 4, address=7, count=2) == [7, 8]
        assert (link.requests, link.opened) == (2, 1)
        await link.close()


async def test_a_device_that_hangs_up_is_told_in_our_words() -> None:
    stand = Stand(WORDS)
    link = await tcp_link(stand)
    stand.always = "cut"
    with pytest.raises(LinkBrokenError) as caught:
        await read(link, 10)
    assert str(caught.value) == "the other side closed the connection instead of answering"
    await link.close()
    await stand.stop()


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "could not open port x: [Errno 111]"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "no such host name"),
        (ModbusException("No response received after 0 retries"), "is it switched on"),
        (ValueError("Not a valid baudrate: 7"), "does not take these serial settings"),
        (termios.error(errno.EINVAL, "Invalid argument"), "Invalid argument"),
    ],
)
async def test_why_a_connection_fails_is_never_a_librarys_text(
    cause: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_client: AsyncModbusTcpClient) -> bool:
        raise cause

    monkeypatch.setattr(AsyncModbusTcpClient, "connect", fail)
    link = link_to(Endpoint("tcp", "127.0.0.1", 1), LineSettings(timeout_s=0.2))
    with pytest.raises(LinkBrokenError) as caught:
        await read(link, 10)
    assert words in str(caught.value)
    assert all(foreign not in str(caught.value) for foreign in ("retries", "Errno", "baudrate", "port x"))


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("silent", NoAnswerError),
        ("late", NoAnswerError),
        ("wrong_unit", NoAnswerError),
        ("busy", DeviceBusyError),
        ("refuse", ReadRefusedError),
        ("short", LinkBrokenError),
        ("id0", LinkBrokenError),
        ("cut", DeviceReadError),
    ],
)
async def test_each_misbehaviour_is_an_error_and_the_next_read_is_right(
    mode: str, error: type[DeviceReadError]
) -> None:
    stand = Stand(WORDS)
    link = await tcp_link(stand)
    stand.late_s = 0.25
    assert await read(link, 10) == expected(10, 4)
    stand.modes.append(mode)
    with pytest.raises(error):
        await read(link, 200)
    for address in (300, 400, 500):
        assert await read(link, address) == expected(address, 4)
    await link.close()
    await stand.stop()


@pytest.mark.parametrize("mode", ["silent", "late", "wrong_unit", "short", "double"])
async def test_on_a_serial_bus_no_answer_is_taken_for_another(mode: str) -> None:
    stand = Stand(WORDS)
    stand.late_s = 0.2
    with stand.on_a_bus() as path:
        link = link_to(Endpoint("rtu", path=path), LineSettings(timeout_s=0.15, request_gap_s=0.02, baud=57600))
        assert await read(link, 10) == expected(10, 4)
        stand.modes.append(mode)
        try:
            assert await read(link, 200) == expected(200, 4)
        except DeviceReadError:
            assert mode != "double"
        for address in (300, 400, 500, 600):
            assert await read(link, address) == expected(address, 4)
        await link.close()


async def test_a_stray_answer_in_front_of_the_right_one_loses_neither_it_nor_the_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                asked = await reader.readexactly(12)
                count = int.from_bytes(asked[10:])
                stray, right = (bytes([3, 2 * count]) + bytes([mark, mark]) * count for mark in (0xEE, 0x11))
                frames = [
                    tid.to_bytes(2) + bytes(2) + (len(pdu) + 1).to_bytes(2) + asked[6:7] + pdu
                    for tid, pdu in ((int.from_bytes(asked[:2]) + 77, stray), (int.from_bytes(asked[:2]), right))
                ]
                writer.write(b"".join(frames))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link = link_to(Endpoint("tcp", "127.0.0.1", server.sockets[0].getsockname()[1]), LineSettings(timeout_s=1))
    for _ in range(3):
        assert await read(link, 0, 125) == [0x1111] * 125
    assert link.opened == 1
    await link.close()
    server.close()


async def test_after_a_silence_nothing_is_asked_until_a_late_answer_must_have_come() -> None:
    now, waited = [100.0], list[float]()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    stand = await Stand(WORDS).start()
    link = ModbusLink(
        Endpoint("tcp", "127.0.0.1", stand.port), LineSettings(timeout_s=0.2), sleep=sleep, monotonic=lambda: now[0]
    )
    stand.modes.append("silent")
    with pytest.raises(NoAnswerError):
        await read(link, 0)
    assert waited == []
    assert await read(link, 7) == expected(7, 4)
    assert waited == [pytest.approx(0.2)]
    await link.close()
    await stand.stop()


async def test_a_device_that_returns_is_reached_again() -> None:
    stand = Stand(WORDS)
    link = await tcp_link(stand)
    assert await read(link, 1) == expected(1, 4)
    for _ in range(5):
        await stand.stop()
        with pytest.raises(DeviceReadError):
            await read(link, 2)
        await stand.start()
        assert await read(link, 3) == expected(3, 4)
    await link.close()
    await stand.stop()


async def test_nobody_listens_is_said_with_the_address() -> None:
    link = link_to(Endpoint("tcp", "127.0.0.1", 1), FAST)
    with pytest.raises(LinkBrokenError, match=r"tcp://127\.0\.0\.1:1"):
        await read(link, 0)


async def test_a_serial_device_that_is_not_there_is_said_with_its_path(tmp_path) -> None:
    link = link_to(Endpoint("rtu", path=str(tmp_path / "ttyUSB0")), FAST)
    with pytest.raises(LinkBrokenError, match="ttyUSB0"):
        await read(link, 0)


async def test_an_adapter_that_fails_in_its_own_way_is_a_broken_connection(monkeypatch) -> None:
    def pulled_out(*_: object) -> None:
        raise termios.error(5, "Input/output error")

    far, near = os.openpty()
    path = os.ttyname(near)
    monkeypatch.setattr(termios, "tcsetattr", pulled_out)
    with pytest.raises(LinkBrokenError, match=f"cannot connect to rtu://{path}: .*Input/output error"):
        await read(link_to(Endpoint("rtu", path=path), FAST), 0)
    os.close(far)
    os.close(near)


async def test_pauses_are_kept() -> None:
    now, waited = [100.0], list[float]()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    stand = await Stand(WORDS).start()
    line = LineSettings(timeout_s=1, connect_delay_s=0.05, request_gap_s=0.03)
    link = ModbusLink(Endpoint("tcp", "127.0.0.1", stand.port), line, sleep=sleep, monotonic=lambda: now[0])
    await read(link, 0)
    await read(link, 1)
    now[0] += 0.02
    await read(link, 2)
    now[0] += 0.04
    await read(link, 3)
    assert waited == [0.05, pytest.approx(0.03), pytest.approx(0.01)]
    await link.close()
    await stand.stop()


async def test_a_cancelled_read_leaves_no_answer_behind() -> None:
    stand = Stand(WORDS)
    stand.late_s = 0.1
    link = await tcp_link(stand, LineSettings(timeout_s=0.4))
    await read(link, 0)
    stand.modes.append("late")
    task = asyncio.ensure_future(read(link, 100))
    await until(lambda: (1, 3, 100, 4) in stand.requests, what="the request")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await read(link, 200) == expected(200, 4)
    await link.close()
    await stand.stop()


@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "refused"])
async def test_a_connection_that_is_given_up_before_its_first_request_is_closed(is_cancelled: bool) -> None:
    """A device that serves one client would otherwise refuse all that follow, until the agent is restarted."""
    gone = asyncio.Event()
    pausing = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""
        gone.set()
        writer.close()

    async def pause(_seconds: float) -> None:
        pausing.set()
        if not is_cancelled:
            raise LinkBrokenError("this bus is never quiet")
        await asyncio.Event().wait()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        link = ModbusLink(Endpoint("tcp", "127.0.0.1", port), LineSettings(connect_delay_s=1.0), sleep=pause)
        reading = asyncio.ensure_future(read(link, 0))
        await asyncio.wait_for(pausing.wait(), 10)
        if is_cancelled:
            reading.cancel()
        await asyncio.wait({reading})
        await asyncio.wait_for(gone.wait(), 10)
        with contextlib.suppress(asyncio.CancelledError, LinkBrokenError):
            await reading


def test_no_function_that_writes_can_be_asked_for() -> None:
    link = ModbusLink.__new__(ModbusLink)
    for function in (1, 2, 5, 6, 15, 16, 22, 23):
        with pytest.raises(ValueError, match="does not read registers"):
            asyncio.run(link.read_words(1, function, address=0, count=1))
    assert not [name for name in dir(ModbusLink) if "write" in name]


async def exchange_under_faults(seed: int, exchanges: int, *, serial: bool) -> int:
    """Ask again and again while the device misbehaves at random; returns how many answers came, all checked."""
    chance = random.Random(seed)
    modes = ["ok", "ok", "ok", "ok", "silent", "late", "busy", "refuse", "short", "double", "wrong_unit"]
    modes += [] if serial else ["id0", "cut"]
    stand = Stand(WORDS)
    good = 0

    async def ask_all(link: ModbusLink) -> None:
        nonlocal good
        for _ in range(exchanges):
            stand.modes.append(chance.choice(modes))
            stand.late_s = chance.uniform(0.01, 0.07)
            address, count = chance.randrange(1800), chance.randrange(1, 126)
            try:
                found = await read(link, address, count)
            except DeviceReadError:
                continue
            finally:
                stand.modes.clear()
            assert found == expected(address, count)
            good += 1
        await link.close()

    line = LineSettings(timeout_s=0.05, request_gap_s=0.004 if serial else 0, baud=115200)
    if serial:
        with stand.on_a_bus() as path:
            await ask_all(link_to(Endpoint("rtu", path=path), line))
    else:
        await stand.start()
        await ask_all(link_to(Endpoint("tcp", "127.0.0.1", stand.port), line))
        await stand.stop()
    return good


async def test_what_arrived_on_a_line_while_the_program_stood_still_is_no_answer_to_the_next_question() -> None:
    """A doubled answer fits the next question of its length; on a busy machine it is read after that was sent."""
    stand = Stand(WORDS)
    line = LineSettings(timeout_s=1.0, request_gap_s=0.004, baud=115200)
    with stand.on_a_bus() as path:
        link = ModbusLink(Endpoint("rtu", path=path), line)
        assert await read(link, 0, 4) == expected(0, 4)
        words = b"".join(word.to_bytes(2) for word in expected(1, 4))
        assert stand.send_unasked is not None
        stand.send_unasked(1, bytes([3, len(words)]) + words)
        # Stands still, like a process that gets no turn: when it goes on, the pause between requests is over.
        time.sleep(0.02)
        assert await read(link, 100, 4) == expected(100, 4)
        await link.close()


@pytest.mark.parametrize("serial", [False, True], ids=["tcp", "serial"])
async def test_no_wrong_word_under_random_faults(serial: bool) -> None:
    assert await exchange_under_faults(7, 60, serial=serial) > 15


@pytest.mark.campaign
@pytest.mark.parametrize("serial", [False, True], ids=["tcp", "serial"])
@pytest.mark.parametrize("seed", range(8))
async def test_no_wrong_word_under_many_random_faults(seed: int, serial: bool) -> None:
    assert await exchange_under_faults(seed, 2000, serial=serial) > 500


async def test_a_cancelled_read_ends_cancelled_whenever_it_is_cancelled() -> None:
    """Also in the very moment in which the library has its connection or its answer."""
    stand = Stand(WORDS)
    first = await tcp_link(stand)
    kept = []
    for rounds in range(120):
        link = link_to(first.endpoint, first.line)
        reading = asyncio.ensure_future(link.read_words(1, 3, address=0, count=2))
        for _ in range(rounds // 2):
            await asyncio.sleep(0)
        was_pending = reading.cancel()
        await asyncio.wait({reading})
        kept.append(was_pending)
        assert reading.cancelled() or not was_pending, f"cancelled after {rounds // 2} turns of the loop"
        await link.close()
    assert any(kept)
    await first.close()
    await stand.stop()


async def test_two_units_behind_a_gateway_never_get_each_others_late_answer() -> None:
    """It gives the first unit's late answer under the second's name and number: lengths alone tell them apart."""
    held: list[bytes] = []
    asked: list[tuple[int, int]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(12)
                unit, count = head[6], int.from_bytes(head[10:])
                asked.append((unit, count))
                right = bytes([3, 2 * count]) + bytes([unit, unit]) * count
                held.append(right)
                if len(asked) == 1:
                    continue
                pdu = held.pop(0)
                writer.write(head[:4] + (len(pdu) + 1).to_bytes(2) + head[6:7] + pdu)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link = link_to(Endpoint("tcp", "127.0.0.1", server.sockets[0].getsockname()[1]), LineSettings(timeout_s=0.1))
    with pytest.raises(NoAnswerError):
        await link.read_words(1, 3, address=0, count=10)
    for unit in (2, 1, 2):
        with pytest.raises(LinkBrokenError, match="registers where"):
            await link.read_words(unit, 3, address=0, count=10)
    held.clear()
    assert await link.read_words(2, 3, address=0, count=10) == [0x0202] * 10
    assert await link.read_words(1, 3, address=0, count=10) == [0x0101] * 10
    await link.close()
    server.close()


async def test_on_a_bus_a_late_answer_is_met_by_a_question_it_does_not_fit() -> None:
    """However late it is: the meter answers in order, and the first question after a silence has another length."""
    stand = Stand(WORDS)
    with stand.on_a_bus() as path:
        link = link_to(Endpoint("rtu", path=path), LineSettings(timeout_s=0.1, request_gap_s=0.01, baud=57600))
        assert await read(link, 10) == expected(10, 4)
        stand.modes.append("silent")
        with pytest.raises(NoAnswerError):
            await read(link, 200)
        stand.requests.clear()
        assert await read(link, 300) == expected(300, 4)
        assert await read(link, 400, 7) == expected(400, 7)
        await link.close()
    assert stand.requests == [(1, 3, 10, 2), (1, 3, 300, 4), (1, 3, 10, 2), (1, 3, 400, 7)]
