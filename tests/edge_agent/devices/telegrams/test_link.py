"""A meter that sends by itself, over the network and over a serial line, read like any other device."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from edge_agent.devices.assembly import make_fleet
from edge_agent.devices.line import LineSettings, LinkBrokenError, ReadRefusedError
from edge_agent.devices.readout import read_once
from edge_agent.devices.telegrams.link import TelegramLink
from edge_agent.settings import parse_endpoint, parse_settings
from protocols.errors import SettingsError
from tests.edge_agent.devices.telegrams.telegram_texts import LINES, p1_telegram, sml_telegram

GRID = '[[device]]\nname = "meter"\nmap = "{map}"\nrole = "grid"\nconnect = "{connect}"\nmax_power_w = 15000\n'
SML = sml_telegram([("1.8.0", 30, -1, 35802450), ("2.8.0", 30, -1, 420030), ("16.7.0", 27, 0, -1193)])
Send = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def sender(send: Send) -> AsyncIterator[int]:
    """A server that sends to each client until it goes away; gives its port."""

    sending: list[asyncio.Task[None]] = []

    async def until_gone(writer: asyncio.StreamWriter) -> None:
        try:
            await send(writer)
        except OSError:
            pass  # the client went away, which ends the sending
        finally:
            writer.close()

    def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sending.append(asyncio.create_task(until_gone(writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for each in sending:
            each.cancel()
        await asyncio.gather(*sending, return_exceptions=True)


def repeating(telegram: bytes, *, every_s: float = 0.02) -> Send:
    async def send(writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(telegram)
            await writer.drain()
            await asyncio.sleep(every_s)

    return send


def settings_of(tmp_path: object, family: str, connect: str) -> object:
    return parse_settings(GRID.format(map=family, connect=connect).encode(), name="agent.toml", folder=tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("family", "wire", "telegram"),
    [
        ("p1-dsmr", "p1+tcp", p1_telegram()),
        ("sml-d0", "sml+tcp", SML),
    ],
)
async def test_a_network_reader_is_read_through_its_map(
    tmp_path: object, family: str, wire: str, telegram: bytes
) -> None:
    async with sender(repeating(telegram)) as port:
        fleet = make_fleet(settings_of(tmp_path, family, f"{wire}://127.0.0.1:{port}"))  # type: ignore[arg-type]
        [(device, readout)], troubles = await read_once(fleet, only=None)
        assert not troubles
        assert readout.values["energy_import_total"] == Decimal("3580245")
        sample = device.samples(readout, 0.0)[device.places[0]]
        assert sample.counters_wh == {"import_wh": 3580245, "export_wh": 42003}
        assert sample.power_w == -1193
        await fleet[0][0].close()


async def test_a_serial_port_is_heard() -> None:
    ours, theirs = os.openpty()
    tty.setraw(ours)
    link = TelegramLink(parse_endpoint(f"p1://{os.ttyname(theirs)}"), LineSettings(timeout_s=5, baud=115200))
    try:
        reading = asyncio.create_task(link.read_words(1, 3, address=0, count=8))
        while not reading.done():
            os.write(ours, p1_telegram())
            await asyncio.sleep(0.02)
        words = await reading
    finally:
        await link.close()
        os.close(ours)
        os.close(theirs)
    assert int.from_bytes(b"".join(word.to_bytes(2, "big") for word in words[:4]), "big") == 35802450


async def test_a_reading_takes_a_telegram_that_ended_after_it_was_asked_for() -> None:
    later = p1_telegram([line.replace("001234.567", "001234.600") for line in LINES])
    asked = asyncio.Event()

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(p1_telegram())
        await asked.wait()
        writer.write(later)
        await writer.drain()
        await asyncio.Event().wait()

    async with sender(send) as port:
        link = TelegramLink(parse_endpoint(f"p1+tcp://127.0.0.1:{port}"), LineSettings(timeout_s=5))
        first = await link.read_words(1, 3, address=0, count=4)
        second = asyncio.create_task(link.read_words(1, 3, address=0, count=4))
        await asyncio.sleep(0)
        asked.set()
        assert (await second)[3] - first[3] == 330
        assert link.opened == 1
        await link.close()


async def test_a_silent_line_a_spoilt_one_and_one_that_is_gone_are_told_apart() -> None:
    async def nothing(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def goes(writer: asyncio.StreamWriter) -> None:
        writer.write(b"/half a telegram")
        await writer.drain()

    quick = LineSettings(timeout_s=0.3)
    cases: list[tuple[Send, type[Exception], str]] = [
        (nothing, LinkBrokenError, "no telegram within"),
        (repeating(p1_telegram().replace(b"001234", b"001235")), LinkBrokenError, "checksum is wrong"),
        (goes, LinkBrokenError, "the line was closed"),
    ]
    for send, kind, words in cases:
        async with sender(send) as port:
            link = TelegramLink(parse_endpoint(f"p1+tcp://127.0.0.1:{port}"), quick)
            with pytest.raises(kind, match=words):
                await link.read_words(1, 3, address=0, count=4)
            await link.close()
    link = TelegramLink(parse_endpoint("p1:///dev/no-such-port"), quick)
    with pytest.raises(LinkBrokenError, match="cannot be opened"):
        await link.read_words(1, 3, address=0, count=4)


async def test_a_register_no_telegram_has_is_refused_without_waiting() -> None:
    link = TelegramLink(parse_endpoint("p1:///dev/no-such-port"), LineSettings())
    with pytest.raises(ReadRefusedError):
        await link.read_words(1, 3, address=30, count=4)


@pytest.mark.parametrize(
    ("family", "connect", "words"),
    [
        ("p1-dsmr", "tcp://10.0.0.5:502", "p1-dsmr is read over p1, found tcp"),
        ("eastron-sdm630", "p1:///dev/ttyUSB0", "eastron-sdm630 is read over .*, found p1"),
        ("sml-d0", "p1+tcp://10.0.0.5:23", "sml-d0 is read over sml, found p1"),
    ],
)
def test_a_map_that_does_not_fit_the_line_is_refused(tmp_path: object, family: str, connect: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make_fleet(settings_of(tmp_path, family, connect))  # type: ignore[arg-type]
