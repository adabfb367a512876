"""`demo-scale` in a small form: a database server, a cluster, five processes, one of them killed, and the same hash."""

import json
import os
import pwd
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.demo.hubs.mosquitto import find_mosquitto
from simulator.demo.hubs.rabbitmq import server_folder
from simulator.demo.processes import SETPRIV
from tests.simulator.demo.test_ending import HANGS_AFTER_S, ROOT, Start, Started

SMALL = (sys.executable, "-m", "simulator", "demo-scale", "--homes", "3", "--days", "2")
SLOW_S = 1500
"""Erlang takes its time to start on a busy computer."""
NEEDS = {
    "rabbitmq": pytest.mark.skipif(server_folder() is None, reason="RabbitMQ is not here: .ci/rabbitmq unpacks it"),
    "mosquitto": pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here"),
}
BROKERS = [pytest.param(name, marks=mark) for name, mark in NEEDS.items()]
pytestmark = [
    pytest.mark.campaign,
    pytest.mark.timeout(2 * SLOW_S),
    pytest.mark.skipif(SETPRIV is None, reason="setpriv (util-linux) is not installed"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Open to all, as PostgreSQL and an ordinary user need it where root runs the tests; pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="cw-demo-") as made:
        Path(made).chmod(0o777)
        yield Path(made)


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    starting = Start(folder)
    yield starting
    for one in starting.all:
        one.end()


def users() -> list[str | None]:
    """Who runs it: we, and where root runs the tests an ordinary user as well."""
    return [None, "nobody"] if os.geteuid() == 0 else [None]


def as_user(name: str | None) -> dict[str, Any]:
    """The arguments of subprocess for this user. Skips the test where Python is closed to everybody else."""
    if name is None:
        return {}
    found: dict[str, Any] = {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
    try:
        subprocess.run([sys.executable, "-c", "import simulator"], cwd=ROOT, check=True, capture_output=True, **found)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{name} may not run this Python or read this checkout")
    return found


@pytest.mark.parametrize("brokers", BROKERS)
@pytest.mark.parametrize("user", users())
def test_it_settles_as_the_ordinary_demonstration_does_and_leaves_nothing(
    folder: Path, brokers: str, user: str | None
) -> None:
    report, other = folder / "report.json", folder / "other.json"
    done = subprocess.run(
        (*SMALL, "--brokers", brokers, "--report", str(report), "--against", str(other)),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SLOW_S,
        **as_user(user),
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-3000:]
    assert done.stdout.splitlines()[-1] == "the same as make demo"
    assert re.search(
        r"intake-1 is killed, intake-2 takes over its homes\n(.*\n)*.*every home has its receipts", done.stdout
    )
    found, ordinary = (json.loads(path.read_text(encoding="utf-8")) for path in (report, other))
    assert found["settlement_hash"] == ordinary["settlement_hash"]
    assert all(each["holds"] for each in found["invariants"].values())
    assert found["messages"]["stored"] == ordinary["messages"]["stored"]
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == []


def assert_engines_run(started: Started, brokers: str) -> None:
    lines = " ".join(started.marked().values())
    engine = {"rabbitmq": "beam.smp", "mosquitto": "mosquitto -c"}[brokers]
    assert all(words in lines for words in ("/postgres ", engine, "--role intake")), lines


@pytest.mark.parametrize("brokers", BROKERS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_it(start: Start, brokers: str, number: signal.Signals) -> None:
    demo = start((*SMALL, "--brokers", brokers, "--report", str(start.folder / "report.json")))
    demo.read_until("Sending")
    assert_engines_run(demo, brokers)
    demo.process.send_signal(number)
    _, errors = demo.process.communicate(timeout=HANGS_AFTER_S)
    assert demo.left() == {}
    if number == signal.SIGTERM:
        assert demo.process.returncode == 128 + number
        assert errors.splitlines() == ["commonwatt-sim: demo-scale: stopped by SIGTERM; nothing is left running"]
        assert list(start.folder.iterdir()) == []
