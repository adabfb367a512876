"""`commonwatt-sim demo`: the whole way of a reading, a prompt and a credit, end to end, on this one computer."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulator.demo.director import Demo
from simulator.demo.report import report_lines
from simulator.demo.walk import line_faults, print_links, run_demo_stages
from simulator.errors import DemoError

REPORT_FILE = "demo-report.json"
PORTS = (8400, 1883)


def add_demo_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The options of `demo`."""
    parser = commands.add_parser("demo", help="a whole co-op on this computer: history, one live day, pages to look at")
    parser.add_argument("--once", action="store_true", help="end by itself, and fail when an invariant does not hold")
    parser.add_argument("--homes", type=int, default=12, help="how many homes (default 12)")
    parser.add_argument("--days", type=int, default=35, help="days of history (default 35)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same settlement hash (default 1)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep everything in this new folder")
    parser.add_argument("--report", type=Path, default=Path(REPORT_FILE), metavar="FILE", help=f"default {REPORT_FILE}")
    parser.set_defaults(run=run_demo)


def run_demo(options: argparse.Namespace) -> int:
    """0 when all invariants held, 1 when one did not or the demonstration could not go on."""
    with _folder(options.data) as folder:
        troubles = line_faults(options.homes, options.days)
        size = {"homes": options.homes, "history_days": options.days}
        demo: Demo | None = None
        try:
            demo = Demo(folder, options.seed, **size, print_line=_say, wanted_ports=PORTS, troubles=troubles)
            with demo.memory:
                report = run_demo_stages(demo, once=options.once)
                holds = _tell(report, options.report)
                if not options.once:
                    _serve(demo)
        except DemoError as problem:
            print(f"commonwatt-sim: demo: {problem}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            _say("stopped")
            return 130
        finally:
            if demo is not None:
                demo.close()
    return 0 if holds else 1


def _tell(report: dict[str, Any], path: Path) -> bool:
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _say("")
    for line in report_lines(report):
        _say(line)
    _say(f"written to {path}")
    return all(found["holds"] for found in report["invariants"].values())


def _serve(demo: Demo) -> None:
    demo.keep_serving()
    _say("")
    _say(f"The hub goes on at {demo.hub_url}; each link signs in once. Ctrl-C ends everything.")
    print_links(demo)
    while True:
        demo.programs.check()
        time.sleep(1)


@contextmanager
def _folder(asked: Path | None) -> Iterator[Path]:
    if asked is None:
        with tempfile.TemporaryDirectory(prefix="commonwatt-demo-", ignore_cleanup_errors=True) as made:
            yield Path(made)
        return
    if asked.exists() and any(asked.iterdir()):
        print(f"commonwatt-sim: demo: --data {asked} is not empty: give a new folder", file=sys.stderr)
        raise SystemExit(2)
    asked.mkdir(parents=True, exist_ok=True)
    yield asked


def _say(text: str) -> None:
    print(text, flush=True)
