"""`make bench`: runs every benchmark of this folder, prints its figures and writes them to build/bench.json.

Figures are ratios to a peer or a physical limit measured in the same run, from CPU time: they hold on a noisy machine.
A benchmark's BARS must not be passed and its FLOORS must be reached, or the run ends with status 1 and says which.
"""

import argparse
import importlib
import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
OUTPUT = FOLDER.parents[1] / "build" / "bench.json"


def main() -> int:
    names = sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"which to run: {', '.join(names)} (default: all)")
    chosen = parser.parse_args().only or names
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        print(f"no benchmark is called {unknown[0]}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    # A run of some of them keeps what the others measured before.
    kept = json.loads(OUTPUT.read_text(encoding="utf-8")) if chosen != names and OUTPUT.exists() else {}
    figures: dict[str, object] = {**kept, "python": platform.python_version(), "machine": platform.machine()}
    broken: list[str] = []
    for name in chosen:
        print(f"{name} ...", flush=True)
        module = importlib.import_module(f"tests.benchmarks.bench_{name}")
        measured = module.measure()
        bars, floors = getattr(module, "BARS", {}), getattr(module, "FLOORS", {})
        broken += broken_bars(name, measured, bars=bars, floors=floors)
        figures[name] = measured = {**measured, **bars_beside(measured, bars=bars, floors=floors)}
        for key, value in measured.items():
            print(f"  {key}: {value:.4g}" if isinstance(value, float) else f"  {key}: {value}", flush=True)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"written to {OUTPUT.relative_to(FOLDER.parents[1])}")
    for line in broken:
        print(f"broken: {line}", file=sys.stderr)
    return 1 if broken else 0


def broken_bars(
    name: str, measured: Mapping[str, Any], *, bars: Mapping[str, float], floors: Mapping[str, float]
) -> list[str]:
    """One line for each figure above its bar or below its floor; a figure that was not measured is one too."""
    lines = [
        f"{name}: {figure} is {measured.get(figure, 'not measured')}, at most {bar} is allowed"
        for figure, bar in bars.items()
        if not measured.get(figure, float("inf")) <= bar
    ]
    return lines + [
        f"{name}: {figure} is {measured.get(figure, 'not measured')}, at least {floor} is needed"
        for figure, floor in floors.items()
        if not measured.get(figure, float("-inf")) >= floor
    ]


def bars_beside(
    measured: Mapping[str, Any], *, bars: Mapping[str, float], floors: Mapping[str, float]
) -> dict[str, float | bool]:
    """Each bar and floor, and whether it holds."""
    found: dict[str, float | bool] = {}
    for figure, bar in bars.items():
        found |= {f"{figure}_bar": bar, f"{figure}_holds": not broken_bars("", measured, bars={figure: bar}, floors={})}
    for figure, floor in floors.items():
        holds = not broken_bars("", measured, bars={}, floors={figure: floor})
        found |= {f"{figure}_bar": floor, f"{figure}_holds": holds}
    return found


if __name__ == "__main__":
    sys.exit(main())
