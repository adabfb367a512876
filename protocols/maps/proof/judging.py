"""Judges a map's file as a whole: its text, its name, and the golden vectors that go with it. Takes texts, no files."""

from __future__ import annotations

from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap, MapError
from protocols.maps.proof.lint import find_faults
from protocols.maps.proof.vectors import find_disagreements, load_vectors


def vector_places(map_id: str) -> tuple[str, ...]:
    """Where the golden vectors of a map may lie, from the folder of its file: beside it, or in `vectors`, or one up."""
    name = f"{map_id}.json"
    return name, f"vectors/{name}", f"../vectors/{name}"


def judge_text(text: str, *, name: str) -> tuple[DeviceMap | None, list[str]]:
    """The map of a file with this name, None if it cannot be loaded, and everything that is wrong with its text."""
    faults = find_faults(text, name=name)
    if faults:
        return None, faults
    device_map = load_map(text, name=name)
    stem = name.removesuffix(".toml")
    if device_map.id != stem:
        faults.append(f"{name}: id: expected {stem!r} like the file's name, found {device_map.id!r}")
    return device_map, faults


def judge_vectors(device_map: DeviceMap, text: str, *, name: str) -> list[str]:
    """Everything in which a map and the text of its vectors' file do not agree."""
    try:
        vectors = load_vectors(text, name=name)
    except MapError as trouble:
        return [str(trouble)]
    return [f"{name}: {each}" for each in find_disagreements(device_map, vectors)]
