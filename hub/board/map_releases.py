"""How the board releases device maps to homes: a map is checked and added, one member proposes a set, another confirms.

What is released is always a whole set, one bundle; taking a map back is a set without it.
"""

from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from hub.storage.contract import MemberStore
from hub.storage.errors import StoreError
from hub.storage.maps.records import MOST_AHEAD, MapFile, MapProposal, MapRelease, MapStore
from protocols.errors import RequestError
from protocols.maps.model import DeviceMap
from protocols.maps.proof.judging import judge_text, judge_vectors, vector_places
from protocols.wire.map_bundles.content import (
    MAX_MAP_BYTES,
    MAX_SERIAL,
    MapBundle,
    ReleasedMap,
    encode_bundle,
    map_digest,
)
from protocols.wire.refusal_reasons import WireError

MAX_FILE_BYTES: Final = 262_144
DIGEST_CHARS_LEAST: Final = 8


class MapStores(MemberStore, MapStore, Protocol):
    """The parts of the store that a release of maps reads and writes."""


class MapService:
    """What the board's page does with maps. A refusal is returned as a line of text; nothing has then been written."""

    def __init__(self, store: MapStores) -> None:
        self._store = store

    async def propose(self, name: str, *, is_withdrawal: bool, by: str, at: int) -> str | None:
        """Propose today's set with this map (id or digest) taken in or taken back."""
        return await _refusal(propose_set(self._store, [name], is_withdrawal=is_withdrawal, by=by, at=at))

    async def confirm(self, proposal: int, *, by: str, at: int) -> str | None:
        """Release a proposed set as the next bundle."""
        return await _refusal(confirm_set(self._store, proposal, by=by, at=at))

    async def withdraw(self, proposal: int, *, by: str, at: int) -> str | None:
        """Take a proposal back."""
        return await _refusal(self._store.withdraw_maps(proposal, by=by, at=at))


async def _refusal(act: Awaitable[object]) -> str | None:
    try:
        await act
    except (RequestError, StoreError) as error:
        return str(error)
    return None


def read_map(path: Path, vectors: Path | None = None) -> tuple[DeviceMap | None, str, list[str]]:
    """The map in a file, its text, and everything that is wrong with it and with its golden vectors, a line each.

    `vectors` is their file; else it lies beside the map or in `../vectors`. A bronze map needs none.
    Raises: RequestError if a file cannot be read.
    """
    text = _read(path)
    if len(text.encode("utf-8")) > MAX_MAP_BYTES:
        return None, text, [f"{path.name}: larger than {MAX_MAP_BYTES} bytes, no home takes that"]
    device_map, faults = judge_text(text, name=path.name)
    if device_map is None:
        return None, text, faults
    places = [vectors] if vectors else [path.parent / each for each in vector_places(device_map.id)]
    file = next((each for each in places if each.is_file()), None)
    if file is not None:
        faults += judge_vectors(device_map, _read(file), name=file.name)
    elif vectors is not None or device_map.quality != "bronze":
        where = vectors or f"{device_map.id}.json beside it or in ../vectors"
        faults.append(f"{path.name}: quality: {device_map.quality}: no vectors found, expected {where}")
    return device_map, text, faults


async def add_map(store: MapStores, device_map: DeviceMap, text: str, *, by: str, at: int) -> MapFile:
    """Keep a map that was found good. Raises: StoreError; nothing is then written."""
    new = MapFile(map_digest(text).hex(), device_map.id, _worst(device_map), text, by, at)
    await store.add_map_file(new)
    return new


async def propose_set(
    store: MapStores, names: Sequence[str], *, is_withdrawal: bool, by: str, at: int
) -> tuple[int, tuple[MapFile, ...]]:
    """Propose today's set with these maps (ids or digests) taken in or taken back: the proposal's number and the set.

    Raises: RequestError or StoreError; nothing is then written.
    """
    wanted = changed_set(await store.map_files(), await released_files(store), names, is_withdrawal=is_withdrawal)
    _encode(wanted, coop=(await store.coop()).id, serial=MAX_SERIAL, at=at)
    return await store.propose_maps([each.digest for each in wanted], by=by, at=at), wanted


