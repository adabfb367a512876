"""The text of agent.toml from the answers, and how it differs from the file that is there. Pure text."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

from edge_agent.setup.progress import DeviceChoice, MeterChoice

OURS = ("consent", "device", "meter")
INTERVAL_S = 30


def agent_toml(devices: Sequence[DeviceChoice], meter: MeterChoice, before: dict[str, Any]) -> str:
    """The configuration. What `before` says of other things than devices and meter stays as it is."""
    lines = ["# Written by `commonwatt-agent setup`; you may edit it, setup shows what it would change."]
    kept = {key: value for key, value in before.items() if key not in OURS}
    kept["poll"] = {"interval_s": INTERVAL_S, **before.get("poll", {})}
    lines += [f"consent = {_value(before.get('consent', 'consent.toml'))}"]
    lines += [f"{key} = {_value(value)}" for key, value in kept.items() if not _is_table(value)]
    for name, value in kept.items():
        tables = [(f"[{name}]", value)] if isinstance(value, dict) else []
        tables += [(f"[[{name}]]", each) for each in value] if isinstance(value, list) and _is_table(value) else []
        for head, table in tables:
            lines += ["", head, *(f"{key} = {_value(item)}" for key, item in table.items())]
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


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))


def _value(value: object) -> str:
    """A TOML value; JSON writes strings, numbers, booleans and lists of them the same way."""
    return json.dumps(value, ensure_ascii=False)
