"""`commonwatt-sim demo-scale`: the street of `demo` on a PostgreSQL server and a cluster of brokers."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from simulator.commands.demo import (
    add_street_options,
    can_write,
    demo_folder,
    run_until_signal,
    say,
    tell_report,
    write_report,
)
from simulator.demo.comparing import compared, comparison_lines, read_report
from simulator.demo.director import Demo
from simulator.demo.ending import StopSignals
from simulator.demo.hubs.mosquitto import TwoMosquittos
from simulator.demo.hubs.place import HubPlace
from simulator.demo.hubs.rabbitmq import RabbitCluster, server_folder
from simulator.demo.hubs.scaled import Cluster, ScaledHub
from simulator.demo.hubs.simple import SimpleHub
from simulator.demo.walk import line_faults, run_demo_stages
from simulator.errors import DemoError

NAME = "demo-scale"
REPORT_FILE = "demo-scale-report.json"
ORDINARY = "make demo"
BROKERS: dict[str, Callable[[HubPlace], Cluster]] = {"rabbitmq": RabbitCluster, "mosquitto": TwoMosquittos}


def add_demo_scale_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The options of `demo-scale`."""
    parser = commands.add_parser(NAME, help="the same co-op on a PostgreSQL server and a cluster of brokers")
    add_street_options(parser, report=REPORT_FILE)
    parser.add_argument(
        "--brokers", choices=tuple(BROKERS), help="default: rabbitmq where .ci/rabbitmq has unpacked it, else mosquitto"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="compare with this report of `demo --once`, which is made first if it is not there; without it the street"
        " of `demo` is run after this one",
    )
    parser.set_defaults(run=run_demo_scale)


def run_demo_scale(options: argparse.Namespace) -> int:
    """0 when all invariants held and the hashes are the same; otherwise as `demo`."""
    return run_until_signal(NAME, lambda signals: _demonstrate(options, signals))


def _demonstrate(options: argparse.Namespace, signals: StopSignals) -> tuple[int, str]:
    for path in filter(None, (options.report, options.against)):
        if not (path.exists() and path is options.against) and not can_write(path):
            return 2, f"{path} cannot be written: choose another place"
    with demo_folder(NAME, options.data) as folder:
        try:
            other = _known(options)
            kind = options.brokers or ("mosquitto" if server_folder() is None else "rabbitmq")
            if options.brokers is None and kind == "mosquitto":
                say("RabbitMQ is not here (`sh .ci/rabbitmq` unpacks it): two Mosquittos are the brokers.")
            report = _run(folder.path, options, partial(ScaledHub, cluster=BROKERS[kind]), signals)
            if other is None:
                say("")
                say("The same street once more, as `make demo` has it: one program, a file, one broker.")
                other = _run(folder.path / "ordinary", options, SimpleHub, signals)
                if options.against is not None:
                    write_report(other, options.against)
            report["compared"] = compared(report, other)
            write_report(report, options.report)
            holds = tell_report(report, options.report)
            for line in comparison_lines(report["compared"], name=ORDINARY):
                say(line)
            is_same = bool(report["compared"]["is_same"])
            broken = [name for name, found in other["invariants"].items() if not found["holds"]]
            folder.is_kept = not (holds and is_same and not broken)
        except DemoError as problem:
            # What was refused at once has left nothing to look at.
            folder.is_kept = signals.received is None and any(folder.path.glob("logs/*.log"))
            return 1, str(problem)
    if not is_same:
        return 1, f"the settlement is not that of {ORDINARY}; what both left is in {folder.path}"
    if broken:
        return 1, f"{ORDINARY} breaks {'; '.join(broken)}"
    return (0 if holds else 1), ""


def _known(options: argparse.Namespace) -> dict[str, Any] | None:
    if options.against is None or not options.against.exists():
        return None
    return dict(read_report(options.against, seed=options.seed, homes=options.homes, history_days=options.days))


def _run(
    folder: Path, options: argparse.Namespace, make_programs: Callable[[HubPlace], SimpleHub], signals: StopSignals
) -> dict[str, Any]:
    demo = Demo(
        folder,
        options.seed,
        homes=options.homes,
        history_days=options.days,
        print_line=say,
        troubles=line_faults(options.homes, options.days),
        live_rate=options.rate,
        make_programs=make_programs,
    )
    signals.call(demo.programs.end)
    try:
        demo.hub.require()
        with demo.memory:
            return run_demo_stages(demo, once=True)
    finally:
        demo.close()
