"""A hub started while its database server is away waits and goes on by itself; a wrong address ends it at once."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.folder.elsewhere.store_settings import ADDRESS_NAME
from protocols.slots import start_of
from protocols.timeline import Timeline
from tests.hub.intake.test_server_killed import moved
from tests.hub.postgres_server import SCHEMA, Server, crash, start_again
from tests.hub.processes.waiting import wait_for
from tests.hub.sending_home import FIRST_SLOT


def place(folder: Path) -> list[str]:
    return ["--data", str(folder / "hub"), "--clock", str(folder / "clock.json")]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Server]]:
    """A hub whose store is on a server of its own, the last of the list; each test leaves it as it was."""
    tmp_path = tmp_path_factory.mktemp("away")
    (tmp_path / "clock.json").write_text(Timeline(0, start_of(FIRST_SLOT), 0, None).text())
    assert main(["init", *place(tmp_path), "--name", "S", "--coop", "street", "--tz", "Europe/Madrid"]) == 0
    settings = tmp_path / "hub" / "hub.toml"
    settings.write_text(settings.read_text().replace('kind = "auto"', 'kind = "iotcore"\nallow_other_users = true'))
    return tmp_path, [asyncio.run(moved(tmp_path / "hub", clock=tmp_path / "clock.json"))]


def test_it_waits_with_one_line_and_goes_on_when_the_server_is_there(hub: tuple[Path, list[Server]]) -> None:
    folder, servers = hub
    crash(servers[-1])
    command = [sys.executable, "-m", "hub", "run", *place(folder), "--web-port", "0", "--broker-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        first = child.stdout.readline()
        assert re.search(r"cannot open the store: .*; waiting until it is there$", first), first
        servers.append(start_again(servers[-1]))
        assert child.stdout.readline().startswith("pages on http://"), "the next line is that of a hub that runs"
        child.send_signal(signal.SIGTERM)
        said = child.stderr.read()
        assert child.wait() == 0
    assert " ERROR " not in said, said


class Running:
    """A hub that runs on this folder, as whoever watches it sees it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, path: str, *, of: str = "health") -> tuple[int, str]:
        where = json.loads((self._folder / "running.json").read_text())
        request = urllib.request.Request(
            where[of] + path,
            headers={"Authorization": f"Bearer {where['status_key']}", "Cookie": "cw-session=somebody"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def said_unready(self) -> str:
        status, text = self.get("/readyz")
        return text if status == 503 and "database server" in text else ""


def watch_it_go_and_come_back(
    child: subprocess.Popen[str],
    running: Running,
    servers: list[Server],
    where: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert child.stdout is not None
    assert child.stdout.readline().startswith("pages on http://")
    wait_for(running.is_ready)
    crash(servers[-1])
    assert "not ready: The database server is away: " in wait_for(running.said_unready)
    metrics = running.get("/metrics")[1]
    assert 'commonwatt_check{check="intake-store"} 2.0' in metrics
    assert "commonwatt_ready 0.0" in metrics
    assert re.search(r'^commonwatt_part_up\{part="intake".*\} 1\.0$', metrics, re.M), (
        "its processes are there all the same"
    )
    status, page = running.get("/", of="web")
    assert status == 503
    assert "database server is away. Nothing is lost" in page
    capsys.readouterr()
    assert main(["status", *where]) == 1
    told = capsys.readouterr()
    assert "is ready: no" in told.out
    assert "is running: yes" in told.out
    assert "Nothing is lost" in told.out
    assert "Start the server, or mend the way to it" in told.out
    servers.append(start_again(servers[-1]))
    wait_for(running.is_ready)


def test_a_running_hub_tells_the_truth_while_its_server_is_away(
    hub: tuple[Path, list[Server]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, servers = hub
    command = [sys.executable, "-m", "hub", "run", *place(folder), "--web-port", "0", "--broker-port", "0"]
    log = (folder / "log").open("w+")
    with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as child:
        try:
            watch_it_go_and_come_back(child, Running(folder / "hub"), servers, place(folder), capsys)
        finally:
            child.send_signal(signal.SIGTERM)
        assert child.wait() == 0
    said = (folder / "log").read_text()
    assert "a page failed" not in said
    assert "another process" not in said, "the one timetable lost its work to nobody"
    for line in said.splitlines():
        assert "ERROR" not in line or "trying again until it is back" in line, said
    assert 1 <= said.count("trying again until it is back") <= 3, "each process says it once"
    assert said.count("the store's server is back") == said.count("trying again until it is back")


def test_a_role_says_at_its_start_what_a_power_failure_may_lose(hub: tuple[Path, list[Server]]) -> None:
    folder, _ = hub
    settings = folder / "hub" / "hub.toml"
    said = settings.read_text()
    settings.write_text(said.replace('kind = "iotcore"\nallow_other_users = true', 'kind = "external"'))
    command = [sys.executable, "-m", "hub", "run", *place(folder), "--role", "worker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            lines = [child.stdout.readline() for _ in range(2)]
        finally:
            child.send_signal(signal.SIGTERM)
    settings.write_text(said)
    assert lines[0].startswith("role worker: at work")
    assert "fsync = off" in lines[1]
    assert "waits for no standby" in lines[1]


def test_what_no_waiting_mends_ends_it_at_once_in_one_line(
    hub: tuple[Path, list[Server]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, servers = hub
    address, settings = folder / "hub" / ADDRESS_NAME, folder / "hub" / "hub.toml"
    right, said = address.read_text(), settings.read_text()
    password = re.findall(r":([^:@]+)@", right)[0]

    async def ask(sql: str) -> None:
        session = await servers[-1].ask("energy")
        await session.execute(sql)
        session.terminate()

    def refused(words: str) -> None:
        capsys.readouterr()
        assert main(["run", *place(folder), "--web-port", "0", "--broker-port", "0"]) == 1
        told = capsys.readouterr().err
        assert words in told, told
        assert len(told.splitlines()) == 1
        assert password not in told

    for wrong, words in (
        (right.replace(password, "hush"), "password authentication failed"),
        (right.replace("/energy", "/nowhere"), 'database "nowhere" does not exist'),
        ("mysql://127.0.0.1/energy", "is not postgresql://"),
    ):
        address.write_text(wrong)
        refused(words)
    address.write_text(right)
    settings.write_text(said.replace(f'schema = "{SCHEMA}"', 'schema = "elsewhere"'))
    refused("no store here, or none that this role may see")
    settings.write_text(said)
    newest = f"number = (SELECT max(number) FROM {SCHEMA}.migration)"
    asyncio.run(ask(f"CREATE TABLE held AS SELECT * FROM {SCHEMA}.migration WHERE {newest}"))
    asyncio.run(ask(f"DELETE FROM {SCHEMA}.migration WHERE {newest}"))
    refused("stop the hub and run commonwatt-hub db prepare")
    asyncio.run(ask(f"INSERT INTO {SCHEMA}.migration SELECT * FROM held"))
