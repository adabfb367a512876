"""The co-op's bundle of device maps in the agent's data folder, and which of its maps the household has taken.

A bundle never changes what a running home reads with: a map that is in use stays as it is until it is taken.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocols.durable_files import make_private_folder, write_durably
from protocols.errors import RequestError
from protocols.wire.map_bundles.content import (
    MAX_BUNDLE_BYTES,
    MAX_MAP_BYTES,
    MapBundle,
    decode_bundle,
    encode_bundle,
    is_map_id,
    map_digest,
)
from protocols.wire.refusal_reasons import WireError

log = logging.getLogger("commonwatt.agent")

FILE: Final = "coop-maps.cbor"
TAKEN: Final = "coop-maps-taken"
"""A folder with a file for each map that this home reads with and that came from a bundle."""


@dataclass(frozen=True, slots=True)
class CoopMap:
    """The text of a map from the co-op that counts for this home. `serial`: of the bundle that has it, or 0."""

    text: str
    serial: int
    path: Path

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        return f"the co-op's bundle {self.serial}" if self.serial else "an earlier bundle of the co-op"


def read_bundle(folder: Path) -> MapBundle | None:
    """The newest bundle this agent has taken in; None without one. A damaged file is told and counts as none."""
    path = folder / FILE
    try:
        with path.open("rb") as file:
            return decode_bundle(file.read(MAX_BUNDLE_BYTES + 1))
    except FileNotFoundError:
        return None
    except OSError as error:
        log.error("%s: cannot be read: %s", path, error.strerror or error)
    except WireError as error:
        log.error("%s: cannot be used (%s); the hub sends the co-op's maps again", path, error.detail)
    return None


def keep_bundle(folder: Path, bundle: MapBundle) -> None:
    """Put a checked bundle in the place of the one before. Raises: OSError; the old one then stays."""
    # If power fails before this ends, the old bundle is there as a whole, and the hub is asked again.
    write_durably(folder / FILE, encode_bundle(bundle), replace=True)


def coop_maps(folder: Path, installed: Path) -> Mapping[str, CoopMap]:
    """By id, the maps of the co-op this home reads with: those it has taken, and those of ids not installed."""
    bundle = read_bundle(folder)
    released = {} if bundle is None else {each.id: each for each in bundle.maps}
    serial = 0 if bundle is None else bundle.serial
    found = {
        name: CoopMap(each.text, serial, folder / FILE)
        for name, each in released.items()
        if not (installed / f"{name}.toml").is_file()
    }
    for name, text in taken_texts(folder).items():
        is_there = name in released and released[name].text == text
        found[name] = CoopMap(text, serial if is_there else 0, folder / TAKEN / f"{name}.toml")
    return found


def taken_texts(folder: Path) -> dict[str, str]:
    """By id, the texts that were taken. A file that cannot be read is told and left out."""
    found = {}
    for path in sorted((folder / TAKEN).glob("*.toml")):
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_MAP_BYTES + 1)
            if is_map_id(path.stem) and len(raw) <= MAX_MAP_BYTES:
                found[path.stem] = raw.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            log.error("%s: cannot be used: %s", path, error)
    return found


def take_map(folder: Path, name: str) -> int:
    """From the next start on this home reads with the bundle's map of this id; returns the bundle's serial.

    Raises: RequestError if the bundle has no such map; OSError.
    """
    bundle = read_bundle(folder)
    text = None if bundle is None else next((each.text for each in bundle.maps if each.id == name), None)
    if bundle is None or text is None:
        raise RequestError(
            f"no map {name[:80]!r} came from the co-op: `commonwatt-agent map list` shows those that did"
        )
    make_private_folder(folder / TAKEN)
    write_durably(folder / TAKEN / f"{name}.toml", text.encode("utf-8"), replace=True)
    return bundle.serial


def give_back(folder: Path, name: str) -> None:
    """Undo `take_map` from the next start on. Raises: RequestError if it was not taken; OSError."""
    path = folder / TAKEN / f"{name}.toml"
    if not is_map_id(name) or not path.is_file():
        raise RequestError(f"the map {name[:80]!r} of the co-op was not taken: nothing to undo")
    path.unlink()


def released_digests(bundle: MapBundle | None) -> frozenset[bytes]:
    """By what a map in use is known to be one that the board has released."""
    return frozenset() if bundle is None else frozenset(map_digest(each.text) for each in bundle.maps)


def new_map_lines(bundle: MapBundle | None, used: Mapping[str, bytes]) -> list[str]:
    """One line for each map in use of which the bundle has another text: it is not taken by itself."""
    return [
        f"the co-op's bundle {bundle.serial} has another map {each.id} than the one in use, which stays: to change it,"
        f" `commonwatt-agent map take {each.id}` and start the agent again"
        for each in (bundle.maps if bundle else ())
        if bundle and each.id in used and used[each.id] != map_digest(each.text)
    ]
