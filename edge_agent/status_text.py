"""An agent's state as text for people and as JSON for programs: what waits, and what limits each reading."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from edge_agent.devices.limits import RoleLimit, limit_lines
from edge_agent.devices.silence import Trouble
from edge_agent.local_time import LocalTime
from edge_agent.outbox.view import OutboxOverview
from edge_agent.settings import DeviceSettings
from protocols.enrolment.certificates import Validity
from protocols.wire.readings import Liveness


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
    }
    return json.dumps(record, indent=2)


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
