"""`map`: check, list, show and try register maps, for a household and for whoever writes one."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.commands.arguments import add_json, add_plain_command
from protocols.errors import RequestError

if TYPE_CHECKING:
    from decimal import Decimal

    from edge_agent.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Name the command, its parts and their arguments."""
    parser = commands.add_parser("map", help="check, list, show or try register maps", description=__doc__)
    parts = parser.add_subparsers(required=True, metavar="PART")
    check = add_plain_command(parts, "check", run=_check, words="say all that is wrong with a map, one line each")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a map's TOML file")
    words = "its golden vectors, or a folder of them (default: ID.json beside the map or in ../vectors)"
    check.add_argument("--vectors", type=Path, metavar="PATH", help=words)
    listed = add_plain_command(parts, "list", run=_list, words="list all maps: id, vendor, quality, kinds and roles")
    words = "show what a map counts, how good it is and why, and what to mind"
    show = add_plain_command(parts, "show", run=_show, words=words)
    show.add_argument("id", metavar="ID", help="the map's id, as `map list` shows it")
    words = "read a device with the co-op's newest map of this id, from the agent's next start on"
    take = add_plain_command(parts, "take", run=_take, words=words)
    take.add_argument("id", metavar="ID", help="the map's id, as `map list` shows it")
    take.add_argument("--undo", action="store_true", help="go back to the installed map")
    for each in (listed, show, take):
        words = "the home's configuration, for its maps and those of the co-op (default: agent.toml, if it is there)"
        each.add_argument("--config", type=Path, metavar="FILE", help=words)
    for each in (listed, show):
        each.add_argument("--maps", type=Path, metavar="FOLDER", help="a folder of your own maps; they win")
        add_json(each)
    trial = add_plain_command(parts, "try", run=_try, words="read a device once with a map that need not be installed")
    trial.add_argument("file", type=Path, metavar="FILE", help="the map's TOML file")
    words = "the device's address, such as tcp://192.168.1.20:502 or rtu:///dev/ttyUSB0"
    trial.add_argument("--connect", required=True, metavar="ADDRESS", help=words)
    trial.add_argument("--unit", type=int, metavar="N", help="its unit id (default: the first one of the map)")
    trial.add_argument("--variant", metavar="NAME", help="which variant of the map the device is")
    words = "draft a bronze map from a meter template of evcc, with every gap marked"
    draft = add_plain_command(parts, "from-evcc", run=_draft, words=words)
    draft.add_argument("file", type=Path, metavar="FILE", help="the template's YAML file")
    draft.add_argument("--out", type=Path, metavar="FOLDER", help="write ID.toml into this folder (default: print it)")


def _check(options: argparse.Namespace) -> int:
    from edge_agent.maps.checking import check_file
    from edge_agent.maps.words import count_of

    found = 0
    for path in options.files:
        verdict = check_file(path, options.vectors)
        for line in verdict.findings:
            print(line)
        if not verdict.findings:
            print(f"{path.name}: good: {verdict.said}")
        found += len(verdict.findings)
    if found:
        print(f"commonwatt-agent: {count_of(found, 'finding')}; put them right and check again", file=sys.stderr)
    return 1 if found else 0


def _list(options: argparse.Namespace) -> int:
    from edge_agent.maps.files import find_map, known_families
    from edge_agent.maps.words import QUALITY, list_record, origin_mark
    from protocols.maps.model import MapError
    from protocols.text_table import format_table

    own, state = _places(options)
    found, troubles = [], []
    for family in known_families(own, state=state):
        try:
            found.append(find_map(family, own, state=state))
        except MapError as complaint:
            troubles.append(str(complaint))
    if options.json:
        _print_json([list_record(each) for each in found])
    else:
        rows = [("map", "vendor", "quality", "kinds", "roles")]
        rows += [
            (f"{each.map.id}{origin_mark(each)}", each.map.vendor, each.map.quality,
             ", ".join(each.map.kinds), ", ".join(each.map.roles))
            for each in found
        ]  # fmt: skip
        print(
            "\n".join(
                [*format_table(rows), *(f"{name}: {words}" for name, words in QUALITY.items()), *_bundle_lines(state)]
            )
        )
    for trouble in troubles:
        print(f"commonwatt-agent: {trouble}", file=sys.stderr)
    return 1 if troubles else 0


