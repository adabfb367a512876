"""Whether two demonstrations of one street settled to the same hashes. Reports in, words out."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.errors import DemoError

Json = Mapping[str, Any]
SAME_STREET = ("seed", "homes", "history_days", "live_day")
"""What has to be equal before hashes say anything. How fast the live day went does not matter."""


def read_report(path: Path, *, seed: int, homes: int, history_days: int) -> Json:
    """The report of a demonstration in this file. Raises: DemoError if it is none, or of another street."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        hashes_of(found)
    except OSError as problem:
        raise DemoError(f"--against {path}: cannot be read: {problem.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DemoError(f"--against {path}: not a report that `make demo-once` of this version wrote") from None
    for name, wanted in {"seed": seed, "homes": homes, "history_days": history_days}.items():
        if found.get(name) != wanted:
            raise DemoError(f"--against {path}: {name} is {found.get(name)} there and {wanted} here: give another file")
    return dict(found)


def hashes_of(report: Json) -> dict[str, str]:
    """The settlement hash over all days, under `all`, and that of each kind of run."""
    runs = report["settlement"]["runs"]
    return {"all": str(report["settlement_hash"])} | {str(kind): str(run["hash"]) for kind, run in runs.items()}


def compared(report: Json, other: Json) -> dict[str, Any]:
    """The section of a report: both sides' hashes, and whether they are equal."""
    here, there = hashes_of(report), hashes_of(other)
    is_same = here == there and all(report[name] == other[name] for name in SAME_STREET)
    return {"hashes": here, "hashes_there": there, "is_same": is_same}


def comparison_lines(section: Json, *, name: str) -> list[str]:
    """The section as a table for a terminal; `name` is what the other demonstration is called."""
    here, there = section["hashes"], section["hashes_there"]
    lines = ["settlement hashes:"]
    for kind in dict.fromkeys((*here, *there)):
        own, other = here.get(kind, "not made"), there.get(kind, "not made")
        what = "all days" if kind == "all" else f"run {kind}"
        lines.append(f"  {what:<8}  {own}  {'the same' if own == other else f'{name}: {other}'}")
    lines.append(f"the same as {name}" if section["is_same"] else f"NOT the same as {name}")
    return lines
