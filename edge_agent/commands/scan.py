"""`commonwatt-agent scan`: finds devices where the person says, and proposes what they are. Writes only if told to."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from ipaddress import IPv4Network
from pathlib import Path

from edge_agent.devices.assembly import MAPS
from edge_agent.finding.families import known_families
from edge_agent.finding.kept_scan import keep_scan
from edge_agent.finding.networks import own_networks, parse_network
from edge_agent.finding.search import FoundDevice, SearchEvent, SearchPlan, search
from edge_agent.finding.serial_ports import serial_ports
from edge_agent.finding.text import found_lines, found_record, paste_lines, spoken_endpoint
from edge_agent.settings import Endpoint, Settings, read_settings
from protocols.errors import RequestError, StoppedError


def run(options: argparse.Namespace) -> int:
    """Search, and print what was found. Raises: RequestError."""
    settings = _settings(options.config)
    networks = tuple(map(parse_network, options.network or ()))
    endpoints = tuple(map(_endpoint, options.connect or ()))
    if not networks and not endpoints:
        networks, endpoints = _confirmed()
    taken = {each.endpoint.shown for each in settings.devices} if settings else set()
    plan = SearchPlan(networks, endpoints, options.units, tuple(options.make or ()))
    own = settings.maps if settings else None
    maps, broken = known_families((MAPS,) if own is None else (MAPS, own), state=settings.data if settings else None)
    troubles = list(broken)

    def tell(event: SearchEvent) -> None:
        if isinstance(event, FoundDevice):
            if not options.json:
                print("\n".join(found_lines(event)), flush=True)
            return
        if event.is_trouble:
            troubles.append(event.text)
        print(event.text, file=sys.stderr, flush=True)

    try:
        found = asyncio.run(search(plan, maps, tell))
    except KeyboardInterrupt:
        raise StoppedError("stopped; nothing was changed") from None
    if options.save:
        path = keep_scan(options.config.parent, found, now_s=time.time())
        print(f"{path} keeps what was found: `commonwatt-agent setup` offers it", file=sys.stderr)
    if options.json:
        print(json.dumps(found_record(found, troubles), indent=2, ensure_ascii=False))
    elif found:
        print("\n".join(["", *paste_lines(found)]))
    if not options.json and taken & {each.endpoint.shown for each in found}:
        print(f"{options.config.name} already reads some of these addresses")
    return 0 if found else 1


def _settings(path: Path) -> Settings | None:
    return read_settings(path) if path.exists() else None


def _confirmed() -> tuple[tuple[IPv4Network, ...], tuple[Endpoint, ...]]:
    """The home's own networks and serial ports, each after a yes. Nothing is searched that nobody confirmed."""
    if not sys.stdin.isatty():
        raise RequestError(
            "say where to search: --network 192.168.1.0/24, or --connect with an address; nothing was searched"
        )
    networks = tuple(each for each in own_networks() if _yes(f"search the network {each}?"))
    ports = tuple(Endpoint("rtu", path=str(each)) for each in serial_ports() if _yes(f"ask devices on {each}?"))
    if not networks and not ports:
        raise RequestError("nothing to search: connect a network or a serial adapter, or give --network")
    return networks, ports


def _yes(question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _endpoint(text: str) -> Endpoint:
    try:
        return spoken_endpoint(text)
    except ValueError as complaint:
        raise RequestError(f"--connect: {complaint}") from None
