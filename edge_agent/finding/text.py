"""What a search found, as lines for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edge_agent.finding.search import FoundDevice
from edge_agent.settings import CONNECT_EXPECTED, Endpoint, parse_endpoint

MOST_SHOWN = 4
SURE_PERCENT = 90
USUAL_POWER_W = {"grid": 17250, "pv": 10000, "wind": 5000, "battery": 5000, "load": 4000}


def connect_text(endpoint: Endpoint) -> str:
    """The endpoint as agent.toml writes it, with the serial settings that are known."""
    given = (("baud", endpoint.baud), ("parity", endpoint.parity), ("stop", endpoint.stop))
    query = "&".join(f"{key}={value}" for key, value in given if value is not None)
    return f"{endpoint.shown}?{query}" if query else endpoint.shown


def spoken_endpoint(text: str) -> Endpoint:
    """The endpoint a person means: as agent.toml writes it, an address alone, or a serial port. Raises ValueError."""
    whole = f"rtu://{text}" if text.startswith("/") else text if "://" in text else f"tcp://{text}"
    try:
        return parse_endpoint(whole)
    except ValueError:
        raise ValueError(
            f"expected an address such as 192.168.1.20, or {CONNECT_EXPECTED}, found {text[:60]!r}"
        ) from None


def found_lines(found: FoundDevice) -> list[str]:
    """One device: where it is, what it may be with the reason, and how to write it down."""
    where = f"{connect_text(found.endpoint)} unit {found.unit}"
    if not found.proposals:
        return [
            f"{where}: answers, but no family is recognised in {found.sighting.requests} requests: "
            "name its make with --make, as written on the device"
        ]
    best, *others = found.proposals[:MOST_SHOWN]
    lines = [f"{where}: {best.map} ({best.confidence_percent} %, {best.quality} map): {best.reason}"]
    if best.roles:
        lines.append(f"  measures as {' or '.join(best.roles)}")
    lines += [f"  or {each.map} ({each.confidence_percent} %): {each.reason}" for each in others]
    left = len(found.proposals) - MOST_SHOWN
    return [*lines, f"  or one of {left} more (--json lists them)"] if left > 0 else lines


def paste_lines(found: Sequence[FoundDevice]) -> list[str]:
    """The likeliest family of each device as agent.toml writes it; names and powers are for the person to fill in."""
    lines = ["# For agent.toml, if the values of `commonwatt-agent read` are those of the display:"]
    has_grid = False
    for number, each in enumerate(found, 1):
        if not each.proposals:
            continue
        best = each.proposals[0]
        roles = [role for role in best.roles if not (role == "grid" and has_grid)]
        role = roles[0] if roles else "load"
        has_grid = has_grid or role == "grid"
        more = f"  # or {', '.join(roles[1:])}" if roles[1:] else ""
        lines += [
            "[[device]]",
            f'name = "device-{number}"',
            f'map = "{best.map}"' + ("" if best.confidence_percent >= SURE_PERCENT else "  # not certain: see above"),
            f'role = "{role}"{more}',
            f'connect = "{connect_text(each.endpoint)}"',
            f"unit = {each.unit}",
            f"max_power_w = {USUAL_POWER_W[role]}  # the most it can carry: its nameplate, or the main fuse",
            "",
        ]
    return lines[:-1] if len(lines) > 1 else []


def found_record(found: Sequence[FoundDevice], troubles: Iterable[str]) -> dict[str, Any]:
    """The whole search for programs."""
    return {
        "found": [
            {
                "connect": connect_text(each.endpoint),
                "unit": each.unit,
                "says": each.says,
                "requests": each.sighting.requests,
                "answered": each.sighting.answers,
                "proposals": [
                    {
                        "map": proposal.map,
                        "vendor": proposal.vendor,
                        "confidence_percent": proposal.confidence_percent,
                        "quality": proposal.quality,
                        "reason": proposal.reason,
                        "roles": list(proposal.roles),
                    }
                    for proposal in each.proposals
                ],
            }
            for each in found
        ],
        "troubles": list(troubles),
    }
