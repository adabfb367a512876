"""`commonwatt-agent doctor`: looks at everything that could be wrong, and says what to do about each."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator

from edge_agent.checkup.computer import QUIET_AFTER_S, check_clock, check_disk, check_process
from edge_agent.checkup.devices import check_answer, check_map, check_reported, check_serial
from edge_agent.checkup.reach import check_certificate, check_hub
from edge_agent.checkup.records import check_outbox
from edge_agent.checkup.results import Diagnosis, note, ok, result_lines, results_record, wrong
from edge_agent.checkup.service import ServiceCommands, service_commands
from edge_agent.devices.assembly import make_fleet
from edge_agent.devices.limits import limit_lines, role_limits, unlimited
from edge_agent.devices.readout import read_once
from edge_agent.devices.silence import read_troubles
from edge_agent.finding.serial_ports import holders_of
from edge_agent.household import read_consent
from edge_agent.metering.clock.sources import is_synchronised
from edge_agent.outbox.opening import FILE_NAME, is_running
from edge_agent.outbox.view import read_overview
from edge_agent.settings import Settings, read_settings
from edge_agent.uplink.identity import ENROLMENT_FILE, load_identity
from edge_agent.uplink.moving.place import address_of
from protocols.errors import CommonwattError


def run(options: argparse.Namespace) -> int:
    """Look at everything; 1 if anything is wrong."""
    results: list[Diagnosis] = []
    try:
        settings = read_settings(options.config)
        make_fleet(settings)
    except CommonwattError as complaint:
        results.append(wrong("configuration", str(complaint), "correct the file, or run `commonwatt-agent setup`"))
        results.append(check_clock(is_synchronised, now_s=time.time()))
    else:
        results.append(ok("configuration", f"{options.config} can be used"))
        for each in _checks(settings, service_commands(options.config)):
            results += each
            if sys.stderr.isatty() and not options.json:
                print(".", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty() and not options.json:
            print(file=sys.stderr)
    print(results_record(results) if options.json else "\n".join(result_lines(results)))
    return 1 if any(each.state == "wrong" for each in results) else 0


def _checks(settings: Settings, commands: ServiceCommands) -> Iterator[list[Diagnosis]]:
    now_s = time.time()
    yield [check_clock(is_synchronised, now_s=now_s, is_carried=_makes_messages(settings, now_s))]
    yield check_disk(settings.data)
    yield _serial(settings)
    yield _devices(settings)
    yield [note("limits", line) for line in limit_lines(unlimited(role_limits(settings.devices)))]
    yield _consent(settings)
    yield from _hub(settings, commands)


def _makes_messages(settings: Settings, now_s: float) -> bool:
    """Whether an agent runs that has made a message lately: it does so only once it trusts its time."""
    if not is_running(settings.data) or not (settings.data / FILE_NAME).exists():
        return False
    try:
        newest = read_overview(settings.data, limit=1).newest
    except CommonwattError:
        return False
    return any(abs(now_s - each.made_at) <= QUIET_AFTER_S for each in newest)


def _serial(settings: Settings) -> list[Diagnosis]:
    ports = dict.fromkeys(each.endpoint for each in settings.devices if each.endpoint.wire == "rtu")
    is_up = is_running(settings.data)
    return [each for endpoint in ports for each in check_serial(endpoint, holders=holders_of, is_agent_up=is_up)]


def _devices(settings: Settings) -> list[Diagnosis]:
    """A running agent is believed: asking beside it would take the only place of a one-client device."""
    fleet = make_fleet(settings)
    devices = [device for _, devices in fleet for device in devices]
    maps = [each for device in devices for each in check_map(device)]
    if is_running(settings.data):
        troubles = {each.device: each for each in read_troubles(settings.data)}
        now_s = time.time()
        return [check_reported(each, troubles.get(each.name), now_s=now_s) for each in settings.devices] + maps
    found, troubled = asyncio.run(read_once(fleet, only=None))
    answered = {device.settings.name for device, _ in found}
    said = {name: line for line in troubled for name in (line.partition("'")[2].partition("'")[0],)}
    return [
        check_answer(device, None if device.settings.name in answered else said.get(device.settings.name, "no answer"))
        for device in devices
    ] + maps


def _consent(settings: Settings) -> list[Diagnosis]:
    path = settings.consent
    if path is None or not path.exists():
        return []
    try:
        consent = read_consent(path.read_text(encoding="utf-8"), name=path.name, home=None)
    except (OSError, UnicodeDecodeError, CommonwattError) as cause:
        return [wrong("consent", str(cause), f"correct {path}; what was in force before stays in force")]
    return [ok("consent", f"{path.name} version {consent.version} can be used")]


def _hub(settings: Settings, commands: ServiceCommands) -> Iterator[list[Diagnosis]]:
    if not (settings.data / ENROLMENT_FILE).exists():
        yield [wrong("enrolment", "this home is not enrolled with a co-op yet", "`commonwatt-agent setup`")]
        return
    try:
        identity = load_identity(settings.data)
    except CommonwattError as complaint:
        yield [wrong("enrolment", str(complaint), "ask the board for a new invitation if that does not help")]
        return
    yield [ok("enrolment", f"agent {identity.enrolment.agent} of home {identity.enrolment.home}")]
    yield check_certificate(identity.tls, now_s=time.time())
    yield check_hub(identity.enrolment, identity.tls, address_of(settings.data, identity.enrolment))
    yield _records(settings, commands)


def _records(settings: Settings, commands: ServiceCommands) -> list[Diagnosis]:
    now_s = time.time()
    if not (settings.data / FILE_NAME).exists():
        return [check_process(settings.data, commands, newest_made_s=None, now_s=now_s)]
    try:
        found = read_overview(settings.data, limit=1000)
    except CommonwattError as complaint:
        return [wrong("outbox", str(complaint), "stop the agent and start it again: it puts a damaged file aside")]
    newest = max((each.made_at for each in found.newest), default=None)
    waiting = [each.made_at for each in found.newest if each.receipted_at is None]
    oldest_s = now_s - min(waiting) if waiting else None
    return [
        check_process(settings.data, commands, newest_made_s=newest, now_s=now_s),
        *check_outbox(found, max_mb=settings.outbox_max_mb, oldest_waiting_s=oldest_s),
    ]
