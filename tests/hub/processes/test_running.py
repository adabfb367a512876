"""A running hub is several processes: each may be killed, and what the pages suffer delays no receipt."""

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from hub.broker.mosquitto_files import find_mosquitto
from hub.folder.keys.hub_key import load_key
from hub.folder.paths import KEY_NAME
from simulator.demo.processes import tree_of
from tests.benchmarks.attacks.running_hub import HonestHome, line_of, prepare, running
from tests.hub.processes.waiting import wait_for
from tests.hub.sending_home import SendingHome

HALF_OPEN = 1100
PARTS = ("intake", "pages", "timetable", "broker")


class Running:
    """The hub of a folder, with a home that sends to it."""

    def __init__(self, folder: Path, where: dict[str, object], home: SendingHome) -> None:
        self.address, self._key, self.pid = str(where["web"]), str(where["status_key"]), int(str(where["pid"]))
        self.home = HonestHome(
            home, line=line_of(folder, where, home), hub_key=load_key(folder / KEY_NAME).public_key()
        )

    def status(self) -> dict[str, Any] | None:
        """What the hub says of itself; None while the pages do not answer."""
        request = urllib.request.Request(
            f"{self.address}/api/status.json", headers={"Authorization": f"Bearer {self._key}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, urllib.error.URLError):
            return None

    def processes(self) -> dict[str, dict[str, int]]:
        found = wait_for(self.status)["processes"]
        assert set(found) == set(PARTS)
        return dict(found)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder, home = tmp_path_factory.mktemp("split") / "hub", SendingHome("h01")
    asyncio.run(prepare(folder, [home]))
    with running(folder) as where:
        found = Running(folder, where, home)
        found.home.begin()
        yield found
        found.home.close()


def test_intake_runs_without_numpy(hub: Running) -> None:
    found = hub.processes()
    hub.home.begin()
    loaded = {name: Path(f"/proc/{found[name]['pid']}/maps").read_text() for name in ("intake", "timetable")}
    assert "/numpy/" in loaded["timetable"]
    assert "/numpy/" not in loaded["intake"]


@pytest.mark.parametrize("name", PARTS)
def test_a_process_that_is_killed_comes_back_and_the_others_go_on(hub: Running, name: str) -> None:
    kill(hub, name)


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here")
def test_with_mosquitto_homes_elsewhere_get_receipts_again_after_each_is_killed(tmp_path: Path) -> None:
    folder, home = tmp_path / "hub", SendingHome("h01")
    asyncio.run(prepare(folder, [home], broker="mosquitto"))
    with running(folder) as where:
        hub = Running(folder, where, home)
        hub.home.begin()
        assert "mosquitto" in Path(f"/proc/{tree_of(hub.processes()['broker']['pid'])[-1]}/cmdline").read_text()
        for name in PARTS:
            kill(hub, name)
        hub.home.close()


def kill(hub: Running, name: str) -> None:
    """End this process at once. It comes back, the others go on, and the home gets receipts before and after that."""
    before = hub.processes()
    # The broker's own process is below the one that ends it with the hub.
    os.kill(tree_of(before[name]["pid"])[-1], signal.SIGKILL)
    hub.home.begin()

    def after() -> dict[str, dict[str, int]] | None:
        found = hub.processes()
        is_back = found[name]["restarts"] > before[name]["restarts"] and found[name]["pid"]
        return found if is_back and wait_for(hub.status)["broker_connected"] else None

    found = wait_for(after)
    assert {other: found[other] for other in PARTS if other != name} == {
        other: before[other] for other in PARTS if other != name
    }
    hub.home.begin()


def test_half_open_connections_and_a_slow_request_keep_no_receipt_back(hub: Running) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4 * HALF_OPEN), most))
    host, _, port = hub.address.removeprefix("http://").rpartition(":")
    with ExitStack() as held:
        for number in range(HALF_OPEN):
            link = held.enter_context(closing(socket.create_connection((host, int(port)), timeout=30)))
            link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" if number else b"POST /api/enrol HTTP/1.1\r\nHost: x\r\n")
        assert len(hub.home.receipts_for(1.0)) > 0


def test_nothing_is_left_of_a_hub_that_was_killed_or_asked_to_end(tmp_path: Path) -> None:
    folder, home = tmp_path / "hub", SendingHome("h01")
    asyncio.run(prepare(folder, [home]))
    with running(folder) as where:
        killed = tree_of(int(str(where["pid"])))
        os.kill(killed[0], signal.SIGKILL)
        wait_for(lambda: not alive(killed[1:]))
    assert len(killed) > len(PARTS)
    (folder / "running.json").unlink()
    with running(folder) as where:
        ended = tree_of(int(str(where["pid"])))
    assert len(ended) > len(PARTS)
    assert not alive(ended)


def alive(pids: list[int]) -> list[int]:
    """Those of them that still run. One that nobody has waited for yet does not."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        found += [pid] if state != "Z" else []
    return found


def test_a_part_that_cannot_start_is_one_line_and_ends_the_hub(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    asyncio.run(prepare(folder, [SendingHome("h01")]))
    (folder / "broker" / "client-id").mkdir(parents=True)
    command = [sys.executable, "-m", "hub", "run", "--data", str(folder), "--web-port", "0", "--broker-port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    # On a busy machine, a part that is still starting may have to be killed: that is another matter.
    errors = [line for line in done.stderr.splitlines() if " INFO " not in line and "did not stop within" not in line]
    assert done.returncode == 1
    assert [line for line in errors if "client-id: cannot write it" in line] == errors
    assert len(errors) == 1


def test_a_part_alone_says_what_to_start() -> None:
    command = [sys.executable, "-m", "hub.processes.part", "intake", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        ["this is a part of a running hub: start the whole with commonwatt-hub run"],
    )
