"""`commonwatt-hub rules`: shows the rulebook's versions; a board member proposes a new one, another adopts it."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from hub.board.rule_changes import adopt_rule, propose_rule
from hub.commands.periods import parse_day_argument
from hub.console.output_files import read_file
from hub.core.rules.presets import PresetError, find_preset
from hub.folder.clock import open_clock
from hub.folder.opening import OpenHub, opened_hub
from hub.storage.errors import StoreError
from protocols.errors import RequestError
from protocols.timeline import Clock
from protocols.toml_text import TomlTextError, read_toml

SHOW: Final = "show"
PROPOSE: Final = "propose"
ADOPT: Final = "adopt"
WITHDRAW: Final = "withdraw"
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    SHOW: (),
    PROPOSE: ("preset", "file", "since", "by"),
    ADOPT: ("proposal", "by"),
    WITHDRAW: ("proposal", "by"),
}
NAMES: Final = {"since": "--from"}
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {**OPTIONS, PROPOSE: ("since", "by")}
MICRO: Final = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("what", choices=tuple(OPTIONS), help="show the rulebook; propose, adopt or withdraw a version")
    parser.add_argument("--preset", metavar="ID", help="propose: a country's way of sharing, see presets")
    parser.add_argument(
        "--file", type=Path, metavar="FILE",
        help="propose: a TOML file with the keys of [rules] to change, and the tables params, participation_percent"
        " and netting_of",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="since", type=parse_day_argument, metavar="DAY", help="propose: the first day, after today"
    )
    parser.add_argument("--proposal", type=int, metavar="N", help="adopt, withdraw: the proposal's number")
    parser.add_argument("--by", metavar="ID", help="who proposes, adopts or withdraws, a board member such as m01")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Propose, adopt or withdraw if asked, and show the rulebook. Raises: RequestError; nothing is then changed."""
    _check_options(args)
    clock = open_clock(args.clock)
    try:
        found = asyncio.run(_change_and_show(args, clock=clock))
    except StoreError as error:
        raise RequestError(f"rules: {error}") from None
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n" if args.json else rulebook_lines(found))
    return 0


def _check_options(args: argparse.Namespace) -> None:
    options = sorted({name for names in OPTIONS.values() for name in names})
    for name in options:
        shown = NAMES.get(name, f"--{name}")
        is_given = getattr(args, name) is not None
        if is_given and name not in OPTIONS[args.what]:
            raise RequestError(f"rules {args.what}: {shown} does not go with it")
        if not is_given and name in NEEDED[args.what]:
            raise RequestError(f"rules {args.what}: give {shown}")
    if args.what == PROPOSE and args.preset is None and args.file is None:
        raise RequestError("rules propose: give --preset, --file, or both")


async def _change_and_show(args: argparse.Namespace, *, clock: Clock) -> dict[str, object]:
    changes = {} if args.file is None else read_changes(args.file)
    async with opened_hub(args.data, clock=clock) as hub:
        try:
            if args.what == PROPOSE:
                await _propose(hub, args.preset, args.file, changes, since=args.since, by=args.by)
            elif args.what == ADOPT:
                await adopt_rule(hub.store, args.proposal, by=args.by, at=hub.opened_at)
            elif args.what == WITHDRAW:
                await hub.store.withdraw_rule(args.proposal, by=args.by, at=hub.opened_at)
        except (RequestError, PresetError) as problem:
            raise RequestError(f"rules: {problem}") from None
        book = await hub.store.rulebook(hub.today.isoformat())
        return {"currency": hub.settings.coop.currency, **book.plain(hub.settings.coop.tz)}


async def _propose(
    hub: OpenHub, preset: str | None, file: Path | None, changes: Mapping[str, object], *, since: date, by: str
) -> None:
    sources = [] if preset is None else [f"preset {preset}"]
    sources += [] if file is None else [f"file {file.name}"]
    await propose_rule(
        hub.store,
        changes,
        preset=None if preset is None else find_preset(preset),
        first_day=since,
        source=" with ".join(sources),
        by=by,
        at=hub.opened_at,
    )


def read_changes(path: Path) -> Mapping[str, object]:
    """The keys of a rule in this file, with or without the heading [rules]. Raises: RequestError."""
    try:
        table = read_toml(read_file(path))
    except TomlTextError as error:
        raise RequestError(f"rules: {path}: not a TOML file: {error}") from None
    inner = table.get("rules")
    if isinstance(inner, dict) and len(table) == 1:
        return inner
    return table


def rulebook_lines(found: Mapping[str, object]) -> str:
    """The rulebook for people."""
    versions, proposals = _rows(found["versions"]), _rows(found["proposals"])
    lines = []
    for row in versions:
        if row["adopted_by"] is None:
            lines.append(f"first version, from hub.toml{_in_force(row)}")
        else:
            lines.append(
                f"from {row['valid_from']}{_in_force(row)}: proposed by {row['proposed_by']} on"
                f" {row['proposed_on']}, adopted by {row['adopted_by']} on {row['adopted_on']} ({row['source']})"
            )
        lines.append(_content_line(row, str(found["currency"])))
    for row in proposals:
        state = "can no longer be adopted" if row["is_stale"] else "waits for a second board member"
        lines.append(
            f"proposal {row['proposal']}, from {row['valid_from']}: by {row['proposed_by']} on {row['proposed_on']}"
            f" ({row['source']}), {state}"
        )
        lines.append(_content_line(row, str(found["currency"])))
    return "\n".join(lines) + "\n"


def _in_force(row: Mapping[str, object]) -> str:
    return ", in force today" if row["is_in_force"] else ""


def _content_line(row: Mapping[str, object], currency: str) -> str:
    content = row["content"]
    assert isinstance(content, dict)
    prices = content["prices"]
    shown = [f"{name} {price / MICRO:.4f}" for name, price in prices.items() if price is not None]
    step = "hour" if content["aggregate"] == 4 else "quarter hour"
    rest = {
        name: value
        for name, value in content.items()
        if name not in ("method", "prices", "aggregate", "missing") and value not in ({}, 0)
    }
    words = [f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in rest.items()]
    prices_line = f"{', '.join(shown)} {currency} per kWh"
    return "  " + "; ".join([f"{content['method']} by the {step}", prices_line, *words, f"version {row['rule']}"])


def _rows(value: object) -> Sequence[Mapping[str, object]]:
    assert isinstance(value, list)
    return value
