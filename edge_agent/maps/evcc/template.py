"""Reads the registers out of an evcc meter template, by its indentation: such a file is YAML around a text template.

Knows only what templates use for reading Modbus registers; what it leaves out is named as a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from protocols.maps.model import MapError

MAX_TEMPLATE_BYTES = 256 * 1024
USAGES = ("grid", "pv", "battery", "charge", "aux")
_LINE = re.compile(r"(?P<indent> *)(?P<dash>- +)?(?P<key>[A-Za-z_]\w*):(?: +(?P<value>.*))?\Z")
_CONDITION = re.compile(r"\{\{-? *(?P<word>if|else if|else|end|range|with)\b *(?P<test>.*?) *-?\}\}")
_USAGE_TEST = re.compile(r'\(?(?P<how>eq|ne) \.usage "(?P<usage>\w+)"\)?\Z')
_ANY_USAGE = re.compile(r'or(?: \(eq \.usage "\w+"\))+\Z')
_READS = {"input": 4, "holding": 3}


@dataclass(frozen=True, slots=True)
class TemplateRegister:
    """One register a template reads: for which usage and quantity, and through which calculation."""

    usage: str
    path: tuple[str, ...]
    function: int
    address: int
    decode: str
    scale: str
    note: str


@dataclass(slots=True)
class Template:
    """What a template says of a device. `gaps`: what it says otherwise than by plain registers."""

    name: str
    brand: str
    model: str
    usages: tuple[str, ...]
    port: int | None
    baud: int | None
    unit: int
    registers: list[TemplateRegister] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


def read_template(text: str, *, name: str) -> Template:
    """The template in this text. Raises MapError in one line if it is none, or reads no Modbus register."""
    if len(text) > MAX_TEMPLATE_BYTES:
        raise MapError(f"{name}: {len(text)} characters, expected at most {MAX_TEMPLATE_BYTES}")
    head, found, body = text.partition("\nrender:")
    title = _value(head, "template")
    if title is None or not found:
        raise MapError(f"{name}: expected an evcc meter template with `template:` and `render:`")
    usage_line = re.search(r"name: usage\s*\n\s*choice: *\[(.*?)\]", head, re.DOTALL)
    usages = tuple(re.findall(r"\w+", usage_line[1])) if usage_line else ("grid",)
    template = Template(
        name=title,
        brand=_value(head, "- brand") or "unknown maker",
        model=_value(head, "generic") or title,
        usages=tuple(each for each in usages if each in USAGES),
        port=_number(_value(head, "port")) or (502 if "tcpip" in head else None),
        baud=_number(_value(head, "baudrate")),
        unit=_number(_value(head, "id")) or 1,
    )
    lines = body.split("\n", 1)[1].splitlines() if "\n" in body else []
    for usage in template.usages:
        tree = _tree(_lines_for(lines, usage, template.gaps))
        template.registers += _registers(tree, usage, (), gaps=template.gaps)
    if not template.registers:
        raise MapError(f"{name}: reads no Modbus register by its address: {_why(body)}")
    template.gaps = list(dict.fromkeys(template.gaps))
    return template


def _why(body: str) -> str:
    if "source: sunspec" in body:
        return (
            "it reads SunSpec models, for which there are the maps sunspec-inverter, sunspec-meter and sunspec-battery"
        )
    return "it names a meter type of another program" if "source: modbus" in body else "it uses another protocol"


def _value(head: str, key: str) -> str | None:
    found = re.search(rf"^\s*{re.escape(key)}: *(.+?)\s*$", head, re.MULTILINE)
    return found[1].strip("\"'") if found else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) <= 6 else None


def _lines_for(lines: list[str], usage: str, gaps: list[str]) -> Iterator[str]:
    """The lines that hold for one usage; of a choice that a setting makes, the first branch."""
    taken: list[bool] = []
    was_taken: list[bool] = []
    for line in lines:
        condition = _CONDITION.search(line)
        if condition is None:
            if all(taken) and "{{" not in line:
                yield line
            continue
        word, test = condition["word"], condition["test"]
        if word in ("if", "range", "with"):
            holds = _holds(test, usage, gaps)
            taken.append(holds)
            was_taken.append(holds)
        elif word == "end" and taken:
            taken.pop()
            was_taken.pop()
        elif word in ("else", "else if") and taken:
            taken[-1] = not was_taken[-1] and (word == "else" or _holds(test, usage, gaps))
            was_taken[-1] = was_taken[-1] or taken[-1]


def _holds(test: str, usage: str, gaps: list[str]) -> bool:
    if found := _USAGE_TEST.match(test):
        return (found["usage"] == usage) == (found["how"] == "eq")
    if _ANY_USAGE.match(test):
        return usage in re.findall(r'"(\w+)"', test)
    gaps.append(
        f"a setting decides ({test or 'unnamed'}); only its first case is here: a further one is a [[variants]]"
    )
    return True


def _tree(lines: Iterator[str]) -> dict[str, Any]:
    """Nested tables and lists by indentation; a comment behind a value is kept beside it as `key#`."""
    root: dict[str, Any] = {}
    open_tables: list[tuple[int, dict[str, Any]]] = [(-1, root)]
    for line in lines:
        content, _, comment = line.partition(" #")
        found = _LINE.match(content.rstrip())
        if found is None:
            continue
        indent = len(found["indent"])
        if found["dash"]:
            # An item may stand as far left as its list's name.
            while len(open_tables) > 1 and not _may_hold_item(open_tables[-1], indent):
                open_tables.pop()
            item: dict[str, Any] = {}
            open_tables[-1][1].setdefault("[]", []).append(item)
            indent += len(found["dash"])
            open_tables.append((indent - 1, item))
        while len(open_tables) > 1 and open_tables[-1][0] >= indent:
            open_tables.pop()
        key, value = found["key"], found["value"]
        parent = open_tables[-1][1]
        key = key if key not in parent else next(f"{key}.{n}" for n in range(2, 99) if f"{key}.{n}" not in parent)
        if value:
            parent[key] = value.strip("\"'")
            parent[f"{key}#"] = comment.strip()
        else:
            parent[key] = {}
            open_tables.append((indent, parent[key]))
    return root


def _may_hold_item(opened: tuple[int, dict[str, Any]], indent: int) -> bool:
    """Whether a list item at this indentation belongs to the table: it is a list already, or still empty."""
    at, table = opened
    return at < indent or (at == indent and (not table or "[]" in table))


def _registers(
    node: dict[str, Any], usage: str, path: tuple[str, ...], *, gaps: list[str]
) -> Iterator[TemplateRegister]:
    register = node.get("register")
    if isinstance(register, dict):
        yield from _one(register, node, usage=usage, path=path, gaps=gaps)
    for key, child in node.items():
        if key == "[]":
            for number, item in enumerate(child, 1):
                yield from _registers(item, usage, (*path, str(number)), gaps=gaps)
        elif isinstance(child, dict) and key not in ("register", "set", "switch"):
            yield from _registers(child, usage, (*path, key), gaps=gaps)


def _one(
    register: dict[str, Any], node: dict[str, Any], *, usage: str, path: tuple[str, ...], gaps: list[str]
) -> Iterator[TemplateRegister]:
    function, address = _READS.get(register.get("type", "")), _address(register.get("address"))
    if function is None or address is None:
        gaps.append(f"{usage} {'.'.join(path)}: register {register.get('address')} of type {register.get('type')}")
        return
    scale = node.get("scale", "1")
    yield TemplateRegister(
        usage, path, function, address, register.get("decode", "uint16"), scale, register.get("address#", "")
    )


def _address(text: str | None) -> int | None:
    try:
        address = int(text or "", 0)
    except ValueError:
        return None
    return address if 0 <= address <= 65535 else None
