"""Finds the map of a family: the household's own, one of the co-op's it has taken, or one that ships with the program.

A co-op's map of an id that is not installed needs no taking: the home reads with nothing else under that id.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from edge_agent.maps.coop.kept import CoopMap, coop_maps
from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap, MapError
from protocols.wire.map_bundles.content import map_digest

INSTALLED = Path(__file__).resolve().parents[2] / "firmware_configs" / "devices"
INSTALLED_VECTORS = INSTALLED.parent / "vectors"


class ChangedMapError(MapError):
    """A map of the co-op that was changed on the disk: its device is not read, and others are."""


@dataclass(frozen=True, slots=True)
class FoundMap:
    """A map and its file. `is_own`: from the household's folder; `replaces`: an installed one has the same id.

    `coop` is set if it came from the co-op; `digest` is that of its text.
    """

    map: DeviceMap
    path: Path
    is_own: bool
    replaces: bool
    digest: bytes
    coop: CoopMap | None = None


def find_map(
    family: str, own: Path | None = None, *, state: Path | None = None, installed: Path = INSTALLED
) -> FoundMap:
    """The map of this family; `state` is the agent's data folder. Raises MapError in one line."""
    text, path, coop = _find_text(family, own, state=state, installed=installed)
    is_own = own is not None and path.parent == own
    replaces = (is_own or coop is not None) and (installed / f"{family}.toml").is_file()
    return FoundMap(_load(text, path.name, family), path, is_own, replaces, map_digest(text), coop)


def map_digests(families: Iterable[str], own: Path | None, state: Path) -> dict[str, bytes]:
    """The digest of the text each family is read with; a family without a map is left out."""
    found = {}
    for family in families:
        with suppress(MapError):
            found[family] = map_digest(_find_text(family, own, state=state, installed=INSTALLED)[0])
    return found


def _find_text(
    family: str, own: Path | None, *, state: Path | None, installed: Path
) -> tuple[str, Path, CoopMap | None]:
    if own is not None:
        if not own.is_dir():
            raise MapError(f"maps: {own} is not a folder")
        mine = own / f"{family}.toml"
        if mine.is_file():
            return read_text(mine), mine, None
    coop = None if state is None else coop_maps(state, installed).get(family)
    if coop is not None:
        if coop.fault:
            raise ChangedMapError(coop.fault)
        return coop.text, coop.path, coop
    shipped = installed / f"{family}.toml"
    if shipped.is_file():
        return read_text(shipped), shipped, None
    known = known_families(own, state=state, installed=installed)
    close = " or ".join(repr(each) for each in get_close_matches(family, known, n=2))
    hint = f", did you mean {close}?" if close else ":"
    raise MapError(f"no family {family!r}{hint} `commonwatt-agent map list` shows all {len(known)}")


def known_families(
    own: Path | None = None, *, state: Path | None = None, installed: Path = INSTALLED
) -> tuple[str, ...]:
    """The ids of all maps that can be named in agent.toml, by the names of their files."""
    folders = [installed, *([own] if own is not None else [])]
    coop = () if state is None else coop_maps(state, installed)
    return tuple(sorted({*coop, *(path.stem for folder in folders for path in folder.glob("*.toml"))}))


def read_map(path: Path) -> DeviceMap:
    """The map in a file. Raises MapError in one line."""
    return load_map(read_text(path), name=path.name)


def _load(text: str, name: str, family: str) -> DeviceMap:
    found = load_map(text, name=name)
    if found.id != family:
        raise MapError(f"{name}: id: expected {family!r} like the file's name, found {found.id!r}")
    return found


def read_text(path: Path) -> str:
    """A file's text. Raises MapError in one line."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise MapError(f"{path.name}: not UTF-8: save it again with that encoding") from None
    except OSError as cause:
        raise MapError(f"{path}: cannot be read: {cause.strerror or cause}") from None
