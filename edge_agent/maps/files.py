"""Finds the map of a family: in the household's own folder, else among those that ship with the program."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap, MapError

INSTALLED = Path(__file__).resolve().parents[2] / "firmware_configs" / "devices"
INSTALLED_VECTORS = INSTALLED.parent / "vectors"


@dataclass(frozen=True, slots=True)
class FoundMap:
    """A map and its file. `is_own`: from the household's folder; `replaces`: an installed one has the same id."""

    map: DeviceMap
    path: Path
    is_own: bool
    replaces: bool


def find_map(family: str, own: Path | None = None, *, installed: Path = INSTALLED) -> FoundMap:
    """The map of this family; one of the folder `own` wins. Reads no other file. Raises MapError in one line."""
    shipped = installed / f"{family}.toml"
    if own is not None:
        if not own.is_dir():
            raise MapError(f"maps: {own} is not a folder")
        mine = own / f"{family}.toml"
        if mine.is_file():
            return FoundMap(read_map(mine, family=family), mine, is_own=True, replaces=shipped.is_file())
    if not shipped.is_file():
        known = known_families(own, installed=installed)
        close = " or ".join(repr(each) for each in get_close_matches(family, known, n=2))
        hint = f", did you mean {close}?" if close else ":"
        raise MapError(f"no family {family!r}{hint} `commonwatt-agent map list` shows all {len(known)}")
    return FoundMap(read_map(shipped, family=family), shipped, is_own=False, replaces=False)


def known_families(own: Path | None = None, *, installed: Path = INSTALLED) -> tuple[str, ...]:
    """The ids of all maps that can be named in agent.toml, by the names of their files."""
    folders = [installed, *([own] if own is not None else [])]
    return tuple(sorted({path.stem for folder in folders for path in folder.glob("*.toml")}))


def read_map(path: Path, *, family: str | None = None) -> DeviceMap:
    """The map in a file. With `family`, it must be of that id. Raises MapError in one line."""
    found = load_map(read_text(path), name=path.name)
    if family is not None and found.id != family:
        raise MapError(f"{path.name}: id: expected {family!r} like the file's name, found {found.id!r}")
    return found


def read_text(path: Path) -> str:
    """A file's text. Raises MapError in one line."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise MapError(f"{path.name}: not UTF-8: save it again with that encoding") from None
    except OSError as cause:
        raise MapError(f"{path}: cannot be read: {cause.strerror or cause}") from None
