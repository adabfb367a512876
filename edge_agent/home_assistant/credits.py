"""Yesterday's energy from and to neighbours, as Home Assistant reads it. Pure.

A value belongs to one day, so it comes with the day's beginning; without yesterday's it is unknown, never an older one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.home_assistant.discovery import GIVEN, RECEIVED
from protocols.slots import start_of
from protocols.wire.credits.notices import CreditDay


def credit_states(day: CreditDay | None) -> dict[str, dict[str, Any]]:
    """The state of each of the two; `day` is yesterday, None if the hub has not told it yet."""
    if day is None:
        # An empty `last_reset` leaves the one before in place.
        return {name: {"kwh": None, "last_reset": ""} for name in (RECEIVED, GIVEN)}
    begins = datetime.fromtimestamp(start_of(day.first_slot), UTC).isoformat()
    energies = {RECEIVED: day.received_wh, GIVEN: day.given_wh}
    return {name: {"kwh": energy_wh / 1000, "last_reset": begins} for name, energy_wh in energies.items()}


def credit_details(day: CreditDay | None, tz: str) -> dict[str, Any]:
    """What is shown beside both: the local day, and whether it may still change."""
    if day is None:
        return {}
    local = datetime.fromtimestamp(start_of(day.first_slot), ZoneInfo(tz)).date().isoformat()
    return {"day": local, "state": "settled" if day.is_settled else "preliminary"}
