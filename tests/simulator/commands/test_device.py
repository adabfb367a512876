"""`commonwatt-sim device --hostile` and `--fault`: a device of any family that misbehaves as asked."""

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.devices.line import DeviceReadError, LineSettings
from edge_agent.settings import Endpoint
from protocols.maps.roles import role_values
from simulator.__main__ import main
from simulator.commands import device as device_command
from simulator.devices.image import DeviceImage
from simulator.devices.modbus_server import SimulatedLink
from tests.edge_agent.modbus_stand import link_to

ROOT = Path(__file__).resolve().parents[3]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_hostile_device_gives_wrong_answers_and_right_ones() -> None:
    port = _free_port()
    command = [sys.executable, "-m", "simulator", "device", "eastron-sdm630", "--hostile", "--port", str(port)]
    device = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert device.stdout is not None
        assert "answers at" in await asyncio.to_thread(device.stdout.readline)
        link = link_to(Endpoint("tcp", "127.0.0.1", port), LineSettings(timeout_s=0.1))
        good, errors = 0, set[str]()
        for _ in range(60):
            try:
                # The frequency: it is about the same at every instant, and nothing else is.
                words = await link.read_words(1, 4, address=70, count=2)
            except DeviceReadError as trouble:
                errors.add(str(trouble))
            else:
                (frequency,) = struct.unpack(">f", struct.pack(">HH", *words))
                assert 49.5 < frequency < 50.5
                good += 1
        assert good > 10
        assert len(errors) > 3
        with contextlib.suppress(DeviceReadError):
            await link.close()
    finally:
        device.terminate()
        device.wait(timeout=30)


def test_a_fault_that_nobody_knows_is_refused_with_all_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device", "eastron-sdm630", "--fault", "odd"]) != 0
    told = capsys.readouterr().err
    assert "--fault: expected one of busy, slow" in told
    assert "counter_stands, swapped_words, scale_change, found 'odd'" in told
    assert told.count("\n") == 1


def test_a_fault_holds_from_the_start_on(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[DeviceImage] = []

    async def serve(link: SimulatedLink, *_others: object) -> None:
        served.extend(link.images.values())

    monkeypatch.setattr(device_command, "serve_until_stopped", serve)
    for options in ([], ["--fault", "counter_stands", "--fault", "busy"]):
        assert main(["device", "eastron-sdm630", *options]) == 0
    moved = []
    for image in served:
        (part,) = image.parts
        now_s = image.refresh_time(1_800_000_000)
        read = [
            role_values(part.resolved, part.resolved.decode(image.words(at)), "grid") for at in (now_s, now_s + 9000)
        ]
        moved.append((read[0].import_wh, read[0].export_wh) != (read[1].import_wh, read[1].export_wh))
    assert moved == [True, False]
