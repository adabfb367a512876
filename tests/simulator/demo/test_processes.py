"""The programs of a demonstration end when asked, including those that would finish later."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simulator.demo.processes import ChildProcesses
from simulator.errors import DemoError

SLEEPER = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
HANGS_AFTER_S = 60


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
