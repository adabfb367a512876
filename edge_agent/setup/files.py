"""The text of agent.toml from the answers, and how it differs from the file that is there. Pure text."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

from edge_agent.setup.progress import DeviceChoice, MeterChoice

KEPT_TABLES = ("hub", "poll", "outbox", "page", "home_assistant")
INTERVAL_S = 30


def agent_toml(devices: Sequence[DeviceChoice], meter: MeterChoice, before: dict[str, Any]) -> str:
    """The configuration. What `before` says of other things than devices and meter stays as it is."""
    lines = ["# Written by `commonwatt-agent setup`; you may edit it, setup shows what it would change."]
    lines += [f"data = {_value(before['data'])}"] if "data" in before else []
    lines += [f"consent = {_value(before.get('consent', 'consent.toml'))}"]
    kept = {name: dict(before.get(name, {})) for name in KEPT_TABLES}
    kept["poll"].setdefault("interval_s", INTERVAL_S)
    for name, table in kept.items():
        if table:
            lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    said = {"country": meter.country, "phases": meter.phases, "netting": meter.netting}
    if any(said.values()):
        lines += ["", "[meter]", *(f"{key} = {_value(value)}" for key, value in said.items() if value)]
    for device in devices:
        lines += ["", "[[device]]", *_device_lines(device)]
    return "\n".join(lines) + "\n"


def difference_lines(before: str, after: str) -> list[str]:
    """What would change, line by line; empty if nothing."""
    found = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "as it is", "as it would be", lineterm="", n=1
    )
    return list(found)


def device_names(wanted: str, taken: Sequence[str]) -> str:
    """A name that is not taken: the wanted one, or with a number."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def _device_lines(device: DeviceChoice) -> list[str]:
    pairs: list[tuple[str, object]] = [
        ("name", device.name),
        ("map", device.map),
        ("variant", device.variant),
        ("role", device.role),
        ("connect", device.connect),
        ("unit", device.unit),
        ("instance", device.instance),
        ("invert", device.invert or None),
        ("max_power_w", device.max_power_w),
    ]
    return [f"{key} = {_value(value)}" for key, value in pairs if value is not None]


def _value(value: object) -> str:
    """A TOML value; JSON writes strings, numbers, booleans and lists of them the same way."""
    return json.dumps(value, ensure_ascii=False)
