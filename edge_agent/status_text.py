"""An agent's state as text for people and as JSON for programs: what waits, and what limits each reading."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from edge_agent.devices.limits import RoleLimit, limit_lines
from edge_agent.devices.silence import Trouble
from edge_agent.home_store.credit_days import local_day
from edge_agent.local_time import LocalTime
from edge_agent.outbox.view import OutboxOverview
from edge_agent.settings import DeviceSettings
from protocols.consent.purposes import CONTRACT, HEALTH
from protocols.consent.rules import ConsentSet
from protocols.enrolment.certificates import Validity
from protocols.slots import SLOT_S
from protocols.wire.credits.notices import CreditDay
from protocols.wire.readings import Batch, Liveness


def status_text(
    agent: str,
    home: str,
    found: OutboxOverview | None,
    *,
    limits: Sequence[RoleLimit],
    troubles: Sequence[str],
) -> str:
    """The agent, what waits (None before its first run), which devices give nothing, and what limits each reading."""
    if found is None:
        return "\n".join([f"agent {agent} of home {home} has not run yet", *troubles, *limit_lines(limits)])
    head = f"agent {agent} of home {home}: {found.messages} messages, {found.waiting} waiting, {found.refused} refused"
    revoked = [] if found.revoked is None else [f"REVOKED: {found.revoked.cause.plain_words}"]
    return "\n".join([head, *revoked, *troubles, *limit_lines(limits)])


def status_record(
    agent: str,
    home: str,
    found: OutboxOverview | None,
    *,
    limits: Sequence[RoleLimit],
    troubles: Sequence[Trouble],
    certificate: Validity | None = None,
    phases: Sequence[str] = (),
    maps: Sequence[Mapping[str, object]] = (),
    ages: Mapping[str, int | None] | None = None,
    consent: ConsentSet | None = None,
    credit_day: Mapping[str, object] | None = None,
) -> str:
    """The same for programs."""
    counts = None
    if found is not None:
        counts = {"messages": found.messages, "waiting": found.waiting, "refused": found.refused}
    record = {
        "agent": agent,
        "home": home,
        "outbox": counts,
        "revoked": found is not None and found.revoked is not None,
        "certificate": None if certificate is None else asdict(certificate),
        "troubles": [asdict(trouble) for trouble in troubles],
        "maps": list(maps),
        "limits": [asdict(limit) for limit in limits],
        "phases": list(phases),
        "value_age_s": dict(ages or {}),
        "consent_version": None if consent is None else consent.version,
        "newest_settled_day": credit_day,
    }
    return json.dumps(record, indent=2)


def value_ages(devices: Sequence[DeviceSettings], newest: Batch | None, *, now_s: float) -> dict[str, int | None]:
    """Seconds since each device's last good value, as the last sealed readings know it; None where they do not."""
    known = {each.name: each.age_s for each in newest.devices} if newest is not None else {}
    sealed_s = 0 if newest is None else max(0, int(now_s) - newest.made_at)
    return {each.name: known[each.name] + sealed_s if each.name in known else None for each in devices}


def first_value_words(now_s: float, tz: str) -> str:
    """When an agent that was just started tells its first values, by the clock of that zone."""
    whole_s = -(-int(now_s) // SLOT_S) * SLOT_S + SLOT_S
    until = LocalTime(tz).moment(whole_s)
    return f"the first value comes with the first quarter hour that the agent sees whole: at {until} at the latest"


def age_lines(devices: Sequence[DeviceSettings], ages: Mapping[str, int | None], first: str) -> list[str]:
    """One line for each device: what it measures, and how old its last good value is; `first` says when one comes."""
    lines = []
    for device in devices:
        age_s = ages[device.name]
        words = f"not known yet: {first}" if age_s is None else f"{span_words(age_s)} ago"
        lines.append(f"{device.name} ({', '.join(device.roles)}): last good value {words}")
    return lines


def receipt_line(found: OutboxOverview) -> str:
    """How many kept messages have their receipt."""
    return f"receipts: {found.messages - found.waiting} of {found.messages} kept messages have theirs"


def credit_record(day: CreditDay | None, tz: str) -> dict[str, object] | None:
    """The newest settled day that the hub has told, for programs."""
    if day is None:
        return None
    energies = {name: getattr(day, name) for name in ("received_wh", "given_wh", "imported_wh", "exported_wh")}
    return {"day": local_day(day, tz).isoformat(), **energies, "is_settled": day.is_settled}


def credit_lines(day: CreditDay | None, tz: str) -> list[str]:
    """The same for people; no line before the hub has told one."""
    if day is None:
        return []
    parts = f"{day.received_wh / 1000:.2f} kWh from neighbours, {day.given_wh / 1000:.2f} kWh to neighbours"
    return [f"settled {local_day(day, tz)}: {parts}{'' if day.is_settled else ' (preliminary)'}"]


def consent_line(consent: ConsentSet) -> str:
    """The version in force, and what it allows besides the contract."""
    allowed = [each for each in dict.fromkeys(rule.purpose for rule in consent.rules) if each not in (CONTRACT, HEALTH)]
    also = ", ".join(allowed) or "nothing more than the membership contract"
    return f"consent: version {consent.version} allows {also}; `commonwatt-agent consent` says it in plain words"


def span_words(seconds: float) -> str:
    """A span of time in one unit.

    >>> span_words(59), span_words(7300), span_words(86400)
    ('less than a minute', '2 hours', '1 day')
    """
    for unit_s, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit_s:
            count = int(seconds // unit_s)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


def trouble_lines(troubles: Sequence[Trouble], devices: Sequence[DeviceSettings], tz: str) -> list[str]:
    """One line for each device of the configuration that is in trouble: since when in local time, and what to do."""
    local = LocalTime(tz)
    known = {each.device: each for each in troubles}
    return [
        f"{device.name}: {_words(known[device.name], local)}; {_advice(known[device.name], device)}"
        for device in devices
        if device.name in known
    ]


def _words(trouble: Trouble, local: LocalTime) -> str:
    since = f"since {local.moment(trouble.since)}"
    if trouble.state is Liveness.REFUSING:
        return f"REFUSES to give some or all of its values {since}"
    if trouble.state is Liveness.SLOW:
        return f"BUSY, has given no reading {since}"
    return f"SILENT, has given no reading {since}"


def _advice(trouble: Trouble, device: DeviceSettings) -> str:
    again = f"`commonwatt-agent read --device {device.name}` tries it now"
    if trouble.state is Liveness.REFUSING:
        return f"check its map ({device.map}) and its settings for Modbus; {again}"
    if trouble.state is Liveness.SLOW:
        return f"check whether another program reads it too often; {again}"
    return f"check its power, its cable or network, and its address {device.endpoint.shown} unit {device.unit}; {again}"
