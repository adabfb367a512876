"""`commonwatt-agent setup`: chooses the concrete parts of set-up, and talks in the terminal."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from edge_agent.commands.enrol import enrol_home
from edge_agent.consent.given import consent_now
from edge_agent.devices.assembly import MAPS
from edge_agent.finding.families import known_families
from edge_agent.finding.networks import own_networks
from edge_agent.finding.search import FoundDevice, SearchPlan, Tell, search
from edge_agent.finding.serial_ports import serial_ports
from edge_agent.legal_meter import country_defaults
from edge_agent.outbox.opening import FILE_NAME, is_running
from edge_agent.outbox.view import read_overview
from edge_agent.settings import Settings, read_settings
from edge_agent.setup.live import LiveRole, read_live
from edge_agent.setup.parts import PairedHome, ReceiptCount, SetupParts
from edge_agent.setup.progress import DeviceChoice
from edge_agent.setup.terminal import TerminalConversation
from edge_agent.setup.walk import check_meter_again, set_up
from edge_agent.uplink.consent_file import write_next_version
from edge_agent.uplink.identity import ENROLMENT_FILE, load_enrolment
from protocols.consent.rules import ConsentSet
from protocols.errors import RequestError, SettingsError
from protocols.toml_text import TomlTextError, read_toml


def run(options: argparse.Namespace) -> int:
    """Walk through set-up, or only compare with the legal meter. Raises: RequestError, SettingsError."""
    talk = TerminalConversation(sys.stdin, sys.stdout)
    parts = make_parts(options.config)
    if options.check_meter:
        return 0 if asyncio.run(check_meter_again(talk, parts)) else 1
    asyncio.run(set_up(talk, parts, waits=not options.no_wait))
    return 0


def make_parts(config: Path) -> SetupParts:
    """The parts for this agent.toml."""
    return SetupParts(
        config=config,
        find=partial(_find, config),
        read=partial(_read, config),
        networks=own_networks,
        serial_ports=serial_ports,
        paired=partial(_paired, config),
        pair=partial(_pair, config),
        consent=lambda: consent_now(read_settings(config).data),
        write_consent=partial(_write_consent, config),
        receipts=partial(_receipts, config),
        now=time.time,
        pause=asyncio.sleep,
        usual_meter=_usual_meter,
    )


async def _find(config: Path, plan: SearchPlan, tell: Tell) -> list[FoundDevice]:
    own = _own_maps(config)
    folders = (MAPS,) if own is None else (MAPS, config.parent / own)
    state = read_settings(config).data if config.exists() else None
    return await search(plan, known_families(folders, state=state)[0], tell)


async def _read(config: Path, devices: Sequence[DeviceChoice]) -> tuple[list[LiveRole], list[str]]:
    return await read_live(devices, folder=config.parent, maps=_own_maps(config))


def _own_maps(config: Path) -> str | None:
    """The folder of the household's own maps, also from a file that names no device yet."""
    try:
        found = read_toml(config.read_bytes()).get("maps")
    except (OSError, TomlTextError):
        return None
    return found if isinstance(found, str) else None


def _paired(config: Path) -> PairedHome | None:
    data = read_settings(config).data
    if not (data / ENROLMENT_FILE).exists():
        return None
    answer = load_enrolment(data)
    return PairedHome(answer.agent, answer.home, answer.coop)


def _pair(config: Path, invitation: str) -> PairedHome:
    answer = enrol_home(read_settings(config), lambda: invitation, coop=None).enrolment
    return PairedHome(answer.agent, answer.home, answer.coop)


def _write_consent(config: Path, consent: ConsentSet) -> None:
    path = read_settings(config).consent
    if path is None:
        raise RequestError(f'{config}: consent: missing: add the line consent = "consent.toml" at its top')
    write_next_version(path, consent)


def _receipts(config: Path) -> ReceiptCount:
    settings = _settings(config)
    if settings is None or not (settings.data / FILE_NAME).exists():
        return ReceiptCount(settings is not None and is_running(settings.data), 0, 0)
    found = read_overview(settings.data, limit=0)
    return ReceiptCount(is_running(settings.data), found.messages, found.messages - found.waiting)


def _settings(config: Path) -> Settings | None:
    """None before there is a usable agent.toml: nothing can run on it then."""
    try:
        return read_settings(config) if config.exists() else None
    except SettingsError:
        return None


def _usual_meter(country: str) -> tuple[str, str] | None:
    usual = country_defaults().get(country)
    return None if usual is None else (usual.phases, usual.netting)
