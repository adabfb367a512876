"""What the agent does about the co-op's maps when it starts: those its devices are read with are kept as they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edge_agent.maps.coop.kept import new_map_lines, prove_taken, read_bundle, read_kept, take_map, taken_maps
from edge_agent.maps.files import find_map, map_digests
from protocols.errors import RequestError
from protocols.maps.model import MapError


def keep_used_maps(families: Iterable[str], own: Path | None, state: Path) -> list[str]:
    """Take the co-op's maps that these families are read with for the first time, and what to log, in lines.

    From then on the text stays the same, whatever a later bundle brings, until the household takes another.
    """
    named = sorted(set(families))
    lines = [*read_kept(state).unusable]
    try:
        prove_taken(state)
    except OSError as error:
        return [*lines, f"the co-op's maps cannot be kept as they are: {error}"]
    taken = taken_maps(state)
    for family in named:
        try:
            coop = find_map(family, own, state=state).coop
            if coop is not None and family not in taken:
                take_map(state, family)
        except MapError:
            continue  # whoever opens the devices says it
        except (OSError, RequestError) as error:
            lines.append(f"the co-op's map {family} cannot be kept as it is: {error}")
        if coop is not None:
            lines.append(f"the map {family} is from {coop.origin}")
    return [*lines, *new_map_lines(read_bundle(state), map_digests(named, own, state))]
