"""`commonwatt-sim device --hostile`: a device of any family that answers every other request wrongly."""

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
from pathlib import Path

from edge_agent.devices.line import DeviceReadError, LineSettings
from edge_agent.devices.modbus_link import ModbusLink
from edge_agent.settings import Endpoint

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
        link = ModbusLink(Endpoint("tcp", "127.0.0.1", port), LineSettings(timeout_s=0.1))
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
