"""`commonwatt-hub maps`: device maps for the homes' agents; one board member proposes a set, another confirms it."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from hub.board.map_releases import (
    add_map,
    confirm_set,
    propose_set,
    read_map,
    released_files,
    short_name,
    waiting_proposals,
)
from hub.folder.clock import open_clock
from hub.folder.opening import OpenHub, opened_hub
from hub.storage.errors import StoreError
from hub.storage.maps.records import MapFile
from protocols.errors import RequestError
from protocols.text_table import format_table
from protocols.timeline import Clock

LIST: Final = "list"
ADD: Final = "add"
RELEASE: Final = "release"
WITHDRAW: Final = "withdraw"
CONFIRM: Final = "confirm"
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    LIST: (),
    ADD: ("by", "vectors"),
    RELEASE: ("by",),
    WITHDRAW: ("by", "proposal"),
    CONFIRM: ("by", "proposal", "after"),
}
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    LIST: (), ADD: ("by",), RELEASE: ("by",), WITHDRAW: ("by",), CONFIRM: ("by", "proposal")
}  # fmt: skip
NAMED: Final = {ADD: "FILE", RELEASE: "a map's id", WITHDRAW: "a map's id"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    words = "list maps; add a map's file; propose to release or withdraw maps; confirm or withdraw a proposal"
    parser.add_argument("what", nargs="?", default=LIST, choices=tuple(OPTIONS), help=words)
    words = "add: TOML files of maps; release, withdraw: ids of maps, or the beginning of a digest"
    parser.add_argument("names", nargs="*", metavar="NAME", help=words)
    words = "add: the map's golden vectors (default: ID.json beside it or in ../vectors)"
    parser.add_argument("--vectors", type=Path, metavar="FILE", help=words)
    parser.add_argument("--proposal", type=int, metavar="N", help="confirm, withdraw: the proposal's number")
    words = "confirm: give the bundle a serial above this, after the hub was restored from a backup"
    parser.add_argument("--after", type=int, metavar="N", help=words)
    parser.add_argument("--by", metavar="ID", help="who does it, a board member such as m01")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """List, add, propose or confirm. Returns 1 if a map to add is not good. Raises: RequestError."""
    _check_options(args)
    clock = open_clock(args.clock)
    try:
        if args.what == ADD:
            return _add(args, clock)
        done, found = asyncio.run(_change_and_show(args, clock=clock))
    except StoreError as error:
        raise RequestError(f"maps: {error}") from None
    text = json.dumps(found, ensure_ascii=False) + "\n" if args.json else map_lines(found, done)
    sys.stdout.write(text)
    return 0


def _check_options(args: argparse.Namespace) -> None:
    for name in ("after", "by", "proposal", "vectors"):
        is_given = getattr(args, name) is not None
        if is_given and name not in OPTIONS[args.what]:
            raise RequestError(f"maps {args.what}: --{name} does not go with it")
        if not is_given and name in NEEDED[args.what]:
            raise RequestError(f"maps {args.what}: give --{name}")
    if args.what == WITHDRAW and args.proposal is not None:
        if args.names:
            raise RequestError("maps withdraw: give maps or --proposal, not both")
        return
    if args.what in NAMED and not args.names:
        raise RequestError(f"maps {args.what}: give {NAMED[args.what]}")
    if args.what not in NAMED and args.names:
        raise RequestError(f"maps {args.what}: {args.names[0][:80]!r} does not go with it")
    if args.vectors is not None and len(args.names) > 1:
        raise RequestError("maps add: --vectors goes with one FILE alone")
    if args.after is not None and args.after < 0:
        raise RequestError(f"maps confirm: --after: expected 0 or more, found {args.after}")


def _add(args: argparse.Namespace, clock: Clock) -> int:
    """Check every file first: one that is not good and no map is added."""
    judged = [read_map(Path(name), args.vectors) for name in args.names]
    faults = [fault for _, _, found in judged for fault in found]
    if faults:
        sys.stdout.write("".join(f"{fault}\n" for fault in faults))
        count = "1 finding" if len(faults) == 1 else f"{len(faults)} findings"
        sys.stderr.write(f"commonwatt-hub: maps add: {count}, nothing was added\n")
        return 1

    async def add() -> tuple[list[MapFile], list[str]]:
        async with opened_hub(args.data, clock=clock) as hub:
            added = [
                await add_map(hub.store, device_map, text, by=args.by, at=hub.opened_at)
                for device_map, text, _ in judged
                if device_map is not None
            ]
            files = await hub.store.map_files()
            return added, [short_name(files, each) for each in added]

    added, names = asyncio.run(add())
    if args.json:
        sys.stdout.write(json.dumps([_plain(each) for each in added]) + "\n")
    else:
        lines = [f"{each.map}: {each.quality}, good, digest {each.digest[:16]}" for each in added]
        lines.append(f"then: commonwatt-hub maps release {' '.join(dict.fromkeys(names))} --by {args.by}")
        sys.stdout.write("\n".join(lines) + "\n")
    return 0


async def _change_and_show(args: argparse.Namespace, *, clock: Clock) -> tuple[str, dict[str, object]]:
    async with opened_hub(args.data, clock=clock) as hub:
        done = ""
        try:
            if args.what == WITHDRAW and args.proposal is not None:
                await hub.store.withdraw_maps(args.proposal, by=args.by, at=hub.opened_at)
                done = f"proposal {args.proposal} is withdrawn: nobody can confirm it any more\n"
            elif args.what in (RELEASE, WITHDRAW):
                is_withdrawal = args.what == WITHDRAW
                number, _ = await propose_set(
                    hub.store, args.names, is_withdrawal=is_withdrawal, by=args.by, at=hub.opened_at
                )
                done = f"proposal {number}: another board member confirms it with maps confirm --proposal {number}\n"
            elif args.what == CONFIRM:
                release = await confirm_set(
                    hub.store, args.proposal, by=args.by, at=hub.opened_at, after=args.after or 0
                )
                done = f"bundle {release.serial} is released: homes' agents fetch it within six hours\n"
        except RequestError as problem:
            raise RequestError(f"maps: {problem}") from None
        return done, await _shown(hub)


async def _shown(hub: OpenHub) -> dict[str, object]:
    store, tz = hub.store, hub.settings.coop.tz
    files = {each.digest: each for each in await store.map_files()}
    proposals = {each.id: each for each in await store.map_proposals()}
    releases = await store.map_releases()
    newest = releases[-1].serial if releases else 0
    released = {each.digest for each in await released_files(store)}
    return {
        "bundle": newest,
        "maps": [{**_plain(each), "is_released": each.digest in released} for each in files.values()],
        "releases": [
            {
                "serial": each.serial,
                "maps": [files[digest].map for digest in proposals[each.proposal].digests],
                "bronze": each.bronze,
                "bytes": len(each.bundle),
                "proposed_by": proposals[each.proposal].proposed_by,
                "released_by": each.released_by,
                "released_on": _day(each.released_at, tz),
            }
            for each in releases
        ],
        "proposals": [
            {
                "proposal": each.id,
                "maps": [files[digest].map for digest in each.digests],
                "digests": list(each.digests),
                "bronze": sum(files[digest].quality == "bronze" for digest in each.digests),
                "proposed_by": each.proposed_by,
                "proposed_on": _day(each.proposed_at, tz),
            }
            for each in await waiting_proposals(store)
        ],
    }


def map_lines(found: Mapping[str, object], done: str = "") -> str:
    """The maps, the newest bundle and what waits, for people."""
    rows = [("map", "quality", "digest", "added by", "released")]
    rows += [
        (str(each["map"]), str(each["quality"]), str(each["digest"])[:16], str(each["added_by"]),
         "yes" if each["is_released"] else "no")
        for each in _rows(found["maps"])
    ]  # fmt: skip
    lines = list(format_table(rows)) if len(rows) > 1 else ["no map was added; agents read with those they came with"]
    for each in _rows(found["releases"])[-1:]:
        bronze = f", {each['bronze']} of them bronze and counted for settlement" if each["bronze"] else ""
        lines.append(
            f"bundle {each['serial']}, released on {each['released_on']} by {each['proposed_by']} and"
            f" {each['released_by']}: {_named(each)}{bronze}"
        )
    for each in _rows(found["proposals"]):
        bronze = f", {each['bronze']} of them bronze, which will count for settlement" if each["bronze"] else ""
        lines.append(
            f"proposal {each['proposal']} of {each['proposed_by']}, {each['proposed_on']}: {_named(each)}{bronze};"
            " waits for a second board member"
        )
    return done + "\n".join(lines) + "\n"


def _named(row: Mapping[str, object]) -> str:
    """The maps of a bundle; of a proposal with the files' digests, so that whoever confirms sees which they are."""
    maps, digests = row["maps"], row.get("digests")
    assert isinstance(maps, list)
    if isinstance(digests, list):
        maps = [f"{name} ({digest[:16]})" for name, digest in zip(maps, digests, strict=True)]
    return ", ".join(maps) if maps else "no maps at all"


def _plain(each: MapFile) -> dict[str, object]:
    return {"map": each.map, "quality": each.quality, "digest": each.digest, "added_by": each.added_by}


def _day(at_s: int, tz: str) -> str:
    return datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(tz)).date().isoformat()


def _rows(value: object) -> Sequence[Mapping[str, object]]:
    assert isinstance(value, list)
    return value
