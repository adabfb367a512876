"""Starts, watches and ends the programs of a demonstration as real processes, and reads what they cost from /proc.

Only processes started here are ever signalled. Costs are those of the whole process tree, finished children included.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STOP_WITHIN_S = 15.0
SAMPLE_EVERY_S = 0.5


class ProgramEndedError(Exception):
    """A program of the demonstration ended before it should; says which, how, and its last words."""


@dataclass
class Program:
    """One running program with its log file."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path
    last_cpu_s: float = 0.0

    def check(self) -> None:
        """Raises: ProgramEndedError when the program is gone."""
        code = self.process.poll()
        if code is not None:
            raise ProgramEndedError(f"{self.name} ended with exit code {code}: {last_lines(self.log_path)}")

    def cpu_s(self) -> float:
        """CPU seconds of the program and everything it started, so far."""
        self.last_cpu_s = max(self.last_cpu_s, sum(cpu_s_of(pid) for pid in tree_of(self.process.pid)))
        return self.last_cpu_s


@dataclass
class Programs:
    """All programs of a demonstration; `stop` leaves nothing running."""

    folder: Path
    environment: Mapping[str, str]
    running: list[Program] = field(default_factory=list)
    _open_logs: list[IO[bytes]] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str]) -> Program:
        """Start a program; what it prints goes to `<folder>/<name>.log`."""
        log_path = self.folder / f"{name}.log"
        log = log_path.open("ab")
        self._open_logs.append(log)
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(self.environment),
            start_new_session=True,
        )
        program = Program(name, process, log_path)
        self.running.append(program)
        return program

    def check(self) -> None:
        """Raises: ProgramEndedError when any program is gone."""
        for program in self.running:
            program.check()

    def stop(self) -> None:
        """Ask every program to end, newest first, and wait; what does not end in time is killed with its children."""
        for program in reversed(self.running):
            program.cpu_s()
            if program.process.poll() is None:
                program.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_WITHIN_S
        for program in reversed(self.running):
            try:
                program.process.wait(timeout=max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                program.process.kill()
                program.process.wait()
            # Whatever a program started and left behind is in its own process group.
            with suppress(ProcessLookupError):
                os.killpg(program.process.pid, signal.SIGKILL)
        for log in self._open_logs:
            log.close()


class MemoryWatch:
    """Samples the proportional memory (PSS) of this process and all programs together, and keeps the peak."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory-watch", daemon=True)
        self.peak_bytes = 0
        self.peak_by_program: dict[str, int] = {}

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def sample(self) -> None:
        """One look."""
        sizes = {
            program.name: sum(map(pss_bytes, tree_of(program.process.pid))) for program in list(self._programs.running)
        }
        sizes["demo"] = pss_bytes(os.getpid())
        self.peak_bytes = max(self.peak_bytes, sum(sizes.values()))
        for name, size in sizes.items():
            self.peak_by_program[name] = max(self.peak_by_program.get(name, 0), size)

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            self.sample()


def tree_of(pid: int) -> list[int]:
    """The process and all its living descendants."""
    found, ask = [], [pid]
    while ask:
        one = ask.pop()
        found.append(one)
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                ask.extend(int(child) for child in (task / "children").read_text().split())
        except OSError:
            continue  # it ended while we looked
    return found


def cpu_s_of(pid: int) -> float:
    """CPU seconds of one process and its finished children; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / CLOCK_TICKS_PER_S


def pss_bytes(pid: int) -> int:
    """Proportional set size: shared pages count once over all who share them; 0 when the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def last_lines(path: Path, *, lines: int = 3) -> str:
    """The last words of a log, on one line."""
    try:
        text = path.read_bytes()[-4096:].decode("utf-8", "replace")
    except OSError:
        return "no log"
    return " | ".join(text.strip().splitlines()[-lines:]) or "it said nothing"