def _show(options: argparse.Namespace) -> int:
    from edge_agent.maps.coop.kept import read_bundle, released_digests
    from edge_agent.maps.files import find_map
    from edge_agent.maps.words import map_lines, show_record
    from edge_agent.sections.factor import factor_words

    own, state = _places(options)
    multiplied = _factors(options)
    found = find_map(options.id, own, state=state)
    bundle = None if state is None else read_bundle(state)
    is_released = found.digest in released_digests(bundle)
    if options.json:
        scaled = {"factors": {name: str(factor) for name, factor in multiplied}} if multiplied else {}
        _print_json(show_record(found) | {"released": is_released} | scaled)
        return 0
    lines = map_lines(found)
    if bundle is not None and is_released:
        words = "as the grid's meter it counts for settlement"
        lines.append(f"released by the co-op's board in bundle {bundle.serial}: {words}")
    lines += [f"{name}: {factor_words(factor)}" for name, factor in multiplied]
    print("\n".join(lines))
    return 0


def _take(options: argparse.Namespace) -> int:
    from edge_agent.maps.coop.kept import give_back, take_map

    _, state = _places(options)
    if state is None:
        raise RequestError("no agent.toml here: name the home's with --config")
    try:
        if options.undo:
            give_back(state, options.id)
            print(f"{options.id}: the installed map is used again from the agent's next start on")
        else:
            serial = take_map(state, options.id)
            print(f"{options.id}: the map of the co-op's bundle {serial} is used from the agent's next start on")
    except OSError as cause:
        raise RequestError(f"{cause.filename}: cannot be written: {cause.strerror or cause}") from None
    return 0


def _places(options: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """The household's own maps and the agent's data folder, as far as they are known."""
    from edge_agent.settings import read_settings
    from protocols.errors import SettingsError

    own: Path | None = getattr(options, "maps", None)
    config: Path = options.config or Path("agent.toml")
    if options.config is None and not config.exists():
        return own, None
    try:
        settings = read_settings(config)
    except SettingsError as trouble:
        if options.config is not None:
            raise
        print(f"commonwatt-agent: {trouble}; your own maps and the co-op's are left out", file=sys.stderr)
        return own, None
    return own or settings.maps, settings.data


def _factors(options: argparse.Namespace) -> list[tuple[str, Decimal]]:
    """The devices of the home that are read with this map and whose values are multiplied, and by what."""
    from edge_agent.settings import read_settings
    from protocols.errors import SettingsError

    try:
        devices = read_settings(options.config or Path("agent.toml")).devices
    except SettingsError:
        return []  # `_places` has said it
    return [(each.name, each.factor) for each in devices if each.map == options.id and each.factor != 1]


def _bundle_lines(state: Path | None) -> list[str]:
    from edge_agent.maps.coop.kept import read_bundle

    bundle = None if state is None else read_bundle(state)
    if bundle is None:
        return []
    named = ", ".join(each.id for each in bundle.maps) or "no maps"
    return [f"the co-op's bundle {bundle.serial}: {named}"]


def _try(options: argparse.Namespace) -> int:
    from edge_agent.devices.map_trial import try_map
    from edge_agent.maps.files import read_map
    from edge_agent.settings import CONNECT_EXPECTED, parse_endpoint

    device_map = read_map(options.file).varied(options.variant)
    try:
        endpoint = parse_endpoint(options.connect)
    except ValueError:
        raise RequestError(f"--connect: expected {CONNECT_EXPECTED}, found {options.connect!r}") from None
    unit = device_map.transport.unit_ids[0] if options.unit is None else options.unit
    if not 0 <= unit <= 255:
        raise RequestError(f"--unit: expected 0 to 255, found {unit}")
    lines, troubles = asyncio.run(try_map(device_map, endpoint, unit=unit))
    if lines:
        print("\n".join(lines))
    for trouble in troubles:
        print(f"commonwatt-agent: {trouble}", file=sys.stderr)
    return 1 if troubles else 0


def _draft(options: argparse.Namespace) -> int:
    from edge_agent.maps.evcc.draft import draft_map, map_id
    from edge_agent.maps.evcc.template import read_template
    from edge_agent.maps.files import read_text
    from edge_agent.maps.words import count_of

    template = read_template(read_text(options.file), name=options.file.name)
    draft = draft_map(template, source=f"evcc, templates/definition/meter/{options.file.name}")
    if options.out is None:
        print(draft)
        return 0
    path = options.out / f"{map_id(template)}.toml"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(draft)
    except FileExistsError:
        raise RequestError(f"{path}: is there already: move it away first") from None
    except OSError as cause:
        raise RequestError(f"{path}: cannot be written: {cause.strerror or cause}") from None
    gaps = count_of(sum("# GAP" in line for line in draft.splitlines()), "line")
    print(f"{path}: a draft with {gaps} marked GAP: fill them from the maker's document")
    print(f"then: commonwatt-agent map check {path}")
    return 0


def _print_json(found: object) -> None:
    import json

    print(json.dumps(found, indent=2, ensure_ascii=False))
