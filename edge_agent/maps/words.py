"""What a household is told of a device map: its quality, what it counts, how its meter counts, and what to mind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from edge_agent.maps.files import FoundMap, find_map
from edge_agent.sections.factor import NONE, factor_words
from edge_agent.settings import DeviceSettings
from protocols.maps.model import DeviceMap, MapError, MapRole, Quality

QUALITY: Mapping[Quality, str] = {
    "bronze": "it can be read, but not all of it is proven: compare the values with the device's display",
    "silver": "two sources agree, and every register that counts energy is tested with known answers",
    "gold": "sources agree, known answers are right, and a night, a reset and a fault were recorded",
}
_COUNTS = {
    "inverter_output": "the inverter's AC output, with what a battery behind it gives",
    "source_ac": "what the panels or the turbine feed in, on the AC side",
    "source_dc": "what the panels or the turbine make, on the DC side",
}
_SIDES = {"dc": "on the DC side of its inverter", "ac": "with an inverter of its own", "unknown": "side unknown"}
_PHASES = {
    "netted": "adds the phases before it counts: a phase that feeds in cancels one that draws",
    "separate": "counts each phase by itself: import and export can rise at the same time",
    "single": "has one phase",
    "legal": "is the legal meter itself",
    "unknown": "not known how it adds the phases",
}


@dataclass(frozen=True, slots=True)
class MapNote:
    """What is said of a device's map. `trouble`: why there is no such map."""

    device: str
    family: str
    variant: str | None
    found: FoundMap | None
    trouble: str = ""
    factor: Decimal = NONE

    @property
    def line(self) -> str:
        """One line for people."""
        if self.found is None:
            return f"{self.device}: map: {self.trouble}"
        multiplied = factor_words(self.factor)
        return _quality_line(self.found, self.device, self.variant) + (f"; {multiplied}" if multiplied else "")

    @property
    def record(self) -> dict[str, Any]:
        """The same for programs."""
        about = {"trouble": self.trouble} if self.found is None else quality_record(self.found, self.variant)
        scaled = {} if self.factor == NONE else {"factor": str(self.factor)}
        return {"device": self.device, "id": self.family, **about, **scaled}


def map_notes(devices: Iterable[DeviceSettings], own: Path | None, state: Path | None = None) -> list[MapNote]:
    """What is said of the map of each device, also where it cannot be used."""
    notes = []
    for each in devices:
        try:
            found = find_map(each.map, own, state=state)
            found.map.varied(each.variant)
        except MapError as trouble:
            notes.append(MapNote(each.name, each.map, each.variant, None, str(trouble)))
        else:
            notes.append(MapNote(each.name, each.map, each.variant, found, factor=each.factor))
    return notes


def _quality_line(found: FoundMap, name: str, variant: str | None) -> str:
    """Quality in plain words, and that the map is a file of the household's own."""
    quality = found.map.varied(variant).quality
    own = f", variant {variant}" if variant else ""
    if found.is_own:
        own += f", from your own {found.path.parent.name}/{found.path.name}"
    elif found.coop is not None:
        own += f", from {found.coop.origin}"
    own += " (used instead of the installed map)" if found.replaces else ""
    others = ", ".join(each.name for each in found.map.variants)
    choice = (
        f"; if it is another variant ({others}), say so: `commonwatt-agent map show {found.map.id}`" if others else ""
    )
    return f"{name}: map {found.map.id}{own}: {quality}: {QUALITY[quality]}{'' if variant else choice}"


def quality_record(found: FoundMap, variant: str | None = None) -> dict[str, Any]:
    """Quality and origin of a map, for programs."""
    return {
        "id": found.map.id,
        "version": found.map.version,
        "variant": variant,
        "quality": found.map.varied(variant).quality,
        "own": found.is_own,
        "origin": origin_of(found),
        "bundle": found.coop.serial if found.coop else None,
        "replaces_installed": found.replaces,
    }


def origin_of(found: FoundMap) -> str:
    """Where a map comes from, in a word for programs."""
    return "own" if found.is_own else "co-op" if found.coop else "package"


def origin_mark(found: FoundMap) -> str:
    """What stands behind a map's id in a list; nothing for one of the package."""
    return "" if origin_of(found) == "package" else f" ({origin_words(found).removeprefix('your ')})"


def origin_words(found: FoundMap) -> str:
    """The same for people: the package, the household's own folder, or the co-op's bundle."""
    if found.is_own:
        return "your own"
    return found.coop.origin if found.coop else "the package"


def list_record(found: FoundMap) -> dict[str, Any]:
    """One map of a list, for programs."""
    shown = found.map
    return {
        **quality_record(found),
        "vendor": shown.vendor,
        "models": list(shown.models),
        "kinds": list(shown.kinds),
        "roles": list(shown.roles),
        "variants": [each.name for each in shown.variants],
        "metering": None if shown.metering is None else metering_record(shown),
    }


def metering_record(shown: DeviceMap) -> dict[str, str] | None:
    """How the meter counts, with sources."""
    metering = shown.metering
    if metering is None:
        return None
    return {key: getattr(metering, key) for key in ("phases", "phases_source", "metrology", "metrology_source")}


def show_record(found: FoundMap) -> dict[str, Any]:
    """All that `map_lines` says, for programs."""
    shown = found.map
    return {
        **list_record(found),
        "roles": {role.name: _role_words(role) for role in shown.roles.values()},
        "caveats": list(shown.caveats),
        "sources": list(shown.sources),
    }


def map_lines(found: FoundMap) -> list[str]:
    """Everything a household may want to know of a map."""
    shown = found.map
    lines = [
        f"{shown.id}, version {shown.version}: {shown.vendor} {', '.join(shown.models)}",
        f"kinds: {', '.join(shown.kinds)}; from {origin_words(found)}: {found.path.name}",
        f"quality: {shown.quality}: {QUALITY[shown.quality]}",
        *(f"role {role.name}: {_role_words(role)}" for role in shown.roles.values()),
    ]
    if metering := shown.metering:
        lines += [
            f"phases: {metering.phases}: {_PHASES[metering.phases]} ({metering.phases_source})",
            f"metrology: {metering.metrology} ({metering.metrology_source})",
        ]
    for each in shown.variants:
        when = "; ".join(f"{key} {text}" for key in ("firmware", "path", "model") if (text := getattr(each, key)))
        lines.append(
            f"variant {each.name}: {each.title}" + (f" ({when})" if when else "") + _other_quality(each.map, shown)
        )
    lines += [f"mind: {each}" for each in shown.caveats]
    lines += [f"source: {each}" for each in shown.sources]
    return lines


def _other_quality(variant: DeviceMap, family: DeviceMap) -> str:
    return "" if variant.quality == family.quality else f": {variant.quality}"


def _role_words(role: MapRole) -> str:
    parts = [f"{key} from {name}" for key, name in role.counters.items()]
    parts += [f"power from {role.power}"] if role.power else []
    if role.derived:
        parts.append("no counter: energy is calculated from power")
    if role.counts:
        parts.append(f"counts {_COUNTS[role.counts]}")
    if role.side:
        parts.append(_SIDES[role.side])
    if role.only_while:
        parts.append(f"only while {role.only_while[0]} is {', '.join(map(str, role.only_while[1]))}")
    return "; ".join(parts)


def count_of(number: int, noun: str) -> str:
    """A number with its noun, such as "3 points"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
