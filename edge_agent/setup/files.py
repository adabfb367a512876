"""The text of agent.toml from the answers, what a file that is there says, and how the two differ. Pure text."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from edge_agent.setup.progress import DeviceChoice, MeterChoice

OURS = ("consent", "device", "meter")
INTERVAL_S = 30
NETTING_INTERVAL_S = 10
"""Where the legal meter nets the phases: energy that has to be derived from power needs readings this often."""

_ASKED = frozenset({"name", "map", "variant", "role", "connect", "unit", "instance", "invert", "factor", "max_power_w"})
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def agent_toml(devices: Sequence[DeviceChoice], meter: MeterChoice, before: dict[str, Any]) -> str:
    """The configuration. What `before` says of other things than devices stays as it is."""
    lines = ["# Written by `commonwatt-agent setup`; you may edit it, setup shows what it would change."]
    kept = {key: value for key, value in before.items() if key not in OURS}
    interval_s = NETTING_INTERVAL_S if meter.phases == "netted" else INTERVAL_S
    kept["poll"] = {"interval_s": interval_s, **before.get("poll", {})}
    lines += [f"consent = {_value(before.get('consent', 'consent.toml'))}"]
    lines += [f"{key} = {_value(value)}" for key, value in kept.items() if not _is_table(value)]
    for name, value in kept.items():
        tables = [(f"[{name}]", value)] if isinstance(value, dict) else []
        tables += [(f"[[{name}]]", each) for each in value] if isinstance(value, list) and _is_table(value) else []
        for head, table in tables:
            lines += ["", head, *(f"{_key(key)} = {_value(item)}" for key, item in table.items())]
    if meter_table := _meter_table(meter, before.get("meter")):
        lines += ["", "[meter]", *(f"{_key(key)} = {_value(value)}" for key, value in meter_table.items())]
    for device in devices:
        lines += ["", "[[device]]", *_device_lines(device)]
    return "\n".join(lines) + "\n"


def _meter_table(meter: MeterChoice, before: object) -> dict[str, Any]:
    """What is said of the legal meter now; where nothing was asked, as it was."""
    there = before if isinstance(before, dict) else {}
    said = {"country": meter.country, "phases": meter.phases, "netting": meter.netting}
    if not any(said.values()):
        return there
    return {**{key: value for key, value in there.items() if key not in said},
            **{key: value for key, value in said.items() if value}}  # fmt: skip


def devices_of(found: Mapping[str, Any]) -> list[DeviceChoice]:
    """The devices of a configuration that the agent accepts, with every key they have."""
    return [_choice_of(each) for each in found.get("device", ())]


def meter_of(found: Mapping[str, Any]) -> MeterChoice:
    """What a configuration that the agent accepts says of the legal meter."""
    said = found.get("meter", {})
    return MeterChoice(said.get("country"), said.get("phases"), said.get("netting"))


def _choice_of(table: Mapping[str, Any]) -> DeviceChoice:
    roles = [table["role"]] if isinstance(table["role"], str) else table["role"]
    return DeviceChoice(
        name=table["name"],
        map=table["map"],
        role=roles[0],
        connect=table["connect"],
        unit=table.get("unit", 1),
        max_power_w=table["max_power_w"],
        invert=bool(table.get("invert")),
        variant=table.get("variant"),
        instance=table.get("instance"),
        factor=table.get("factor"),
        more_roles=tuple(roles[1:]),
        kept={key: value for key, value in table.items() if key not in _ASKED},
    )


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
        ("role", [*device.roles] if device.more_roles else device.role),
        ("connect", device.connect),
        ("unit", device.unit),
        ("instance", device.instance),
        ("invert", device.invert or None),
        ("factor", device.factor),
        ("max_power_w", device.max_power_w),
        *device.kept.items(),
    ]
    return [f"{_key(key)} = {_value(value)}" for key, value in pairs if value is not None]


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))


def _value(value: object) -> str:
    """A TOML value; JSON writes strings, numbers and booleans the same way."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
