"""Writes a bronze draft of a register map from what an evcc template reads; every gap is marked with GAP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from edge_agent.maps.evcc.template import Template, TemplateRegister
from protocols.maps.model import RoleName

_TYPES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "int16": ("int16", "HL", ()), "uint16": ("uint16", "HL", ()),
    "int16nan": ("int16", "HL", ("0x8000", "0x7FFF")), "uint16nan": ("uint16", "HL", ("0xFFFF",)),
    "int32": ("int32", "HL", ()), "uint32": ("uint32", "HL", ()),
    "int32s": ("int32", "LH", ()), "uint32s": ("uint32", "LH", ()),
    "int32nan": ("int32", "HL", ("0x80000000", "0x7FFFFFFF")), "uint32nan": ("uint32", "HL", ("0xFFFFFFFF",)),
    "float32": ("float32", "HL", ("NaN",)), "ieee754": ("float32", "HL", ("NaN",)),
    "float32s": ("float32", "LH", ("NaN",)), "ieee754s": ("float32", "LH", ("NaN",)),
    "uint64": ("uint64", "HL", ()), "int64": ("int64", "HL", ()),
    "uint64nan": ("uint64", "HL", ("0xFFFFFFFFFFFFFFFF",)), "uint64s": ("uint64", "LH", ()),
    "int64s": ("int64", "LH", ()), "float64": ("float64", "HL", ("NaN",)),
}  # fmt: skip
_ROLES: Mapping[str, RoleName] = {"grid": "grid", "pv": "pv", "battery": "battery", "charge": "load", "aux": "load"}
_KINDS: Mapping[str, str] = {"grid": "grid-meter", "pv": "pv-inverter", "battery": "battery", "load": "sub-meter"}
# evcc: grid + is import, pv + is generation, battery + is discharge, a consumer + is use.
_POSITIVE: Mapping[str, tuple[str, str]] = {
    "grid": ("import", "export"), "pv": ("generation", "import"), "battery": ("discharge", "charge"),
    "load": ("import", "export"),
}  # fmt: skip
_COUNTERS: Mapping[str, Mapping[str, str]] = {
    "grid": {"energy": "import", "import": "import", "export": "export", "returnenergy": "export"},
    "pv": {"energy": "production", "import": "production", "export": "production"},
    "battery": {"energy": "discharge", "import": "discharge", "export": "charge", "returnenergy": "charge"},
    "load": {"energy": "import", "import": "import"},
}
_LISTS: Mapping[str, tuple[str, str]] = {
    "currents": ("current", "A"),
    "voltages": ("voltage", "V"),
    "powers": ("power", "W"),
}
_ADDED = "added power"
_POWER_RANGE, _ENERGY_RANGE = "[-100000, 100000]", "[0, 10000000]"


@dataclass(frozen=True, slots=True)
class _Row:
    """One point of the draft. `part`: what it is in its role; `sign` is -1 where the template turns it over."""

    name: str
    line: str
    role: RoleName
    part: str
    unit: str
    sign: int


def draft_map(template: Template, *, source: str) -> str:
    """The draft as TOML text. It loads as it is; `map check` and the lines with GAP say what it lacks."""
    rows, gaps = _rows(template, source)
    roles = list(dict.fromkeys(row.role for row in rows))
    lines = [
        f"# A draft from {source}. Every GAP has to be filled from the maker's document before it may be trusted.",
        *(f"# GAP: {gap}" for gap in [*template.gaps, *gaps]),
        f'id = "{map_id(template)}"',
        "version = 1",
        f"vendor = {_quoted(template.brand)}",
        f"models = [{_quoted(template.model)}]",
        f"kinds = [{', '.join(_quoted(kind) for kind in dict.fromkeys(_KINDS[role] for role in roles))}]",
        'verification = "C"',
        'quality = "bronze"',
        f"sources = [{_quoted(source)}]",
        "",
        *_transport(template),
        "",
    ]
    if "grid" in roles or "load" in roles:
        lines += [
            "[metering]", 'phases = "unknown"  # GAP', f"phases_source = {_quoted(f'not in {source}')}",
            'metrology = "unknown"  # GAP', f"metrology_source = {_quoted(f'not in {source}')}", "",
        ]  # fmt: skip
    lines += ["# GAP: [[identify]] with checks by which such a device is recognised", "", "[[tables]]"]
    lines += ['title = "Registers"', f"source = {_quoted(source)}", "points = [", *(row.line for row in rows), "]", ""]
    for role in roles:
        mine = [row for row in rows if row.role == role]
        lines += [*_sum(role, mine, source), *_role(role, mine), ""]
    return "\n".join(lines)


def map_id(template: Template) -> str:
    """The id of the draft, which is also the name of its file."""
    return re.sub(r"[^a-z0-9]+", "-", template.name.lower()).strip("-") or "draft"


def _transport(template: Template) -> Iterator[str]:
    yield "[transport]"
    tcp, rtu = template.port, template.baud
    yield (
        f"framing = [{', '.join(_quoted(each) for each in (*(['tcp'] if tcp else []), *(['rtu'] if rtu else [])))}]"
        if (tcp or rtu)
        else 'framing = ["tcp"]  # GAP'
    )
    if tcp or not rtu:
        yield f"tcp = {{ port = {tcp or 502} }}"
    if rtu:
        yield f'rtu = {{ baud = {rtu}, bits = 8, parity = "N", stop = 1 }}  # GAP: parity and stop bits'
    yield f"unit_ids = [{template.unit}]"
    yield "max_registers = 60  # GAP: the most registers in one request"


def _rows(template: Template, source: str) -> tuple[list[_Row], list[str]]:
    rows: list[_Row] = []
    gaps: list[str] = []
    for register in template.registers:
        row = _row(register, {each.name for each in rows})
        if isinstance(row, str):
            gaps.append(row)
        else:
            rows.append(row)
    return rows, gaps


def _row(register: TemplateRegister, taken: set[str]) -> _Row | str:
    """The point of a register, or why there is none."""
    role, what = _ROLES[register.usage], ".".join(register.path)
    key, rest = register.path[0] if register.path else "", register.path[1:]
    if register.decode not in _TYPES:
        return f"{register.usage} {what}: register {register.address} read as {register.decode}"
    scale = _decimal(register.scale)
    if not scale:
        return f"{register.usage} {what}: register {register.address} scaled by {register.scale}"
    name, unit, part = _meaning(role, key, rest)
    if not name:
        return f"{register.usage} {what}: register {register.address} ({register.note or 'no comment'})"
    while name in taken:
        name = f"{name}_more"
        part = ""
    kind, order, sentinels = _TYPES[register.decode]
    return _Row(
        name,
        _line(register, (name, kind, order), unit=unit, sentinels=sentinels, scale=scale, part=part),
        role,
        part,
        unit,
        1 if scale > 0 else -1,
    )


def _meaning(role: RoleName, key: str, rest: tuple[str, ...]) -> tuple[str, str, str]:
    """Name, unit and part in the role of what a template calls by this key."""
    base = key.split(".", maxsplit=1)[0]
    if base in _LISTS and len(rest) == 1:
        noun, unit = _LISTS[base]
        return f"{role}_{noun}_l{rest[0]}", unit, f"power_l{rest[0]}" if unit == "W" else ""
    if base == "soc" and not rest:
        return "battery_soc", "%", ""
    if base == "power":
        parts = [each for each in rest if each.isdecimal()]
        part = "power" if not rest else _ADDED if len(rest) == 2 and rest[0] == "add" else ""
        return f"{role}_power" + (f"_{'_'.join(parts)}" if parts else ""), "W", part
    counter = _COUNTERS[role].get(base)
    if counter is None:
        return "", "", ""
    parts = [each for each in rest if each.isdecimal()]
    return f"{role}_energy_{counter}" + (f"_{'_'.join(parts)}" if parts else ""), "kWh", "" if rest else counter


def _line(
    register: TemplateRegister,
    shape: tuple[str, str, str],
    *,
    unit: str,
    sentinels: tuple[str, ...],
    scale: Decimal,
    part: str,
) -> str:
    name, kind, order = shape
    keys = [f'name = "{name}"', f"function = {register.function}", f"address = {register.address}", f'type = "{kind}"']
    keys += ['word_order = "LH"'] if order == "LH" else []
    keys += [f"scale = {abs(scale):f}"] if abs(scale) != 1 else []
    keys += [f'unit = "{unit}"']
    if unit == "W":
        role = _ROLES[register.usage]
        keys += [f'positive = "{_POSITIVE[role][0 if scale > 0 else 1]}"', f"range = {_POWER_RANGE}"]
    elif unit == "kWh":
        keys += [f"range = {_ENERGY_RANGE}"]
    elif unit == "%":
        keys += ["range = [0, 100]"]
    if sentinels or unit == "W":
        keys += [f"sentinels = [{', '.join(_quoted(each) for each in sentinels)}]"]
    keys += ['poll = "fast"'] if part in ("power", _ADDED, *_COUNTERS[_ROLES[register.usage]].values()) else []
    keys += [f"note = {_quoted(register.note)}"] if register.note else []
    gap = "range" if unit in ("W", "kWh") else ""
    gap += " and sentinels" if unit == "W" and not sentinels else ""
    return f"  {{ {', '.join(keys)} }}," + (f"  # GAP: {gap}" if gap else "")


def _sum(role: RoleName, rows: list[_Row], source: str) -> Iterator[str]:
    """The power that the template adds up from several registers."""
    parts = [row for row in rows if row.part == _ADDED]
    if not parts:
        return
    yield from ("[[derived]]", f'name = "{role}_power"', 'unit = "W"', f'positive = "{_POSITIVE[role][0]}"')
    for key, sign in (("plus", 1), ("minus", -1)):
        if names := [row.name for row in parts if row.sign == sign]:
            yield f"{key} = [{', '.join(map(_quoted, names))}]"
    yield from (f"source = {_quoted(source)}", "")


def _role(role: RoleName, rows: list[_Row]) -> Iterator[str]:
    parts = {row.part: row for row in rows if row.part}
    counters = {key: parts[key].name for key in dict.fromkeys(_COUNTERS[role].values()) if key in parts}
    power = parts.get("power") or parts.get(_ADDED)
    if power is None:
        # Without power nothing would show how a coarse counter's steps are spread.
        coarse = [key for key in counters if _is_coarse(parts[key])]
        yield from (
            f"# GAP: {counters.pop(key)} steps by more than 25 Wh and needs a power beside it" for key in coarse
        )
    if not counters and power is None:
        yield f"# GAP: [roles.{role}]: the template calculates its values: write [[derived]] from the points above"
        return
    yield f"[roles.{role}]"
    if role == "pv":
        yield 'counts = "inverter_output"  # GAP: inverter_output, source_ac or source_dc, with its source'
    if role == "battery":
        yield 'side = "unknown"  # GAP: dc or ac'
    yield from (f'{key} = "{name}"' for key, name in counters.items())
    if power is not None:
        yield f'power = "{role}_power"'
    if not counters:
        yield "derived = true  # GAP: is there a lifetime counter?"
    elif any(_is_coarse(parts[key]) for key in counters):
        yield "shape_by_power = true"
    lacking = [key for key in dict.fromkeys(_COUNTERS[role].values()) if counters and key not in counters]
    yield from (f"# GAP: the counter of {key}" for key in lacking)


def _is_coarse(row: _Row) -> bool:
    """Whether its counter steps by more than 25 Wh."""
    found = re.search(r"scale = ([0-9.]+)", row.line)
    is_float = 'type = "float' in row.line
    return not is_float and (Decimal(found[1]) if found else Decimal(1)) * 1000 > 25


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _quoted(text: str) -> str:
    return json.dumps("".join(mark if mark.isprintable() else " " for mark in text), ensure_ascii=False)
