"""`commonwatt-agent scan`: searches only what a person said, as lines and as JSON."""

import asyncio
import io
import json
from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.commands import scan
from edge_agent.devices.line import LineSettings
from edge_agent.finding import search as searching
from tests.edge_agent.modbus_stand import Stand, meter_words


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = searching.SearchPlan
    monkeypatch.setattr(
        scan, "SearchPlan", lambda *given: plan(*given, tcp_line=LineSettings(timeout_s=0.3))
    )  # fmt: skip


async def scanned(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["scan", *arguments, "--config", "nowhere.toml"])


async def test_what_is_found_is_printed_as_lines_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    stand = await Stand(meter_words(10_000)).start()
    where = ("--connect", f"tcp://127.0.0.1:{stand.port}", "--make", "SDM630")
    assert await scanned(*where) == 0
    assert f"tcp://127.0.0.1:{stand.port} unit 1: eastron-sdm630" in capsys.readouterr().out
    assert await scanned(*where, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["found"][0]["proposals"][0]["map"] == "eastron-sdm630"
    await stand.stop()


async def test_nothing_found_is_status_1_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert await scanned("--connect", "tcp://127.0.0.1:1", "--json") == 1
    record = json.loads(capsys.readouterr().out)
    assert record["found"] == []
    assert "cannot connect to tcp://127.0.0.1:1" in record["troubles"][0]


async def test_nothing_is_searched_that_nobody_confirmed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert await scanned() == 1
    assert "nothing was searched" in capsys.readouterr().err
    terminal = io.StringIO("n\n\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr(scan, "own_networks", lambda: [scan.parse_network("192.0.2.0/24")])
    monkeypatch.setattr(scan, "serial_ports", lambda: [Path("/dev/ttyUSB0")])
    assert await scanned() == 1
    said = capsys.readouterr().err
    assert "search the network 192.0.2.0/24? [y/N]" in said
    assert "ask devices on /dev/ttyUSB0? [y/N]" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--connect", "http://192.0.2.1"],
            "--connect: expected an address such as 192.168.1.20, or 'tcp://host:port'",
        ),
        (["--network", "8.8.8.8"], "only private addresses"),
    ],
)
async def test_wrong_places_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert await scanned(*arguments) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("units", ["0-256", "a", "1-", "-3", "3-1", "", "1,,2"])
def test_wrong_units_are_one_line(capsys: pytest.CaptureFixture[str], units: str) -> None:
    with pytest.raises(SystemExit):
        main(["scan", f"--units={units}"])
    assert "unit ids" in capsys.readouterr().err
