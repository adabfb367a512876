"""The co-op's bundle of device maps in the agent's data folder, and which of its maps the household has taken.

A bundle never changes what a running home reads with: a map that is in use stays as it is until it is taken. Each file
is kept with the hub's signatures, which are checked whenever it is read.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from edge_agent.maps.coop.sealed import MAX_FILE_BYTES, SealedBundle, encode_kept, open_kept, plain_bundle
from protocols.durable_files import make_private_folder, write_durably
from protocols.enrolment.answer import parse_answer
from protocols.errors import RequestError
from protocols.maps.proof.judging import judge_text
from protocols.wire.map_bundles.content import MAX_MAP_BYTES, MapBundle, ReleasedMap, is_map_id, map_digest
from protocols.wire.refusal_reasons import RefusalReason, WireError

log = logging.getLogger("commonwatt.agent")

FILE: Final = "coop-maps.cbor"
TAKEN: Final = "coop-maps-taken"
"""A folder with two files for each map that this home reads with and that came from a bundle: its text, for people to
read, and beside it the signed bundle that it is from, which counts."""

ENROLMENT: Final = "enrolment.json"
"""Whose signature counts: the hub's answer to the enrolment has the co-op's identity key."""


@dataclass(frozen=True, slots=True)
class CoopMap:
    """The text of a map from the co-op that counts for this home. `serial`: of the bundle that has it, or 0.

    `fault`: why it cannot be used, in one line; another text in its place could read wrong values.
    """

    text: str
    serial: int
    path: Path
    fault: str = ""

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        return f"the co-op's bundle {self.serial}" if self.serial else "an earlier bundle of the co-op"


@dataclass(frozen=True, slots=True)
class KeptBundle:
    """What the file holds. `bundle`: its maps that this agent can use, None if no signed bundle is there.

    `floor`: no bundle with this serial or a lower one may come. `released`: the digests of the maps it releases.
    `unusable`: a line for each map of it that this agent cannot use.
    """

    bundle: MapBundle | None = None
    floor: int = 0
    released: frozenset[bytes] = frozenset()
    unusable: tuple[str, ...] = ()


def read_kept(folder: Path) -> KeptBundle:
    """The newest bundle this agent has taken in. A file that was changed or damaged is told, and counts as none."""
    path = folder / FILE
    try:
        content = _content(path)
        return _kept(content, (folder / ENROLMENT).read_bytes())
    except FileNotFoundError:
        return KeptBundle()
    except OSError as error:
        log.error("%s: cannot be read: %s", path, error.strerror or error)
        return KeptBundle()
    except (WireError, ValueError) as error:
        detail = error.detail if isinstance(error, WireError) else error
        if (plain := plain_bundle(content)) is not None:
            # Of an earlier agent: the same bundle has to come once more, and counts no less until then.
            log.warning("%s: is from before it was kept with its signatures; the hub sends it again", path)
            return KeptBundle(None, plain.serial - 1, released_digests(plain))
        log.error("%s: was changed or damaged (%s): not used; the hub sends the co-op's maps again", path, detail)
        return KeptBundle()


def read_bundle(folder: Path) -> MapBundle | None:
    """The newest bundle, with the maps that this agent can use; None without a signed one."""
    return read_kept(folder).bundle


def keep_bundle(folder: Path, sealed: SealedBundle) -> None:
    """Put a checked bundle in the place of the one before. Raises: OSError; the old one then stays."""
    # If power fails before this ends, the old bundle is there as a whole, and the hub is asked again.
    write_durably(folder / FILE, encode_kept(sealed), replace=True)


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


@lru_cache(maxsize=8)
def _kept(content: bytes, enrolment: bytes) -> KeptBundle:
    """What a file holds, checked once a run. Raises: WireError, ValueError."""
    answer = parse_answer(enrolment)
    if len(content) > MAX_FILE_BYTES:
        raise WireError(RefusalReason.OVERSIZED, "too large")
    whole = open_kept(content, coop=answer.coop, identity=answer.hub_public_key)
    faults = {each.id: _fault(each) for each in whole.maps}
    usable = replace(whole, maps=tuple(each for each in whole.maps if faults[each.id] is None))
    return KeptBundle(usable, whole.serial, released_digests(whole), tuple(each for each in faults.values() if each))


def _fault(released: ReleasedMap) -> str | None:
    """Why this agent cannot use a map: a newer hub may know keys that it does not, and an update of it may."""
    _, faults = judge_text(released.text, name=f"{released.id}.toml")
    return f"the co-op's map {released.id} is left out until this agent can use it: {faults[0]}" if faults else None


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
    for name in taken_maps(folder):
        path = folder / TAKEN / f"{name}.toml"
        try:
            text = _taken_text(folder, path)
        except (OSError, ValueError, WireError) as error:
            detail = error.detail if isinstance(error, WireError) else error
            fault = (
                f"{path}: was changed or damaged ({detail}): `commonwatt-agent map take {name}` takes the co-op's"
                " newest, with --undo the installed map is used"
            )
            found[name] = CoopMap("", 0, path, fault)
        else:
            is_there = name in released and released[name].text == text
            found[name] = CoopMap(text, serial if is_there else 0, path)
    return found


def taken_maps(folder: Path) -> list[str]:
    """The ids of the maps that were taken."""
    return [path.stem for path in sorted((folder / TAKEN).glob("*.toml")) if is_map_id(path.stem)]


def _taken_text(folder: Path, path: Path) -> str:
    """What the signed bundle beside the text says, or, of a map that an earlier agent took, the text itself."""
    shown = _content(path)
    # With both, the map was being taken when power failed: the text is the old one or the new one.
    proofs = [proof for end in (PROOF, NEXT_PROOF) if (proof := path.with_suffix(end)).exists()]
    if not proofs:
        if len(shown) > MAX_MAP_BYTES:
            raise ValueError("too large")
        return shown.decode("utf-8")
    if not any(_proven_text(folder, proof, path.stem).encode("utf-8") == shown for proof in proofs):
        raise ValueError("it is not the text that the board released")
    return shown.decode("utf-8")


def _proven_text(folder: Path, proof: Path, name: str) -> str:
    """The text of this map in a signed bundle. Raises: OSError, ValueError, WireError."""
    kept = _kept(_content(proof), (folder / ENROLMENT).read_bytes())
    maps = () if kept.bundle is None else kept.bundle.maps
    text = next((each.text for each in maps if each.id == name), None)
    if text is None:
        raise ValueError("the signed bundle beside it has no such map")
    return text


PROOF: Final = ".signed"
"""The end of the name of the signed bundle beside a taken text."""

NEXT_PROOF: Final = ".next.signed"
"""The same while a map is being taken: it takes the other's place once the text is there."""


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
    path = folder / TAKEN / f"{name}.toml"
    # If power fails in between, the text that is there agrees with one of the two proofs.
    write_durably(path.with_suffix(NEXT_PROOF), _content(folder / FILE), replace=True)
    write_durably(path, text.encode("utf-8"), replace=True)
    path.with_suffix(NEXT_PROOF).replace(path.with_suffix(PROOF))
    return bundle.serial


def prove_taken(folder: Path) -> None:
    """Put the signed bundle beside each text that an earlier agent took, if it has the same one. Raises: OSError."""
    bundle = read_bundle(folder)
    for each in bundle.maps if bundle else ():
        path = folder / TAKEN / f"{each.id}.toml"
        if path.is_file() and not path.with_suffix(PROOF).exists() and _content(path) == each.text.encode("utf-8"):
            write_durably(path.with_suffix(PROOF), _content(folder / FILE), replace=True)


def give_back(folder: Path, name: str) -> None:
    """Undo `take_map` from the next start on. Raises: RequestError if it was not taken; OSError."""
    path = folder / TAKEN / f"{name}.toml"
    if not is_map_id(name) or not path.is_file():
        raise RequestError(f"the map {name[:80]!r} of the co-op was not taken: nothing to undo")
    path.unlink()
    for proof in (PROOF, NEXT_PROOF):
        path.with_suffix(proof).unlink(missing_ok=True)


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
