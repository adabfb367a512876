"""Checks map files as whoever wrote them wants it: everything that is wrong, with the golden vectors beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_agent.maps.files import read_text
from edge_agent.maps.words import count_of
from protocols.maps.model import DeviceMap, MapError
from protocols.maps.proof.judging import judge_text, judge_vectors, vector_places


@dataclass(frozen=True, slots=True)
class MapVerdict:
    """What a check of one file found; `said` sums it up in a line."""

    findings: tuple[str, ...]
    said: str


def check_file(path: Path, vectors: Path | None = None) -> MapVerdict:
    """Check one map. `vectors`: a file, or a folder with ID.json; else beside the map or in `../vectors`."""
    try:
        text = read_text(path)
    except MapError as trouble:
        return MapVerdict((str(trouble),), "")
    device_map, faults = judge_text(text, name=path.name)
    if device_map is None:
        return MapVerdict(tuple(faults), "")
    found, more = _vector_findings(device_map, path, vectors)
    return MapVerdict((*faults, *more), _summary(device_map, found))


def _vector_findings(device_map: DeviceMap, path: Path, given: Path | None) -> tuple[Path | None, list[str]]:
    """The vectors file that was used, and what is wrong with it or for lack of it."""
    file = _vectors_file(device_map, path, given)
    if file is None:
        if given is None and device_map.quality == "bronze":
            return None, []
        where = f"{given}" if given else f"{device_map.id}.json beside it or in ../vectors"
        return None, [f"{path.name}: quality: {device_map.quality}: no vectors found, expected {where}"]
    try:
        return file, judge_vectors(device_map, read_text(file), name=file.name)
    except MapError as trouble:
        return file, [str(trouble)]


def _vectors_file(device_map: DeviceMap, path: Path, given: Path | None) -> Path | None:
    if given is not None:
        places = [given / f"{device_map.id}.json" if given.is_dir() else given]
    else:
        places = [path.parent / each for each in vector_places(device_map.id)]
    return next((each for each in places if each.is_file()), None)


def _summary(device_map: DeviceMap, vectors: Path | None) -> str:
    parts = [count_of(len(device_map.points), "point"), count_of(len(device_map.roles), "role")]
    if device_map.variants:
        parts.append(count_of(len(device_map.variants), "variant"))
    proof = f"checked with {vectors.name}" if vectors else "without golden vectors"
    return f"{device_map.id}: {device_map.quality}, {', '.join(parts)}, {proof}"
