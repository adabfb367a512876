"""`commonwatt-agent setup`: chooses the concrete parts of set-up, and talks in the terminal."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from edge_agent.checkup.service import service_commands, setup_command
from edge_agent.commands.enrol import enrol_home
from edge_agent.commands.run import until_stopped
from edge_agent.consent.given import consent_now
from edge_agent.devices.assembly import MAPS
from edge_agent.finding.broker_listening import HeardValue, hear_values
from edge_agent.finding.families import known_families, unknown_make_lines
from edge_agent.finding.kept_scan import kept_scan
from edge_agent.finding.networks import own_networks
from edge_agent.finding.search import FoundDevice, SearchPlan, Tell, search
from edge_agent.finding.serial_ports import serial_ports
from edge_agent.finding.writing import cannot_write
from edge_agent.home_broker.address import HomeBroker, open_access, read_access
from edge_agent.legal_meter import country_defaults
from edge_agent.outbox.opening import FILE_NAME, is_running
from edge_agent.outbox.view import read_overview
from edge_agent.page.guard import PIN_LASTS_S, Gate, make_pin
from edge_agent.page_settings import PageSettings
from edge_agent.settings import Endpoint, Settings, read_settings
from edge_agent.setup.live import LiveRole, read_live
from edge_agent.setup.parts import PairedHome, ReceiptCount, SetupParts
from edge_agent.setup.progress import DeviceChoice
from edge_agent.setup.terminal import TerminalConversation
from edge_agent.setup.walk import check_meter_again, set_up
from edge_agent.uplink.consent_file import write_next_version
from edge_agent.uplink.identity import ENROLMENT_FILE, load_enrolment
from protocols.consent.rules import ConsentSet
from protocols.durable_files import make_private_folder
from protocols.errors import RequestError, SettingsError, StoppedError
from protocols.maps.fields import TomlFields
from protocols.maps.model import DeviceMap, MapError
from protocols.toml_text import TomlTextError, read_toml


def run(options: argparse.Namespace) -> int:
    """Walk through set-up, or only compare with the legal meter. Raises: RequestError, SettingsError."""
    if options.page is not None:
        return _in_browser(options.config, options.page, waits=not options.no_wait, checks=options.check_meter)
    parts = make_parts(options.config)
    talk = TerminalConversation(sys.stdin, sys.stdout, again=parts.setup_hint)
    try:
        if options.check_meter:
            return 0 if asyncio.run(check_meter_again(talk, parts)) else 1
        asyncio.run(set_up(talk, parts, waits=not options.no_wait))
    except KeyboardInterrupt:
        raise StoppedError(f"stopped; `{parts.setup_hint}` goes on where you stopped") from None
    return 0


def _in_browser(config: Path, address: tuple[str, int], *, waits: bool, checks: bool) -> int:
    """Set up behind a page, and run the agent then; or only compare with the legal meter. Raises: CommonwattError."""
    from edge_agent.commands.run import make_program
    from edge_agent.page.setting_up.running import SetupInBrowser, ShowHome

    known = _settings(config)
    names = known.page.names if known is not None and known.page is not None else ()
    settings = PageSettings(*address, names)
    folder = config.parent / "data" if known is None else known.data
    try:
        make_private_folder(folder)
        pin = None if settings.is_local else make_pin(folder, now_s=time.time())
    except OSError as cause:
        raise cannot_write(folder, cause) from None

    async def start_agent(show_home: ShowHome) -> None:
        await make_program(config, None, show_home=show_home).run(None)

    print("\n".join(where_lines(settings, pin)), flush=True)
    wide = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
    parts = make_parts(config)
    if not settings.is_local:
        parts = replace(parts, is_page_wide=True, page_wide=wide)
    setting_up = SetupInBrowser(
        parts,
        settings,
        gate=Gate(folder, now=time.time),
        monotonic=time.monotonic,
        start_agent=start_agent if waits and not checks else None,
        only_checks=checks,
    )
    stopped = (
        f"stopped; `{parts.setup_hint} --page` goes on where you stopped;"
        f" the agent of a home that is set up is started so: {parts.start_hint}"
    )
    if checks:
        stopped = f"stopped; `{parts.setup_hint} --check-meter --page` compares again"
    try:
        asyncio.run(until_stopped(setting_up.run(), stopped))
    except OSError as cause:
        raise RequestError(f"cannot continue: {cause}") from None
    return 0


def where_lines(settings: PageSettings, pin: str | None) -> list[str]:
    """Where the page is and how to get in."""
    shown = settings.shown
    if ip_address(settings.host).is_unspecified:
        shown = f"http://{socket.gethostname().partition('.')[0]}.local:{settings.port} (or this computer's address)"
    lines = [f"Open this page in a browser: {shown}"]
    if pin is not None:
        lines.append(f"Its PIN is {pin}, good for {PIN_LASTS_S // 60} minutes, in one browser.")
    return [*lines, "Ctrl-C stops; the next start goes on there."]


def make_parts(config: Path) -> SetupParts:
    """The parts for this agent.toml."""
    commands = service_commands(config)
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
        kept_scan=lambda: kept_scan(config.parent),
        hear_values=partial(_hear_values, config),
        setup_hint=setup_command(config),
        unknown_makes=partial(_unknown_makes, config),
        start_hint=commands.start,
        stop_hint=commands.stop,
        restart_hint=commands.restart,
    )


async def _find(config: Path, plan: SearchPlan, tell: Tell) -> list[FoundDevice]:
    return await search(plan, _families(config), tell)


def _unknown_makes(config: Path, makes: Sequence[str]) -> list[str]:
    return unknown_make_lines(_families(config), makes) if makes else []


def _families(config: Path) -> list[DeviceMap]:
    own = _own_maps(config)
    folders = (MAPS,) if own is None else (MAPS, config.parent / own)
    state = config.parent / (_named(config, "data") or "data")
    return known_families(folders, state=state)[0]


async def _read(config: Path, devices: Sequence[DeviceChoice]) -> tuple[list[LiveRole], list[str]]:
    return await read_live(devices, folder=config.parent, maps=_own_maps(config))


async def _hear_values(config: Path, endpoint: Endpoint, access: Mapping[str, Any]) -> Sequence[HeardValue]:
    broker = HomeBroker(endpoint.host, endpoint.port, endpoint.wire == "mqtts")
    try:
        sign_in = read_access(TomlFields("the broker", dict(access)), config.parent)
    except MapError as complaint:
        raise RequestError(str(complaint)) from None
    return await hear_values(broker, open_access(sign_in, broker, source="the broker"))


def _own_maps(config: Path) -> str | None:
    """The folder of the household's own maps, also from a file that names no device yet."""
    return _named(config, "maps")


def _named(config: Path, key: str) -> str | None:
    """A text of agent.toml, whatever else is in it."""
    try:
        found = read_toml(config.read_bytes()).get(key)
    except (OSError, TomlTextError):
        return None
    return found if isinstance(found, str) else None


def _paired(config: Path) -> PairedHome | None:
    data = read_settings(config).data
    if not (data / ENROLMENT_FILE).exists():
        return None
    answer = load_enrolment(data)
    return PairedHome(answer.agent, answer.home, answer.coop)


async def _pair(config: Path, invitation: str) -> PairedHome:
    settings = read_settings(config)
    answer = (await asyncio.to_thread(enrol_home, settings, lambda: invitation, coop=None)).enrolment
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
