"""A demonstration exits when done if it has no terminal, and a signal to it or to make leaves no process running."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from simulator.demo.ending import StopSignals
from simulator.demo.processes import SETPRIV

ROOT = Path(__file__).parents[3]
SMALL = ("--homes", "2", "--days", "1")
DEMO = (sys.executable, "-m", "simulator", "demo", *SMALL)
MAKE = ("make", "-o", "setup", "demo", f"PY={sys.executable}", f"DEMO_OPTIONS={' '.join(SMALL)}")
"""The recipe without the set-up, in the environment the tests run in."""
HANGS_AFTER_S = 120
EARLY, LATE = "Sending", "real speed"
"""Words of the stages in which a signal comes: while commands run and recordings are made, and on the live day."""


def environment(**more: str) -> dict[str, str]:
    """This process's, without what a make or a CI around the tests adds."""
    return {name: text for name, text in os.environ.items() if not name.startswith(("CI", "MAKE", "MFLAGS"))} | more


class Started:
    """A command as a real process in a session of its own; all it starts carries a mark in the environment."""

    def __init__(self, command: Sequence[str], folder: Path, **streams: int) -> None:
        mark = uuid.uuid4().hex
        self._mark = f"COMMONWATT_TEST_MARK={mark}".encode()
        self.process = subprocess.Popen(
            # The tests may run under nohup or in a shell's background; a program keeps what it was told to ignore.
            ("env", "--default-signal=HUP,INT,TERM", *command),
            cwd=ROOT,
            env=environment(COMMONWATT_TEST_MARK=mark, TMPDIR=str(folder)),
            text=True,
            start_new_session="setsid" not in command,
            **({"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams),
        )

    def marked(self) -> dict[int, str]:
        """The living processes that carry the mark, with their command lines."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it ended while we looked, or is another user's
        return found

    def read_until(self, words: str) -> None:
        """Read what it prints up to the line with these words."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        if not any(words in line for line in self.process.stdout):
            raise AssertionError(f"it ended before it printed {words!r}: {self.process.stderr.read()}")

    def left(self) -> dict[int, str]:
        """The marked processes that do not end."""
        given_up_at = time.monotonic() + HANGS_AFTER_S
        while (found := self.marked()) and time.monotonic() < given_up_at:
            time.sleep(0.05)
        return found

    def end(self) -> None:
        """Whatever the test found, leave nothing."""
        for pid in self.marked():
            os.kill(pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def start(tmp_path: Path) -> Iterator["Start"]:
    starting = Start(tmp_path)
    yield starting
    for one in starting.all:
        one.end()


class Start:
    """Starts commands and keeps them for the end of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Started] = []

    def __call__(self, command: Sequence[str], **streams: int) -> Started:
        self.all.append(Started(command, self.folder, **streams))
        return self.all[-1]


def assert_programs_run(started: Started) -> None:
    """Without this a test could pass before anything was started."""
    lines = " ".join(started.marked().values())
    assert all(f" -m {module} " in lines for module in ("simulator street", "hub run")), lines


@pytest.mark.parametrize(
    ("number", "stage"),
    [
        pytest.param(signal.SIGTERM, EARLY, marks=pytest.mark.campaign),  # in every run: the same signal to make
        (signal.SIGHUP, LATE),
        (signal.SIGINT, EARLY),
    ],
)
def test_a_signal_ends_the_demonstration_with_all_it_started(start: Start, number: signal.Signals, stage: str) -> None:
    demo = start(DEMO)
    demo.read_until(stage)
    assert_programs_run(demo)
    demo.process.send_signal(number)
    _, errors = demo.process.communicate(timeout=HANGS_AFTER_S)
    assert demo.left() == {}
    assert demo.process.returncode == 128 + number
    assert errors.splitlines() == [f"commonwatt-sim: demo: stopped by {number.name}; nothing is left running"]
    assert list(start.folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.campaign)])
def test_a_signal_to_make_ends_the_demonstration(start: Start, number: signal.Signals) -> None:
    make = start(MAKE)
    make.read_until(EARLY)
    assert_programs_run(make)
    make.process.send_signal(number)
    _, errors = make.process.communicate(timeout=HANGS_AFTER_S)
    assert make.left() == {}
    assert make.process.returncode != 0
    assert errors.count(f"commonwatt-sim: demo: stopped by {number.name}; nothing is left running\n") == 1
    assert "Traceback" not in errors


@pytest.mark.skipif(not SETPRIV, reason="setpriv (util-linux) is not installed")
@pytest.mark.parametrize("command", [DEMO, MAKE], ids=["demo", "make"])
def test_nothing_outlives_a_demonstration_or_a_make_that_is_killed(start: Start, command: Sequence[str]) -> None:
    killed = start(command)
    killed.read_until(EARLY)
    assert_programs_run(killed)
    killed.process.kill()
    killed.process.wait()
    assert killed.left() == {}


def test_a_terminal_that_closes_ends_the_demonstration(start: Start) -> None:
    terminal, theirs = pty.openpty()
    demo = start(("setsid", "--ctty", *DEMO), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    with closing(os.fdopen(terminal, "rb", buffering=0)) as screen:
        shown = b""
        while EARLY.encode() not in shown:
            shown += screen.read(4096)
        assert_programs_run(demo)
        assert b"running once" not in shown
    assert demo.process.wait(HANGS_AFTER_S) == 128 + signal.SIGHUP
    assert demo.left() == {}


@pytest.mark.parametrize(
    ("variables", "is_attended"), [({}, True), ({"CI": "false"}, True), ({"CI": "true"}, False), ({"CI": "1"}, False)]
)
def test_with_a_terminal_ci_decides_whether_it_ends_by_itself(variables: dict[str, str], is_attended: bool) -> None:
    code = "import os, sys; from simulator.demo.ending import is_attended; sys.exit(not is_attended(os.environ))"
    terminal, theirs = pty.openpty()
    command, set_to = (sys.executable, "-c", code), environment(**variables)
    with closing(os.fdopen(terminal)), closing(os.fdopen(theirs)) as both:
        asked = subprocess.run(command, cwd=ROOT, env=set_to, stdin=both, stdout=both, check=False)
        assert (asked.returncode == 0) is is_attended
        for half in ({"stdin": both, "stdout": subprocess.DEVNULL}, {"stdin": subprocess.DEVNULL, "stdout": both}):
            assert subprocess.run(command, cwd=ROOT, env=set_to, **half, check=False).returncode == 1


def test_a_signal_that_was_ignored_before_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.received is None
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.received is signal.SIGTERM
            asked: list[str] = []
            signals.call(lambda: asked.append("end"))
            assert asked == ["end"]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_without_a_terminal_it_ends_by_itself_and_fails_when_an_invariant_fails(start: Start) -> None:
    data, report = start.folder / "data", start.folder / "report.json"
    demo = start((*DEMO, "--rate", "6000", "--data", str(data), "--report", str(report)))
    demo.read_until(EARLY)
    (data / "logs" / "found.log").write_text("Traceback (most recent call last):\n", encoding="utf-8")
    printed, errors = demo.process.communicate(timeout=3 * HANGS_AFTER_S)
    assert (demo.process.returncode, errors) == (1, ""), printed
    assert demo.left() == {}
    invariants = json.loads(report.read_text(encoding="utf-8"))["invariants"]
    assert {name for name, found in invariants.items() if not found["holds"]} == {"I10 no secret in a log"}
