"""`commonwatt-hub broker check` at a hub that is running: one clear report, and an exit code that a script can use."""

import asyncio
import json
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.broker.mosquitto_files import find_mosquitto
from hub.broker.plans import free_port
from hub.folder.paths import running_alone, write_running
from protocols.timeline import Timeline
from tests.hub.intake.test_hub_killed import running_hub

NOON = 1_780_000_000
needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here")


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    path = tmp_path / "clock.json"
    path.write_text(Timeline(0, NOON, 0, None).text())
    return path


def new_hub(folder: Path, *, kind: str) -> Path:
    hub = folder / "hub"
    assert main(["init", "--data", str(hub), "--name", "S", "--coop", "street", "--tz", "Europe/Madrid"]) == 0
    settings = hub / "hub.toml"
    settings.write_text(settings.read_text().replace('kind = "auto"', f'kind = "{kind}"\nallow_other_users = true'))
    return hub


async def until_connected(hub: Path, child: asyncio.subprocess.Process) -> None:
    """The broker answers once its socket exists and takes connections."""
    async with asyncio.timeout(30):
        while True:
            assert child.returncode is None
            try:
                _, writer = await asyncio.open_unix_connection(hub / "broker" / "hub.sock")
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


@needs_mosquitto
async def test_a_sound_broker(tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: Path) -> None:
    hub = await asyncio.to_thread(new_hub, tmp_path, kind="mosquitto")
    async with running_hub(hub, clock=clock, broker_port=free_port("127.0.0.1")) as (child, _):
        await until_connected(hub, child)
        capsys.readouterr()
        assert await asyncio.to_thread(main, ["broker", "check", "--data", str(hub)]) == 0
        assert "OK: nobody sees or sends for others" in capsys.readouterr().out
        assert await asyncio.to_thread(main, ["broker", "check", "--data", str(hub), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["is_sound"] is True
        assert found["roles"][0]["filters"] >= 20


def test_rabbitmq_is_neither_sound_nor_leaking_but_not_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = new_hub(tmp_path, kind="iotcore")
    capsys.readouterr()
    with running_alone(hub):
        write_running(hub, {"broker": "rabbitmq", "broker_port": 1})
        assert main(["broker", "check", "--data", str(hub)]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "nothing was checked" in told.err
    assert "RabbitMQ" in told.err


async def test_the_built_in_broker_is_named_for_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: Path
) -> None:
    hub = await asyncio.to_thread(new_hub, tmp_path, kind="iotcore")
    async with running_hub(hub, clock=clock, broker_port=free_port("127.0.0.1")):
        assert await asyncio.to_thread(main, ["broker", "check", "--data", str(hub)]) == 1
    assert "the built-in broker has no access rules" in capsys.readouterr().err


def test_without_a_running_hub_there_is_nothing_to_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub = new_hub(tmp_path, kind="auto")
    assert main(["broker", "check", "--data", str(hub)]) == 1
    assert "the hub is not running; start it with: commonwatt-hub run" in capsys.readouterr().err
