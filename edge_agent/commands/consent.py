"""`commonwatt-agent consent`: shows what may leave the home, and allows or withdraws a purpose; it numbers itself."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from edge_agent.commands.household import PURPOSES
from edge_agent.consent.given import consent_given, consent_now
from edge_agent.consent.wording import consent_lines, consent_record
from edge_agent.household import RELEASE_SLOT
from edge_agent.outbox.opening import is_running
from edge_agent.settings import Settings, read_settings
from edge_agent.uplink.consent_file import write_next_version
from protocols.consent.changes import allow_purpose, withdraw_purpose
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentSet
from protocols.errors import RequestError
from protocols.slots import slot_of


def run(options: argparse.Namespace) -> int:
    """Show or change the consent. Raises: RequestError, SettingsError."""
    settings = read_settings(options.config)
    held = consent_now(settings.data)
    given = consent_given(settings.consent, held)
    if options.action != "show":
        given = _changed(settings, options, given)
        path = _path(settings)
        write_next_version(path, given)
        if not options.json:
            is_up = is_running(settings.data)
            when = "the running agent takes it up within seconds" if is_up else "the agent takes it up when it starts"
            print(f"{path}: version {given.version}; {when}")
    shown = consent_record(given, in_force=held.version) if options.json else ""
    print(shown or "\n".join(consent_lines(given, in_force=held.version)))
    return 0


def _changed(settings: Settings, options: argparse.Namespace, given: ConsentSet) -> ConsentSet:
    if options.purpose is None:
        raise RequestError(f"{options.action} what? expected one of {PURPOSES}, or research.NAME")
    if options.action == "withdraw" and (options.measures or options.resolution):
        raise RequestError("withdraw takes a whole purpose; to allow less of it, use allow with --measures")
    _path(settings)
    from_slot = max(slot_of(time.time()), RELEASE_SLOT) + 1
    try:
        if options.action == "withdraw":
            return withdraw_purpose(given, options.purpose)
        resolution = Resolution(options.resolution) if options.resolution else None
        return allow_purpose(
            given, options.purpose, from_slot=from_slot, measures=options.measures, resolution=resolution
        )
    except ValueError as complaint:
        raise RequestError(f"{complaint}; `commonwatt-agent consent` lists the purposes") from None


def _path(settings: Settings) -> Path:
    if settings.consent is None:
        raise RequestError(f'{settings.source}: consent: missing: add the line consent = "consent.toml" at its top')
    return settings.consent
