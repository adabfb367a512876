"""The programs of a demonstration end when asked, including those that would finish later."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simulator.demo.processes import SETPRIV, ChildProcesses
from simulator.errors import DemoError

SLEEPER = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
HANGS_AFTER_S = 60
ROOT = Path(__file__).parents[3]
SLOW_START = """
import os, sys, time
while os.getppid() == int(sys.argv[1]):
    time.sleep(0.01)  # the kernel wakes nobody when a process gets a new parent: it has to look again
os.execv(sys.argv[2], sys.argv[2:])
"""
KILLED_WHILE_STARTING = f"""
import os, subprocess, sys
from simulator.demo.processes import end_with_director
command = end_with_director(sys.argv[1:], os.getpid())
subprocess.Popen([sys.executable, "-c", {SLOW_START!r}, str(os.getpid()), *command])
os.kill(os.getpid(), 9)
"""
"""A director that is killed before what it starts has come as far as asking the kernel."""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[ChildProcesses]:
    made = ChildProcesses(tmp_path, {})
    yield made
    made.stop()


def sleeper(path: Path) -> list[str]:
    return [sys.executable, "-c", SLEEPER, str(path)]


def wait_for(path: Path) -> None:
    given_up_at = time.monotonic() + HANGS_AFTER_S
    while not path.exists():
        assert time.monotonic() < given_up_at, f"no {path.name}"
        time.sleep(0.02)


def test_stop_ends_what_serves_and_what_was_to_finish(programs: ChildProcesses, tmp_path: Path) -> None:
    both = [programs.start(name, sleeper(tmp_path / name), finishes=name == "b") for name in ("a", "b")]
    for program in both:
        wait_for(tmp_path / program.name)
    programs.check()
    programs.stop()
    assert [program.process.returncode for program in both] == [-15, -15]


def test_engines_end_last_by_their_own_signal_and_outlast_a_rest(programs: ChildProcesses, tmp_path: Path) -> None:
    engine = programs.start_engine("engine", sleeper(tmp_path / "engine"), end_by=signal.SIGQUIT)
    serving = programs.start("serving", sleeper(tmp_path / "serving"))
    for program in (engine, serving):
        wait_for(tmp_path / program.name)
    programs.rest()
    assert serving.process.returncode == -signal.SIGTERM
    programs.check()
    assert engine.process.poll() is None
    again = programs.start("again", sleeper(tmp_path / "again"))
    wait_for(tmp_path / "again")
    programs.end()
    assert again.process.wait(HANGS_AFTER_S) == -signal.SIGTERM
    assert engine.process.poll() is None, "who serves may still need it"
    programs.stop()
    assert engine.process.returncode == -signal.SIGQUIT


def test_an_engine_that_is_gone_is_told(programs: ChildProcesses) -> None:
    command = [sys.executable, "-c", "import os; print(os.environ['OWN'])"]
    engine = programs.start_engine("engine", command, end_by=signal.SIGTERM, environment={"OWN": "its last words"})
    engine.process.wait(HANGS_AFTER_S)
    with pytest.raises(DemoError, match="engine ended with exit code 0: its last words"):
        programs.check()


def test_a_finished_program_does_not_count_as_gone(programs: ChildProcesses) -> None:
    finished = programs.start("done", [sys.executable, "-c", ""], finishes=True)
    finished.process.wait(HANGS_AFTER_S)
    programs.check()
    programs.start("gone", [sys.executable, "-c", ""]).process.wait(HANGS_AFTER_S)
    with pytest.raises(DemoError, match="gone ended with exit code 0"):
        programs.check()


def test_a_command_gives_its_status_and_what_it_printed(programs: ChildProcesses) -> None:
    done = programs.run([sys.executable, "-c", "import sys; print('out'); sys.exit('err')"])
    assert (done.returncode, done.stdout, done.stderr) == (1, "out\n", "err\n")


def test_end_breaks_off_a_command_and_lets_nothing_more_begin(programs: ChildProcesses, tmp_path: Path) -> None:
    serving = programs.start("serving", sleeper(tmp_path / "serving"))
    with ThreadPoolExecutor(max_workers=1) as aside:
        running = aside.submit(programs.run, sleeper(tmp_path / "command"))
        wait_for(tmp_path / "serving")
        wait_for(tmp_path / "command")
        programs.end()
        with pytest.raises(DemoError, match="it was asked to end"):
            running.result(HANGS_AFTER_S)
    assert serving.process.wait(HANGS_AFTER_S) == -15
    for begin in (lambda: programs.start("late", ["true"]), lambda: programs.run(["true"]), programs.check):
        with pytest.raises(DemoError, match="it was asked to end"):
            begin()
    assert not (tmp_path / "late.log").exists()


@pytest.mark.skipif(not SETPRIV, reason="setpriv (util-linux) is not installed")
def test_a_program_whose_director_was_killed_while_it_was_started_does_not_run(tmp_path: Path) -> None:
    """The kernel was asked too late to tell of the director's end, and the program stayed for ever."""
    ran = tmp_path / "ran"
    program = [sys.executable, "-c", "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()", str(ran)]
    killed = subprocess.Popen([sys.executable, "-c", KILLED_WHILE_STARTING, *program], cwd=ROOT, stdout=subprocess.PIPE)
    # What was being started has its output as well: this ends when both have.
    killed.communicate(timeout=HANGS_AFTER_S)
    assert killed.returncode == -9
    assert not ran.exists()


class PassingTime:
    """Time that passes while somebody sleeps."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_waiting_ends_without_progress_and_goes_on_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.demo.processes.time", PassingTime())
    programs = ChildProcesses(tmp_path, {})
    asked: list[int] = []

    def ready() -> bool:
        asked.append(1)
        return len(asked) >= 50

    programs.wait("slow work", ready, within_s=20, every_s=2, progress=lambda: len(asked))
    assert len(asked) == 50
    with pytest.raises(DemoError, match=r"waited 20 s without any progress for standing work; see .*"):
        programs.wait("standing work", lambda: False, within_s=20, every_s=2, progress=lambda: 7)
    with pytest.raises(DemoError, match=r"waited 20 s for other work"):
        programs.wait("other work", lambda: False, within_s=20, every_s=2)
