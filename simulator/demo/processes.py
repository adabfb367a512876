"""Starts, watches and ends the programs of a demonstration as real processes, and reads what they cost from /proc.

Only processes started here are ever signalled. Costs are those of the whole process tree, finished children included.
"""

import os
import pwd
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import IO, Any

from simulator.errors import DemoError

CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STOP_WITHIN_S = 15.0
WAIT_S = 120.0
ASK_EVERY_S = 0.03
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SAMPLE_EVERY_S = 0.5
SURE_EVERY_S = 10.0
GROWN_BY = 1.01
SETPRIV = shutil.which("setpriv")
ONLY_UNDER_DIRECTOR = '[ "$PPID" = "$0" ] && exec "$@"'
"""A shell's line: become the command, unless the director was gone before the kernel was asked to watch it."""


def end_with_director(command: Sequence[str], director: int, number: signal.Signals = signal.SIGTERM) -> list[str]:
    """The command so that the kernel ends it by this signal when its parent `director` is gone, even killed, or the
    thread of it that started the command; as it is without setpriv.

    The kernel tells of no end that came before it was asked, so a program that is only being started then looks itself.
    """
    if SETPRIV is None:
        return list(command)
    name = number.name.removeprefix("SIG")
    return [SETPRIV, "--pdeathsig", name, "--", "/bin/sh", "-c", ONLY_UNDER_DIRECTOR, str(director), *command]


