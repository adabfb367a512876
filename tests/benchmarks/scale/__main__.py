"""Measures what homes cost a core, simulates how they come back, and writes the tables of docs/scale.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from hub.folder.intake_settings import IntakeLimits
from hub.intake.pace import HomesPace
from tests.benchmarks.scale.arrivals import back_after_power_s, back_after_s
from tests.benchmarks.scale.measuring import (
    measure_broker,
    measure_database,
    measure_disk,
    measure_intake,
    measure_settling,
)
from tests.benchmarks.scale.page import outcome_json, stated, with_figures, with_tables
from tests.benchmarks.scale.storm import Storm, simulate

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "scale.md"
MEASURED = ROOT / "build" / "scale.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("measure", help="measure on this machine, in about three minutes, into build/scale.json")
    commands.add_parser("page", help="put what was measured into docs/scale.md, and its tables as they follow")
    storm = commands.add_parser("storm", help="let homes come back after an outage, on the figures of docs/scale.md")
    storm.add_argument("--homes", type=int, required=True, metavar="N", help="how many there are")
    storm.add_argument("--away", type=int, metavar="N", help="how many of them were away (default: a tenth)")
    storm.add_argument("--hours", type=float, default=24, metavar="H", help="how long (default: 24)")
    storm.add_argument("--within", type=int, metavar="S", help="asked to come back within (default: as the hub does)")
    storm.add_argument("--workers", type=int, default=1, metavar="N", help="intake workers (default: 1)")
    storm.add_argument("--brokers", type=int, default=1, metavar="N", help="brokers (default: 1)")
    storm.add_argument("--power", action="store_true", help="they had no power: their computers start first")
    chosen = parser.parse_args()
    if chosen.command == "measure":
        return _measure()
    return _write_page() if chosen.command == "page" else _storm(chosen)


def _measure() -> int:
    broker = asyncio.run(measure_broker())
    if broker is None:
        print("mosquitto is not installed here: what a connection costs its broker cannot be measured", file=sys.stderr)
        return 1
    intake = asyncio.run(measure_intake())
    disk_mb = measure_disk()
    database = measure_database(disk_mb=disk_mb)
    if database is None:
        print("PostgreSQL is not installed here: what a batch costs its server cannot be measured", file=sys.stderr)
        return 1
    figures = {
        **asdict(broker),
        **asdict(intake),
        **asdict(database),
        "settling_us": measure_settling(),
        "disk_mb": disk_mb,
    }
    told = {"machine": platform.machine(), "python": platform.python_version(), "figures": figures}
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for name, value in figures.items():
        print(f"{name}: {value:.4g}")
    return 0


def _write_page() -> int:
    text = PAGE.read_text(encoding="utf-8")
    if MEASURED.exists():
        text = with_figures(text, json.loads(MEASURED.read_text(encoding="utf-8"))["figures"])
    PAGE.write_text(with_tables(text), encoding="utf-8")
    return 0


def _storm(chosen: argparse.Namespace) -> int:
    homes, away = chosen.homes, chosen.homes // 10 if chosen.away is None else chosen.away
    asked_s, spread_s = HomesPace(IntakeLimits()).times_s(homes)
    within_s = asked_s if chosen.within is None else chosen.within
    dice = np.random.default_rng()
    back_s = (back_after_power_s if chosen.power else back_after_s)(dice, away, within_s=within_s)
    storm = Storm(homes, away, chosen.hours * 3600, spread_s, chosen.workers, chosen.brokers)
    try:
        found = simulate(storm, back_s, stated(PAGE.read_text(encoding="utf-8")).work, dice)
    except ValueError as cause:
        print(cause, file=sys.stderr)
        return 1
    print(json.dumps({"within_s": within_s, "spread_s": spread_s, **outcome_json(found)}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
