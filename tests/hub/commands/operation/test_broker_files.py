"""`commonwatt-hub broker files`: a Mosquitto of somebody else runs with them, and the check finds it sound."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.broker.mosquitto_files import find_mosquitto
from hub.broker.plans import free_port
from protocols.timeline import Timeline
from tests.hub.intake.test_hub_killed import running_hub

NOON = 1_780_000_000
needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here")


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("five words for the safe\n")
    place = ["--data", str(tmp_path / "hub"), "--passphrase-file", str(passphrase)]
    assert main(["init", "--name", "S", "--coop", "street", "--tz", "Europe/Madrid", *place]) == 0
    capsys.readouterr()
    return tmp_path / "hub"


def add_settings(hub: Path, text: str) -> None:
    settings = hub / "hub.toml"
    settings.write_text(f"{settings.read_text()}\n{text}\n")


@asynccontextmanager
async def somebody_elses_broker(files: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Mosquitto with a configuration of its own that includes ours."""
    program = find_mosquitto()
    assert program is not None
    own = files.parent / "mosquitto.conf"
    own.write_text(f"user root\npersistence_location {files.parent}/\ninclude_dir {files}\n")
    child = await asyncio.create_subprocess_exec(program, "-c", str(own), stderr=asyncio.subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        await asyncio.wait_for(child.wait(), 20)


@needs_mosquitto
async def test_a_broker_elsewhere_is_set_up_and_checked(
    tmp_path: Path, hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    homes_port, hub_port, enrol_port = (free_port("127.0.0.1") for _ in range(3))
    add_settings(hub, f'[public]\nhost = "127.0.0.1"\nbroker_port = {homes_port}\nenrol_port = {enrol_port}')
    clock, files = tmp_path / "clock.json", tmp_path / "handed" / "over"
    clock.write_text(Timeline(0, NOON, 0, None).text())
    data = ["--data", str(hub)]
    make = ["broker", "files", *data, "--to", str(files), "--place", str(files), "--hub-port", str(hub_port)]
    assert await asyncio.to_thread(main, make) == 0
    lines = capsys.readouterr().out.split("[broker]")[1].split("3. if that")[0]
    told = dict(line.strip().split(" = ") for line in lines.splitlines() if " = " in line)
    assert told["port"] == str(hub_port)
    settings = (hub / "hub.toml").read_text()
    replaced = settings.replace('kind = "auto"', 'kind = "external"').replace("port = 1883", f"port = {hub_port}")
    more = "".join(f"{key} = {told[key]}\n" for key in ("username", "password_file", "ca_file"))
    (hub / "hub.toml").write_text(replaced.replace("[broker]\n", f"[broker]\n{more}"))
    async with (
        somebody_elses_broker(files) as broker,
        running_hub(hub, clock=clock, broker_port=hub_port),
    ):
        check = ["broker", "check", *data, "--json"]
        assert await asyncio.to_thread(main, check) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["is_sound"] is True
        assert {each["role"] for each in found["roles"] if each["entered"]} == {"member", "revoked", "not enrolled"}
        (files / "access").write_text((files / "access").read_text().replace("/rules/", "/rules/of-yesterday-"))
        broker.send_signal(signal.SIGHUP)
        async with asyncio.timeout(60):
            while await asyncio.to_thread(main, check) == 0:
                await asyncio.sleep(0.2)
        assert "not those of today's agents" in capsys.readouterr().err


@needs_mosquitto
async def test_one_of_several_brokers_is_elsewhere(
    tmp_path: Path, hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, homes_port, hub_port, enrol_port = (free_port("127.0.0.1") for _ in range(4))
    add_settings(hub, f'[public]\nhost = "localhost"\nenrol_port = {enrol_port}')
    sites = json.dumps([f"0-40 here:{here}", f"41-63 127.0.0.1:{homes_port}:{hub_port}"])
    settings = (hub / "hub.toml").read_text()
    (hub / "hub.toml").write_text(settings.replace('kind = "auto"', f'kind = "mosquitto"\nshards = {sites}'))
    clock, to = tmp_path / "clock.json", tmp_path / "handed"
    clock.write_text(Timeline(0, NOON, 0, None).text())
    data, files = ["--data", str(hub)], to / "127.0.0.1"
    assert await asyncio.to_thread(main, ["run", *data, "--clock", str(clock), "--web-port", "0"]) != 0
    assert "needs its files first: commonwatt-hub broker files" in capsys.readouterr().err
    assert await asyncio.to_thread(main, ["broker", "files", *data, "--to", str(to), "--place", str(files)]) == 0
    assert "hub.toml stays as it is" in capsys.readouterr().out
    async with (
        somebody_elses_broker(files),
        running_hub(hub, clock=clock, broker_port=free_port("127.0.0.1")),
    ):
        async with asyncio.timeout(60):
            while await asyncio.to_thread(main, ["broker", "check", *data, "--json"]) != 0:
                await asyncio.sleep(0.2)
        found = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert found["is_sound"]
        entered = {each["role"] for each in found["roles"] if each["entered"]}
        assert entered == {
            f"{role} at {where}"
            for role in ("member", "revoked", "not enrolled")
            for where in (f"localhost:{here}", f"127.0.0.1:{homes_port}")
        }
    assert await asyncio.to_thread(main, ["broker", "firewall", *data]) == 0
    opened = capsys.readouterr().out
    assert str(here) in opened
    assert str(homes_port) not in opened, "that port is open at the other computer"


def test_two_brokers_on_one_other_computer_have_files_of_their_own(
    tmp_path: Path, hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_settings(hub, '[public]\nhost = "hub.example.org"')
    ports = {"b2.example.org_8883": (8883, 8884), "b2.example.org_8885": (8885, 8886), "b3.example.org": (8883, 8884)}
    shards = dict(zip(ports, ("0-20", "21-40", "41-63"), strict=True))
    sites = json.dumps([f"{shards[name]} {name.split('_')[0]}:{at[0]}:{at[1]}" for name, at in ports.items()])
    settings = (hub / "hub.toml").read_text()
    (hub / "hub.toml").write_text(settings.replace('kind = "auto"', f'kind = "mosquitto"\nshards = {sites}'))
    to = tmp_path / "handed"
    for _ in ("first", "after an enrolment"):
        assert main(["broker", "files", "--data", str(hub), "--to", str(to)]) == 0
        assert "each belong into a folder there with its port as the name" in capsys.readouterr().out
    assert {each.name for each in to.iterdir()} == set(ports)
    for name, at in ports.items():
        lines = (to / name / "commonwatt.conf").read_text().splitlines()
        assert [int(line.split()[1]) for line in lines if line.startswith("listener ")] == [at[1], at[0]]
        place = f"/etc/mosquitto/commonwatt/{at[0]}" if "_" in name else "/etc/mosquitto/commonwatt"
        assert f"acl_file {place}/access" in lines
        firewall = (to / name / "firewall.nft").read_text()
        beside = {port for other, more in ports.items() if other.split("_")[0] == name.split("_")[0] for port in more}
        assert beside == {port for port in range(8883, 8887) if str(port) in firewall}, "loaded, it closes all others"


def test_files_are_private_and_the_password_stays(
    tmp_path: Path, hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_settings(hub, '[public]\nhost = "hub.example.org"')
    make = ["broker", "files", "--data", str(hub), "--to", str(tmp_path / "files")]
    assert main(make) == 0
    modes = {each.stat().st_mode & 0o777 for each in (tmp_path / "files").iterdir()}
    assert (modes, (tmp_path / "files").stat().st_mode & 0o777) == ({0o600}, 0o700)
    password = (hub / "external-broker-password").read_text()
    assert password.strip() not in capsys.readouterr().out
    assert main(make) == 0, "made again after an enrolment"
    assert (hub / "external-broker-password").read_text() == password
    conf = (tmp_path / "files" / "commonwatt.conf").read_text()
    assert "acl_file /etc/mosquitto/commonwatt/access" in conf
    (tmp_path / "files" / "notes.txt").touch()
    assert main(make) == 1
    assert "not empty (notes.txt is there)" in capsys.readouterr().err


def test_what_is_missing_is_said(tmp_path: Path, hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(hub)]
    for given, words in (
        ([], "--to DIR"),
        (["--to", str(tmp_path / "files")], "under [public]"),
        (["--to", str(tmp_path / "files"), "--place", "here"], "--place as a full path"),
    ):
        assert main(["broker", "files", *data, *given]) == 1
        assert words in capsys.readouterr().err
    assert not (tmp_path / "files").exists()
