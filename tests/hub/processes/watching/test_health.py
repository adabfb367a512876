"""A running hub says that it is ready; when one of its processes is killed, it says which and why until it is back."""

import asyncio
import json
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from simulator.demo.processes import tree_of
from tests.benchmarks.attacks.running_hub import prepare, running
from tests.hub.processes.waiting import wait_for
from tests.hub.sending_home import SendingHome

MACHINE = socket.gethostname()[:64]
PARTS = ("intake", "pages", "timetable", "broker")


class Watched:
    """The health port of a running hub."""

    def __init__(self, where: dict[str, object]) -> None:
        self.address, self.key, self.web = str(where["health"]), str(where["status_key"]), str(where["web"])

    def get(self, path: str) -> tuple[int, str]:
        request = urllib.request.Request(self.address + path, headers={"Authorization": f"Bearer {self.key}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def is_ready(self) -> bool:
        status, text = self.get("/readyz")
        return status == 200 and text.startswith("ready\n")

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of this metric now, of the whole hub's one start."""
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                told = dict(sample.labels)
                assert told.pop("process", MACHINE) == MACHINE
                if (sample.name, told) == (f"commonwatt_{name}", labels):
                    return float(sample.value)
        return None

    def pid(self, name: str) -> int:
        parts = {part["name"]: part for part in json.loads(self.get("/health.json")[1])["parts"]}
        return int(parts[name]["use"]["pid"])


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched") / "hub"
    asyncio.run(prepare(folder, [SendingHome("h01")]))
    with running(folder) as where:
        yield Watched(json.loads((folder / "running.json").read_text()) | where)


@pytest.mark.parametrize("name", PARTS)
def test_a_killed_process_is_named_until_it_is_back(hub: Watched, name: str) -> None:
    wait_for(hub.is_ready)
    before = hub.metric("part_restarts_total", part=name)
    assert before is not None
    os.kill(tree_of(hub.pid(name))[-1], signal.SIGKILL)

    def named() -> str | None:
        status, text = hub.get("/readyz")
        found = [line for line in text.splitlines() if f"The process {name} is not running: it ended at" in line]
        return found[0] if status == 503 and found else None

    line = wait_for(named)
    assert line.startswith("not ready: ")
    assert "signal 9" in line or "exit code" in line
    wait_for(hub.is_ready)
    assert hub.metric("part_restarts_total", part=name) == before + 1
    assert hub.metric("part_up", part=name) == 1


def test_every_process_of_the_hub_is_measured(hub: Watched) -> None:
    wait_for(hub.is_ready)
    for name in ("hub", *PARTS):
        assert (hub.metric("part_resident_bytes", part=name) or 0) > 1 << 20
        assert (hub.metric("part_open_files", part=name) or 0) > 2


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/healthz", "/health.json"])
def test_the_members_port_has_none_of_it(hub: Watched, path: str) -> None:
    wait_for(hub.is_ready)
    members = Watched({"health": hub.web, "web": hub.web, "status_key": hub.key})
    assert members.get(path)[0] == 404
    assert hub.get(path)[0] == 200


def test_a_stranger_on_this_computer_is_not_told_the_facts(hub: Watched) -> None:
    stranger = Watched({"health": hub.address, "web": hub.web, "status_key": "x"})
    assert stranger.get("/health.json")[0] == 401
    assert stranger.get("/healthz")[0] == 200