async def confirm_set(store: MapStores, proposal: int, *, by: str, at: int, after: int = 0) -> MapRelease:
    """Release a proposed set as the next bundle, with a serial above `after` and all before.

    Raises: RequestError or StoreError; nothing is then written.
    """
    wanted = next((each for each in await store.map_proposals() if each.id == proposal), None)
    if wanted is None:
        raise RequestError(f"there is no proposal {proposal}: commonwatt-hub maps list shows them")
    by_digest = {each.digest: each for each in await store.map_files()}
    files = [by_digest[each] for each in wanted.digests]
    newest = max([0, *(each.serial for each in await store.map_releases())])
    if after > newest + MOST_AHEAD:
        raise RequestError(
            f"--after: {after} is more than {MOST_AHEAD} above bundle {newest}, the newest this hub knows: no hub has"
            " released so many, and homes would never take a lower one again"
        )
    serial = 1 + max(after, newest)
    bundle = _encode(files, coop=(await store.coop()).id, serial=serial, at=at)
    release = MapRelease(serial, proposal, sum(each.quality == "bronze" for each in files), bundle, by, at)
    await store.release_maps(release)
    return release


async def waiting_proposals(store: MapStores) -> tuple[MapProposal, ...]:
    """The proposals that can still be released: nothing was since, and nobody took them back."""
    releases = await store.map_releases()
    newest = releases[-1].serial if releases else 0
    return tuple(each for each in await store.map_proposals() if each.follows == newest and not each.withdrawn_by)


async def released_files(store: MapStores) -> tuple[MapFile, ...]:
    """The maps that are released now, by their ids."""
    releases = await store.map_releases()
    if not releases:
        return ()
    digests = next(each.digests for each in await store.map_proposals() if each.id == releases[-1].proposal)
    by_digest = {each.digest: each for each in await store.map_files()}
    return tuple(by_digest[each] for each in digests)


def changed_set(
    added: Sequence[MapFile], released: Sequence[MapFile], names: Iterable[str], *, is_withdrawal: bool
) -> tuple[MapFile, ...]:
    """The next set, in order of ids. A name is a map's id (its newest file) or the beginning of a digest.

    Raises: RequestError if a name fits nothing, or if nothing would change.
    """
    wanted = {each.map: each for each in released}
    for name in dict.fromkeys(names):
        if is_withdrawal:
            fits = [each.map for each in released if _is_named(each, name)]
            if len(fits) != 1:
                raise RequestError(f"{name[:80]!r} is not released: commonwatt-hub maps list shows what is")
            wanted.pop(fits[0], None)
        else:
            found = _find(added, name)
            wanted[found.map] = found
    chosen = tuple(wanted[name] for name in sorted(wanted))
    if [each.digest for each in chosen] == [each.digest for each in released]:
        raise RequestError("this is what is released already: nothing to propose")
    return chosen


def short_name(added: Sequence[MapFile], wanted: MapFile) -> str:
    """What names this file in a release: its map's id, or the beginning of its digest if a newer file has that id."""
    newest = [each for each in added if each.map == wanted.map][-1]
    return wanted.map if newest.digest == wanted.digest else wanted.digest[:16]


def _is_named(file: MapFile, name: str) -> bool:
    return file.map == name or (len(name) >= DIGEST_CHARS_LEAST and file.digest.startswith(name))


def _find(added: Sequence[MapFile], name: str) -> MapFile:
    fits = [each for each in added if each.map == name]
    if not fits and len(name) >= DIGEST_CHARS_LEAST:
        fits = [each for each in added if each.digest.startswith(name)]
        if len(fits) > 1:
            raise RequestError(f"several maps have a digest that begins with {name}: give more of it")
    if not fits:
        raise RequestError(f"no map {name[:80]!r} was added: first commonwatt-hub maps add FILE")
    return fits[-1]


def _encode(files: Sequence[MapFile], *, coop: str, serial: int, at: int) -> bytes:
    maps = tuple(ReleasedMap(each.map, each.text) for each in files)
    try:
        return encode_bundle(MapBundle(coop, serial, at, maps))
    except WireError as error:
        raise RequestError(f"these maps do not fit into one bundle: {error.detail}") from None


def _worst(device_map: DeviceMap) -> str:
    """The map's quality, or bronze if a variant of it is."""
    qualities = {device_map.quality, *(each.map.quality for each in device_map.variants)}
    return "bronze" if "bronze" in qualities else device_map.quality


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise RequestError(f"{path}: larger than {MAX_FILE_BYTES} bytes: not a device map or its vectors")
        # As the agent reads a file, so that the same map has the same digest everywhere.
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise RequestError(f"{path}: not UTF-8: save it again with that encoding") from None
