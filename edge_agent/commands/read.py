"""`read`: every point of the home's devices once, with unit and raw words."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from edge_agent.commands.arguments import add_command, add_json
from edge_agent.settings import read_settings
from protocols.errors import RequestError

if TYPE_CHECKING:
    from edge_agent.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Name the command and its arguments."""
    words = "read every point once and show its unit and raw register words"
    parser = add_command(commands, "read", run=_read, words=words)
    parser.add_argument("--device", metavar="NAME", help="only the device of this name in the configuration")
    add_json(parser, "print JSON, with every raw register word")


def _read(options: argparse.Namespace) -> int:
    from edge_agent.devices.assembly import make_fleet
    from edge_agent.devices.phase_counting import phase_lines
    from edge_agent.devices.readout import as_json, as_record, as_table, read_once
    from edge_agent.maps.words import map_notes

    settings = read_settings(options.config)
    fleet = make_fleet(settings)
    names = [device.name for device in settings.devices]
    if options.device and options.device not in names:
        raise RequestError(f"--device: no device {options.device!r}, expected one of {', '.join(names)}")
    readings, troubles = asyncio.run(read_once(fleet, only=options.device))
    notes = map_notes((device.settings for device, _ in readings), settings.maps, settings.data)
    told = list(zip(readings, notes, strict=True))
    if options.json:
        print(as_json([{**as_record(*each), "about_map": note.record} for each, note in told]))
    elif readings:
        print("\n\n".join(as_table(*each, about=note.line) for each, note in told))
        found = [device for device, _ in readings]
        for line in phase_lines(found, settings.legal_meter.phases, interval_s=settings.interval_s):
            print(line)
    for trouble in troubles:
        print(f"commonwatt-agent: {trouble}", file=sys.stderr)
    return 1 if troubles else 0
