"""`status`: who this agent is, what waits, and which devices are silent."""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.commands.arguments import add_command, add_json
from edge_agent.settings import read_settings

if TYPE_CHECKING:
    from edge_agent.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Name the command and its arguments."""
    words = "show who this agent is, what waits, and which devices are silent"
    add_json(add_command(commands, "status", run=_status, words=words))


def _status(options: argparse.Namespace) -> int:
    from edge_agent.consent.given import consent_now
    from edge_agent.devices.assembly import make_fleet
    from edge_agent.devices.limits import role_limits
    from edge_agent.devices.phase_counting import phase_lines
    from edge_agent.devices.silence import read_troubles
    from edge_agent.home_store.credit_days import newest_credit_day
    from edge_agent.local_time import LocalTime
    from edge_agent.maps.words import map_notes
    from edge_agent.outbox.opening import FILE_NAME, is_running
    from edge_agent.outbox.view import newest_batch, read_overview
    from edge_agent.status_text import (
        age_lines,
        consent_line,
        credit_lines,
        credit_record,
        first_value_words,
        receipt_line,
        status_record,
        status_text,
        trouble_lines,
        value_ages,
    )
    from edge_agent.uplink.identity import hub_keys_of, load_enrolment, tls_of
    from edge_agent.uplink.sending_switch import read_stopped
    from edge_agent.uplink.tls.certificate_text import connection_lines

    settings = read_settings(options.config)
    enrolment, limits = load_enrolment(settings.data), role_limits(settings.devices)
    found = read_overview(settings.data, limit=0) if (settings.data / FILE_NAME).exists() else None
    names = {device.name for device in settings.devices}
    troubles = [each for each in read_troubles(settings.data) if each.device in names]
    tls = tls_of(settings.data, enrolment)
    validity = None if tls is None else tls.validity()
    who, notes = (enrolment.agent, enrolment.home), map_notes(settings.devices, settings.maps, settings.data)
    # A broken map is said in its line; of its device nothing else can be.
    is_whole = not any(note.trouble for note in notes)
    devices = [device for _, devices in make_fleet(settings) for device in devices] if is_whole else []
    phases = phase_lines(devices, settings.legal_meter.phases, interval_s=settings.interval_s)
    newest = None if found is None else newest_batch(settings.data)
    ages, consent = value_ages(settings.devices, newest, now_s=time.time()), consent_now(settings.data)
    credit_day = newest_credit_day(settings.data)
    if options.json:
        maps = [note.record for note in notes]
        about = partial(status_record, *who, found, limits=limits, troubles=troubles, certificate=validity)
        told = credit_record(credit_day, enrolment.tz)
        print(about(phases=phases, maps=maps, ages=ages, consent=consent, credit_day=told))
    else:
        lines = trouble_lines(troubles, settings.devices, enrolment.tz)
        if (trouble := hub_keys_of(settings.data, enrolment, now=time.time).trouble()) is not None:
            lines.insert(0, f"NO RECEIPTS: {trouble}")
        if (stopped_at := read_stopped(settings.data)) is not None:
            since = LocalTime(enrolment.tz).moment(stopped_at)
            lines.insert(0, f"NOTHING IS SENT since {since}: the household switched sending off on the home's own page")
        lines = connection_lines(enrolment, validity, now_s=time.time()) + lines
        print(status_text(*who, found, limits=limits, troubles=lines))
        is_up = is_running(settings.data)
        first = first_value_words(time.time(), enrolment.tz) if is_up else "the agent is not running"
        age = age_lines(settings.devices, ages, first)
        more = [*age, *([] if found is None else [receipt_line(found)])]
        more += credit_lines(credit_day, enrolment.tz)
        print("\n".join([*phases, *(note.line for note in notes), *more, consent_line(consent)]))
    return 0
