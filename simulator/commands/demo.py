"""`commonwatt-sim demo`: the whole way of a reading, a prompt and a credit, end to end, on this one computer."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from simulator.demo.director import LIVE_RATE, REST_RATE, Demo
from simulator.demo.ending import StopSignals, has_terminal, is_attended
from simulator.demo.report import report_lines
from simulator.demo.walk import line_faults, print_links, run_demo_stages
from simulator.errors import DemoError

REPORT_FILE = "demo-report.json"
PORTS = (8400, 1883)
HOMES_MAX = 40
DAYS_MAX = 60


def add_demo_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The options of `demo`."""
    parser = commands.add_parser("demo", help="a whole co-op on this computer: history, one live day, pages to look at")
    parser.add_argument("--once", action="store_true", help="exit when done, as without a terminal or with CI set")
    add_street_options(parser, report=REPORT_FILE)
    parser.add_argument(
        "--counts-apart",
        action="store_true",
        help="as `street` takes it; the co-op's rule then lets derived energy count. Readings 5 minutes apart derive"
        " few of the quarter hours in which both counters moved: the others are missing",
    )
    parser.set_defaults(run=run_demo)


def add_street_options(parser: argparse.ArgumentParser, *, report: str) -> None:
    """The options of any demonstration."""
    parser.add_argument(
        "--homes", type=_whole(HOMES_MAX), default=12, help=f"how many homes, up to {HOMES_MAX} (default 12)"
    )
    parser.add_argument(
        "--days", type=_whole(DAYS_MAX), default=35, help=f"days of history, up to {DAYS_MAX} (default 35)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same settlement hash (default 1)")
    parser.add_argument(
        "--rate", type=_rate, default=LIVE_RATE, help=f"times real speed on the live day (default {LIVE_RATE:.0f})"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep everything in this new folder")
    parser.add_argument("--report", type=Path, default=Path(report), metavar="FILE", help=f"default {report}")


def _whole(most: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {most}, found {text[:20]!r}")
        return int(text)

    return whole


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= REST_RATE:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return rate


def run_demo(options: argparse.Namespace) -> int:
    """0 when all invariants held, 1 when one did not or it could not go on, 128 and its number after a signal."""
    return run_until_signal("demo", lambda signals: _demonstrate(options, signals))


def run_until_signal(name: str, demonstrate: Callable[[StopSignals], tuple[int, str]]) -> int:
    """Run it and tell why it could not continue, if so. The exit status: its own, or 128 and the number of a signal."""
    with StopSignals() as signals:
        status, message = demonstrate(signals)
    if signals.received is not None:
        status, message = 128 + signals.received, f"stopped by {signals.received.name}; nothing is left running"
    if message:
        with suppress(OSError):  # the terminal may be gone
            _print(f"commonwatt-sim: {name}: {message}", sys.stderr)
    return status


def _demonstrate(options: argparse.Namespace, signals: StopSignals) -> tuple[int, str]:
    """The exit status, and why the demonstration could not continue."""
    attended = is_attended(os.environ)
    once = options.once or not attended
    if once and not options.once:
        say("No terminal, or CI is set: running once, then exiting (as --once does).")
    if not can_write(options.report):
        return 2, f"--report {options.report} cannot be written: choose another place"
    with demo_folder("demo", options.data) as folder:
        demo: Demo | None = None
        try:
            # Nobody opens the pages of an unattended one: with any free ports, several can start at the same time.
            demo = _new_demo(folder.path, options, ports=PORTS if attended else (0, 0))
            signals.call(demo.programs.end)
            with demo.memory:
                report = run_demo_stages(demo, once=once)
                write_report(report, options.report)
                holds = tell_report(report, options.report)
                if not once:
                    _serve(demo)
        except DemoError as problem:
            folder.is_kept = signals.received is None
            return 1, str(problem)
        finally:
            if demo is not None:
                demo.close()
    return (0 if holds else 1), ""


def _new_demo(folder: Path, options: argparse.Namespace, *, ports: tuple[int, int]) -> Demo:
    return Demo(
        folder,
        options.seed,
        homes=options.homes,
        history_days=options.days,
        print_line=say,
        wanted_ports=ports,
        troubles=line_faults(options.homes, options.days),
        live_rate=options.rate,
        counts_apart=options.counts_apart,
    )


def can_write(path: Path) -> bool:
    """Whether a file can be written here."""
    return os.access(path if path.exists() else path.parent, os.W_OK)


def write_report(report: dict[str, Any], path: Path) -> None:
    """Raises: DemoError."""
    try:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    except OSError as problem:
        raise DemoError(f"--report {path} cannot be written: {problem.strerror}") from None


def tell_report(report: dict[str, Any], path: Path) -> bool:
    """Show a report that was written; whether all invariants hold."""
    say("")
    for line in report_lines(report):
        say(line)
    say(f"written to {path}")
    return all(found["holds"] for found in report["invariants"].values())


def _serve(demo: Demo) -> None:
    demo.keep_serving()
    say("")
    say(f"The hub goes on at {demo.hub_url}; each link signs in once. Ctrl-C ends everything.")
    print_links(demo)
    while has_terminal():
        demo.programs.check()
        time.sleep(0.5)
    raise DemoError("its terminal was closed: run it in a terminal that stays open")


@dataclass
class DemoFolder:
    """Where a demonstration lives. A temporary one stays when it is to be looked at: its logs say what went wrong."""

    path: Path
    is_kept: bool = False


@contextmanager
def demo_folder(name: str, asked: Path | None) -> Iterator[DemoFolder]:
    """The folder that was asked for, which has to be new, or a temporary one. Exits with one line if it cannot be."""
    if asked is None:
        made = DemoFolder(Path(tempfile.mkdtemp(prefix="commonwatt-demo-")))
        try:
            yield made
        finally:
            if not made.is_kept:
                shutil.rmtree(made.path, ignore_errors=True)
        return
    try:
        asked.mkdir(parents=True, exist_ok=True)
        problem = "is not empty" if any(asked.iterdir()) else ""
        problem = problem or ("" if os.access(asked, os.W_OK) else "cannot be written")
    except OSError as error:
        problem = f"cannot be made: {error.strerror}"
    if problem:
        print(f"commonwatt-sim: {name}: --data {asked} {problem}: give a new folder", file=sys.stderr)
        raise SystemExit(2)
    yield DemoFolder(asked)


def say(text: str) -> None:
    """Show a line now. Raises: DemoError if nobody can see it any more."""
    try:
        _print(text, sys.stdout)
    except OSError as problem:
        raise DemoError(f"its output is closed ({problem.strerror}): send the output to a file") from None


def _print(text: str, stream: TextIO) -> None:
    """Print and flush. If the stream is closed, drop what is buffered: flushing it at exit would change the status."""
    try:
        print(text, file=stream, flush=True)
    except OSError:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        raise
