"""`commonwatt-sim demo`: the whole way of a reading, a prompt and a credit, end to end, on this one computer."""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from simulator.demo import LIVE_DAY, LIVE_RATE, Demo, DemoError
from simulator.demo_leaks import LeakWatch
from simulator.demo_report import Evidence, make_report, report_lines
from simulator.processes import ProgramEndedError

FAULTS = Path(__file__).with_name("demo_faults.toml")
REPORT_FILE = "demo-report.json"
PORTS = (8400, 1883)
NEWEST = 200
"""Messages of each outbox listed one by one at the end: the live day and more."""


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
        demo = Demo(folder, options.seed, homes=options.homes, history_days=options.days, say=_say, wanted_ports=PORTS)
        try:
            with demo.memory:
                report = _walk(demo)
                holds = _tell(report, options.report)
                if not options.once:
                    _serve(demo)
        except (DemoError, ProgramEndedError) as problem:
            print(f"commonwatt-sim: demo: {problem}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            _say("stopped")
            return 130
        finally:
            demo.programs.stop()
    return 0 if holds else 1


def _walk(demo: Demo) -> dict[str, Any]:
    began_s = time.monotonic()
    with demo.stage("street", f"Building a street of {demo.homes} homes (seed {demo.seed}) ..."):
        demo.start_street(FAULTS.read_text(encoding="utf-8") if demo.homes >= 12 else "")
    with demo.stage("hub", "Making a hub with its broker ..."):
        demo.start_hub()
    with demo.stage("enrol", "Inviting the members and enrolling their agents ..."):
        demo.enrol()
    with demo.stage("history", f"Sending {demo.history_days} days of history through every agent ..."):
        demo.send_history()
    demo.wake_residents()
    _say("You can look already; each link signs in once:")
    _say_links(demo)
    watches = [LeakWatch(home, demo.street_folder / "homes" / home) for home in demo.agents]
    with (
        ThreadPoolExecutor(max_workers=1) as aside,
        demo.stage("live", f"One live day, {LIVE_DAY}, at up to {LIVE_RATE:.0f} times real speed ..."),
    ):
        # What the history sent is weighed while the live day leaves time for it.
        weighed = [aside.submit(watch.look) for watch in watches]
        demo.live_day()
        for one in weighed:
            one.result()
    with demo.stage("report", "Checking everything again ..."):
        evidence = _evidence(demo, watches)
    report = make_report(evidence)
    report["seed"] = demo.seed
    report["live_day"] = LIVE_DAY.isoformat()
    report["history_days"] = demo.history_days
    report["stages"] = [vars(stage) for stage in demo.stages]
    report["clock_held_s"] = round(demo.held_s, 1)
    report["wall_s"] = round(time.monotonic() - began_s, 1)
    report["cpu_s"] = round(demo.cpu_s(), 1)
    report["peak_memory_mb"] = round(evidence.peak_memory_bytes / 1e6)
    report["peak_memory_by_program_mb"] = {
        name: round(size / 1e6) for name, size in sorted(demo.memory.peak_by_program.items())
    }
    return report


def _evidence(demo: Demo, watches: Sequence[LeakWatch]) -> Evidence:
    first, last = (LIVE_DAY - timedelta(days=demo.history_days)).isoformat(), LIVE_DAY.isoformat()
    days_back = (0, 1, min(7, demo.history_days))
    homes = demo.street["homes"]
    # The hub's commands are processes of their own: they run on one core while the outboxes are read on the other.
    with ThreadPoolExecutor(max_workers=1) as aside:
        settled_again = aside.submit(lambda: [_settle_again(demo, LIVE_DAY - timedelta(days=n)) for n in days_back])
        verified = aside.submit(demo.hub_json, "verify", "--json")
        hub = aside.submit(demo.hub_json, "report", "--from", first, "--to", last, "--json")
        demo.wait("the last receipts", lambda: all(watch.waiting() == 0 for watch in watches), within_s=30)
        outboxes = {home: demo.outbox(home, limit=NEWEST) for home in demo.agents}
        for watch in watches:
            watch.look()
        return Evidence(
            homes=len(homes),
            devices=sum(len(home["devices"]) for home in homes),
            families=sorted({device["map"] for home in homes for device in home["devices"]}),
            buses=len({d["connect"] for home in homes for d in home["devices"] if d["connect"].startswith("rtu:")}),
            hub=_mapping(hub.result()),
            verified=_mapping(verified.result()),
            outboxes=outboxes,
            agents=demo.agents,
            truth=demo.ask_street(f"truth.json?from={demo.start_s - demo.history_days * 86400}&to={demo.end_s}"),
            residents=_mapping(demo.ask_street("status.json")["residents"]),
            leaks=[leak for watch in watches for leak in watch.leaks],
            weighed=sum(watch.messages for watch in watches),
            is_steady=all(watch.has_every_slot() for watch in watches),
            log_findings=list(_log_findings(demo)),
            settled_again=settled_again.result(),
            peak_memory_bytes=demo.memory.peak_bytes,
            hub_bytes=sum(path.stat().st_size for path in demo.hub_folder.rglob("*") if path.is_file()),
        )


def _settle_again(demo: Demo, day: date) -> dict[str, Any]:
    return _mapping(demo.hub_json("settle", "--day", str(day), "--json"))


def _log_findings(demo: Demo) -> Iterator[str]:
    """Secrets that stand in a log: tokens, links, private keys; and what a program calls an error it did not expect."""
    secret = re.compile(rb"(sign-in/[A-Za-z0-9_-]{20,}|PRIVATE KEY|[0-9A-Z]{4}(-[0-9A-Z]{4}){5,}|Traceback)")
    for path in sorted((demo.folder / "logs").glob("*.log")):
        found = secret.search(path.read_bytes())
        if found:
            yield f"{path.name} holds {found.group()[:12].decode('ascii', 'replace')}..."


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
    _say_links(demo)
    while True:
        demo.programs.check()
        time.sleep(1)


def _say_links(demo: Demo) -> None:
    links = demo.sign_in_links()
    homes = list(links)
    board, member = homes[0], homes[min(2, len(homes) - 1)]
    _say(f"  a board member: {links[board]}")
    _say(f"  a member:       {links[member]}")


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


def _mapping(found: object) -> dict[str, Any]:
    assert isinstance(found, dict)
    return found


def _say(text: str) -> None:
    print(text, flush=True)
