"""What a search found, as lines for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edge_agent.finding.search import FoundDevice
from edge_agent.settings import CONNECT_EXPECTED, Endpoint, parse_endpoint

MOST_SHOWN = 4


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
