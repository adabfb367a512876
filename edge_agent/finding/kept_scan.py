"""What `scan --save` found, in a small file beside agent.toml, so that set-up need not search again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_agent.finding.probe import Sighting
from edge_agent.finding.proposals import FamilyProposal
from edge_agent.finding.search import FoundDevice
from edge_agent.finding.text import connect_text
from edge_agent.finding.writing import write_beside
from edge_agent.settings import parse_endpoint
from protocols.maps.identity_plan import IdentityKnowledge

FILE_NAME = "scan-found.json"
MAX_BYTES = 256 * 1024
MOST_PROPOSALS = 9


@dataclass(frozen=True, slots=True)
class KeptScan:
    """An earlier search. `at_s`: when it ended, in Unix seconds."""

    at_s: float
    found: tuple[FoundDevice, ...]


def keep_scan(folder: Path, found: Sequence[FoundDevice], *, now_s: float) -> Path:
    """Write it; returns the file. Raises: RequestError."""
    record = {"at_s": int(now_s), "found": [_record(each) for each in found]}
    path = folder / FILE_NAME
    write_beside(path, json.dumps(record, indent=1, ensure_ascii=False).encode())
    return path


def kept_scan(folder: Path) -> KeptScan | None:
    """The last search that was kept; None if there is none, or if its file is damaged."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            record = json.loads(file.read(MAX_BYTES))
        return KeptScan(float(record["at_s"]), tuple(_found(each) for each in record["found"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _record(found: FoundDevice) -> dict[str, Any]:
    return {
        "connect": connect_text(found.endpoint),
        "unit": found.unit,
        "says": found.says,
        "answers": found.sighting.answers,
        "requests": found.sighting.requests,
        "proposals": [asdict(each) for each in found.proposals[:MOST_PROPOSALS]],
    }


def _found(record: dict[str, Any]) -> FoundDevice:
    unit = int(record["unit"])
    sighting = Sighting(unit, IdentityKnowledge(), int(record["answers"]), int(record["requests"]))
    proposals = tuple(map(_proposal, record["proposals"]))
    return FoundDevice(parse_endpoint(record["connect"]), unit, str(record["says"]), sighting, proposals)


def _proposal(record: dict[str, Any]) -> FamilyProposal:
    alike = tuple((one, other) for one, other in record.get("alike", ()))
    return FamilyProposal(**{**record, "roles": tuple(record["roles"]), "alike": alike})
