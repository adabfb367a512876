"""`make coverage`: lines and branches of protocols/ and hub/core/ that their own tests run, by folder and file.

An alarm, not a goal: a low figure says where nobody has looked; a high one does not say that the tests would notice a
mistake. That is what `make mutants` is for.
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("tests/protocols", "tests/hub/core", "tests/conformance")
LOWEST = 15


@dataclass(frozen=True)
class Figure:
    """How much there is in a file or folder, lines and branches together, and how much of it was run."""

    all: int = 0
    run: int = 0
    missing_lines: int = 0
    missing_branches: int = 0

    def __add__(self, other: "Figure") -> "Figure":
        return Figure(
            self.all + other.all,
            self.run + other.run,
            self.missing_lines + other.missing_lines,
            self.missing_branches + other.missing_branches,
        )

    @property
    def percent(self) -> float:
        """100 where there is nothing to run."""
        return 100 * self.run / self.all if self.all else 100.0

    def __str__(self) -> str:
        return f"{self.percent:5.1f} %  {self.missing_lines:4} lines  {self.missing_branches:4} branches not run"


def figures(measured: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, Figure]:
    """The figure of each file from the `files` part of coverage's JSON report."""
    found = {}
    for name, entry in measured.items():
        each = entry["summary"]
        found[name] = Figure(
            each["num_statements"] + each["num_branches"],
            each["covered_lines"] + each["covered_branches"],
            each["missing_lines"],
            each["missing_branches"],
        )
    return found


def report_lines(found: Mapping[str, Figure]) -> list[str]:
    """A line for each folder, and for each of the files with the lowest figures."""
    folders: defaultdict[str, Figure] = defaultdict(Figure)
    for name, figure in found.items():
        folders[f"{Path(name).parent.as_posix()}/"] += figure
    lowest = sorted((figure.percent, name) for name, figure in found.items() if figure.percent < 100)[:LOWEST]
    lines = [f"{figure}  {name}" for name, figure in sorted(folders.items())]
    lines += [f"{sum(found.values(), Figure())}  all", "", "lowest:"]
    return lines + [f"{found[name]}  {name}" for _, name in lowest]


def main() -> int:
    """Run the tests under coverage and print the figures; the exit code is that of the tests."""
    place = ROOT / "build" / "coverage"
    place.mkdir(parents=True, exist_ok=True)
    coverage = [sys.executable, "-m", "coverage"]
    tested = subprocess.run([*coverage, "run", "-m", "pytest", "-q", "-n", "0", *TESTS], cwd=ROOT, check=False)
    subprocess.run([*coverage, "json", "-q", "-o", str(place / "coverage.json")], cwd=ROOT, check=True)
    measured = json.loads((place / "coverage.json").read_text(encoding="utf-8"))
    print("\n".join(report_lines(figures(measured["files"]))))
    return tested.returncode


if __name__ == "__main__":
    sys.exit(main())
