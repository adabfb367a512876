"""The families this agent knows: every map of the given folders that loads. A broken one is named, not fatal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from edge_agent.devices.assembly import MAPS
from edge_agent.maps.coop.kept import coop_maps
from protocols.maps.identity_plan import is_named
from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap, MapError


def known_families(
    folders: Iterable[Path] = (MAPS,), *, state: Path | None = None
) -> tuple[list[DeviceMap], list[str]]:
    """The maps in order of their ids, a later folder's in the place of an earlier one's, and a line for each broken.

    With the agent's data folder `state`, the co-op's maps come after the first folder.
    """
    found: dict[str, DeviceMap] = {}
    broken: list[str] = []
    for number, folder in enumerate(folders):
        for path in sorted(folder.glob("*.toml")):
            try:
                found[path.stem] = load_map(path.read_text(encoding="utf-8"), name=path.name)
            except (OSError, UnicodeDecodeError, MapError) as cause:
                broken.append(f"{path.name}: left out: {cause}".splitlines()[0])
        for name, coop in coop_maps(state, folder).items() if state and not number else ():
            if coop.fault:
                broken.append(coop.fault)
                continue
            try:
                found[name] = load_map(coop.text, name=f"{name}.toml")
            except MapError as cause:
                broken.append(f"{name}.toml of the co-op: left out: {cause}".splitlines()[0])
    return [found[name] for name in sorted(found)], broken


ALIKE: Final = 0.7
"""How much of a word has to be the same for it to be meant."""


def unknown_make_lines(maps: Sequence[DeviceMap], makes: Sequence[str]) -> list[str]:
    """A line for each of these makes that no family is of, with the maker that is written much like it."""
    makers = {word.casefold(): word for each in maps for word in each.vendor.replace(",", " ").split() if len(word) > 2}
    lines = []
    for make in makes:
        if any(is_named(each, (make,)) for each in maps):
            continue
        near = get_close_matches(make.strip().casefold(), makers, n=1, cutoff=ALIKE)
        meant = f"did you mean {makers[near[0]]}?" if near else "it changes nothing"
        lines.append(f"no known family is of the make {make[:40]!r}: {meant}")
    return lines
