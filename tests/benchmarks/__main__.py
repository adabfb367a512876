"""`make bench`: runs every benchmark of this folder, prints its figures and writes them to build/bench.json.

Figures are ratios to a peer or a physical limit measured in the same run, from CPU time: they hold on a noisy machine.
"""

import argparse
import importlib
import json
import platform
import sys
from pathlib import Path

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
    for name in chosen:
        print(f"{name} ...", flush=True)
        measured = importlib.import_module(f"tests.benchmarks.bench_{name}").measure()
        figures[name] = measured
        for key, value in measured.items():
            print(f"  {key}: {value:.4g}" if isinstance(value, float) else f"  {key}: {value}", flush=True)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"written to {OUTPUT.relative_to(FOLDER.parents[1])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
