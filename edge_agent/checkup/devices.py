"""The home's devices: the serial port, who else holds it, whether each answers, and how good its map is."""

from __future__ import annotations

import grp
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_agent.checkup.results import Diagnosis, note, ok, wrong
from edge_agent.devices.reader import Device
from edge_agent.devices.silence import Trouble
from edge_agent.sections.factor import factor_words
from edge_agent.settings import DeviceSettings, Endpoint
from edge_agent.status_text import span_words
from protocols.wire.readings import Liveness

Holders = Callable[[Path], Sequence[tuple[int, str]]]


def check_serial(endpoint: Endpoint, *, holders: Holders, is_agent_up: bool) -> list[Diagnosis]:
    """One serial port: there, allowed, and not held by another program."""
    port = Path(endpoint.path)
    subject = f"serial port {port}"
    if not port.exists():
        advice = "plug the adapter in; `commonwatt-agent scan` lists the ports; names under /dev/serial/by-id stay"
        return [wrong(subject, "it is not there", advice)]
    results = []
    if not os.access(port, os.R_OK | os.W_OK):
        group = _group_of(port)
        results.append(
            wrong(
                subject,
                "this user may not open it",
                f"`sudo usermod -aG {group} USER` for the user who runs the agent, then start it again",
            )
        )
    found = holders(port)
    others = [(pid, name) for pid, name in found if not (is_agent_up and "commonwatt" in name)]
    if others and (len(found) > 1 or not is_agent_up):
        names = ", ".join(f"{name} (process {pid})" for pid, name in others)
        results.append(wrong(subject, f"also open in {names}", "stop the other program: a bus has one master"))
    if not port.is_symlink() and "by-id" not in str(port) and "ttyUSB" in port.name:
        advice = "use its name under /dev/serial/by-id in agent.toml: this one may change at a restart"
        results.append(note(subject, "its name is not a lasting one", advice))
    return results or [ok(subject, "it is there and may be opened")]


def _group_of(port: Path) -> str:
    try:
        return grp.getgrgid(port.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "dialout"


def check_answer(device: Device, trouble: str | None) -> Diagnosis:
    """One device that was just asked."""
    settings = device.settings
    if trouble is None:
        return ok(f"device {settings.name}", f"it answers at {settings.endpoint.shown} unit {settings.unit}")
    return wrong(f"device {settings.name}", trouble, advice_for(settings, device.device_map.transport.max_clients))


def check_reported(settings: DeviceSettings, trouble: Trouble | None, *, now_s: float) -> Diagnosis:
    """One device as the running agent last knew it: asked again it might lose its only place for us."""
    subject = f"device {settings.name}"
    if trouble is None:
        return ok(subject, "the running agent gets its values")
    words = {
        Liveness.REFUSING: "it refuses some or all of its values",
        Liveness.SLOW: "it is always busy",
    }.get(trouble.state, "it is silent")
    since = span_words(max(0.0, now_s - trouble.since))
    return wrong(subject, f"{words}, for {since}", advice_for(settings, None))


def advice_for(settings: DeviceSettings, max_clients: int | None) -> str:
    """What to try with a device that does not answer, the likeliest first."""
    shown = settings.endpoint.shown
    again = f"`commonwatt-agent read --device {settings.name}` tries it now"
    if settings.endpoint.framing == "mqtt":
        topics = settings.values.topics if settings.values else ()
        told = ", ".join(dict.fromkeys(each.topic for each in topics))
        program = f"that the other program tells it {told} again and again"
        return f"check that the broker {shown} runs, {program}, username and password_file; {again}"
    if settings.endpoint.framing is not None:
        port = "the meter's port is switched on (SML: unlocked with its PIN)"
        return f"check that the cable or optical head sits well, that {port}, and {shown}; {again}"
    where = f"{shown} unit {settings.unit}"
    only = "close other programs that read it (it serves one at a time); " if max_clients == 1 else ""
    wires = "A and B of the bus (swapped?), " if settings.endpoint.wire == "rtu" else "its network address (changed?), "
    return f"{only}check its power, {wires}that Modbus is switched on, and {where}; `commonwatt-agent scan` finds it"


def check_map(device: Device) -> list[Diagnosis]:
    """How far the map of a device can be trusted, and by what the household has its values multiplied."""
    device_map, subject = device.device_map, f"device {device.settings.name}"
    results = []
    if device_map.quality == "bronze":
        results.append(
            note(
                subject,
                f"its map {device_map.id} is bronze: made from one source, or with an open question",
                "compare `commonwatt-agent read` with its display; it counts for money only after the board agreed",
            )
        )
    if multiplied := factor_words(device.settings.factor):
        advice = "`commonwatt-agent setup --check-meter` compares it with the legal meter"
        results.append(note(subject, multiplied, advice))
    return results