@dataclass
class ChildProcess:
    """One running program with its log file."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path
    end_by: signal.Signals = signal.SIGTERM
    last_cpu_s: float = 0.0

    def check(self) -> None:
        """Raises: DemoError when the program is gone."""
        code = self.process.poll()
        if code is not None:
            raise DemoError(f"{self.name} ended with exit code {code}: {last_lines(self.log_path)}")

    def cpu_s(self) -> float:
        """CPU seconds of the program and everything it started, so far."""
        self.last_cpu_s = max(self.last_cpu_s, sum(cpu_s_of(pid) for pid in tree_of(self.process.pid)))
        return self.last_cpu_s


@dataclass
class ChildProcesses:
    """All programs of a demonstration; `stop` leaves nothing running.

    `running` serve until they are stopped; `finishing` exit when their work is done; `engines` are what those rest on,
    a database or a broker: they end last.
    """

    folder: Path
    environment: Mapping[str, str]
    running: list[ChildProcess] = field(default_factory=list)
    finishing: list[ChildProcess] = field(default_factory=list)
    engines: list[ChildProcess] = field(default_factory=list)
    is_ending: bool = False
    _commands: set["subprocess.Popen[str]"] = field(default_factory=set)
    _open_logs: list[IO[bytes]] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str], *, finishes: bool = False) -> ChildProcess:
        """Start a program; what it prints goes to `<folder>/<name>.log`. Raises: DemoError while ending."""
        return self._started(name, command, self.finishing if finishes else self.running)

    def start_engine(
        self,
        name: str,
        command: Sequence[str],
        *,
        end_by: signal.Signals,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> ChildProcess:
        """Start what others rest on, which ends by this signal; perhaps as another user, or in its own environment.

        Call it in the main thread: the engine ends with the thread. Raises: DemoError while ending.
        """
        return self._started(name, command, self.engines, end_by=end_by, user=user, environment=environment)

    def _started(
        self,
        name: str,
        command: Sequence[str],
        among: list[ChildProcess],
        *,
        end_by: signal.Signals = signal.SIGTERM,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> ChildProcess:
        self._check_not_ending()
        log_path = self.folder / f"{name}.log"
        log = log_path.open("ab")
        self._open_logs.append(log)
        process = subprocess.Popen(
            end_with_director(command, os.getpid(), end_by),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(self.environment if environment is None else environment),
            start_new_session=True,
            **as_user(user),
        )
        program = ChildProcess(name, process, log_path, end_by)
        among.append(program)
        if self.is_ending:  # the signal came between the check and the start
            process.send_signal(end_by)
        return program

    def run(
        self, command: Sequence[str], *, user: str | None = None, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end and return what it printed. Raises: DemoError while ending."""
        self._check_not_ending()
        with subprocess.Popen(
            end_with_director(command, os.getpid()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(self.environment if environment is None else environment),
            text=True,
            start_new_session=True,
            **as_user(user),
        ) as process:
            self._commands.add(process)
            try:
                if self.is_ending:
                    process.terminate()
                printed, errors = process.communicate()
            except BaseException:
                process.kill()
                raise
            finally:
                self._commands.discard(process)
        self._check_not_ending()
        return subprocess.CompletedProcess(process.args, process.returncode, printed, errors)

    def check(self) -> None:
        """Raises: DemoError when any program is gone, or everything is to end."""
        self._check_not_ending()
        for program in (*self.engines, *self.running):
            program.check()

    def wait(
        self,
        what: str,
        ready: Callable[[], bool],
        *,
        within_s: float = WAIT_S,
        every_s: float = ASK_EVERY_S,
        progress: Callable[[], object] | None = None,
    ) -> None:
        """Until `ready`, while all programs live. Raises: DemoError.

        With `progress`, it gives up only once what that returns has not changed for `within_s`: a larger street takes
        longer, but it never stands still that long.
        """
        until, seen = time.monotonic() + within_s, progress() if progress else None
        while not ready():
            self.check()
            if progress is not None and (now := progress()) != seen:
                until, seen = time.monotonic() + within_s, now
            if time.monotonic() > until:
                stood = "without any progress " if progress else ""
                raise DemoError(f"waited {within_s:.0f} s {stood}for {what}; see {self.folder}")
            time.sleep(every_s)

    def _check_not_ending(self) -> None:
        if self.is_ending:
            raise DemoError("it was asked to end")

    def end(self) -> None:
        """Ask all but the engines to end, without waiting: fit for a signal handler. `check` raises from now on."""
        self.is_ending = True
        for command in tuple(self._commands):
            command.send_signal(signal.SIGTERM)
        for program in (*self.finishing, *self.running):
            program.process.send_signal(signal.SIGTERM)

    def kill(self, program: ChildProcess) -> None:
        """End a program with all that it has started, at once, as a machine that loses its power would."""
        program.cpu_s()
        self.running.remove(program)
        os.killpg(program.process.pid, signal.SIGKILL)
        program.process.wait()

    def rest(self) -> None:
        """Ask every program but the engines to end, newest first, and wait; what does not end in time is killed with
        its children."""
        programs = [*self.finishing, *self.running]
        _end_in_time(programs, is_asked=self.is_ending)
        # What they cost counts from now on as that of finished children.
        self.running.clear()
        self.finishing.clear()

    def stop(self) -> None:
        """The same, and then the engines, whose clients have ended."""
        self.rest()
        _end_in_time(self.engines, is_asked=False)
        self.engines.clear()
        for log in self._open_logs:
            log.close()
        self._open_logs.clear()


def _end_in_time(programs: Sequence[ChildProcess], *, is_asked: bool) -> None:
    for program in reversed(programs):
        program.cpu_s()
        if not is_asked:
            program.process.send_signal(program.end_by)
    until = time.monotonic() + STOP_WITHIN_S
    for program in reversed(programs):
        try:
            program.process.wait(timeout=max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            program.process.kill()
            program.process.wait()
        # Whatever a program started and left behind is in its own process group.
        with suppress(ProcessLookupError):
            os.killpg(program.process.pid, signal.SIGKILL)


def as_user(name: str | None) -> dict[str, Any]:
    """How a process is started as somebody else, which only root can do; None: as oneself."""
    return {} if name is None else {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": [], "cwd": "/"}


class MemoryWatch:
    """Keeps the peak of the proportional memory (PSS) of this process and everything it started, together.

    Asking for PSS walks all page tables, so resident sizes are looked at first: only a sum that has grown, or
    SURE_EVERY_S, is worth it. What grew by less than GROWN_BY since may be missing from the peak.
    """

    def __init__(self, programs: ChildProcesses) -> None:
        self._programs = programs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory-watch", daemon=True)
        self._sampled_rss_bytes = 0
        self._sampled_at = -inf
        self.peak_bytes = 0
        self.peak_by_program: dict[str, int] = {}

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def sample_if_grown(self) -> None:
        """A sample if resident sizes give a reason for one."""
        rss_bytes = sum(map(rss_bytes_of, tree_of(os.getpid())))
        now_s = time.monotonic()
        if rss_bytes > self._sampled_rss_bytes * GROWN_BY or now_s - self._sampled_at >= SURE_EVERY_S:
            self._sampled_rss_bytes, self._sampled_at = max(rss_bytes, self._sampled_rss_bytes), now_s
            self.sample()

    def sample(self) -> None:
        """The proportional sizes as they are now."""
        sizes = {pid: pss_bytes(pid) for pid in tree_of(os.getpid())}
        self.peak_bytes = max(self.peak_bytes, sum(sizes.values()))
        shares = {
            program.name: sum(sizes.get(pid, 0) for pid in tree_of(program.process.pid))
            for program in [*self._programs.engines, *self._programs.running]
        }
        for name, size in {**shares, "demo": sizes[os.getpid()]}.items():
            self.peak_by_program[name] = max(self.peak_by_program.get(name, 0), size)

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            self.sample_if_grown()


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


def rss_bytes_of(pid: int) -> int:
    """Resident set size, shared pages counted in each process; 0 when the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return 0


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
    return " | ".join(text.strip().splitlines()[-lines:]) or "it printed nothing"
