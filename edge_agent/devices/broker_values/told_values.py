"""What was told of a meter at the home's broker, how old it is, and the registers of the map `mqtt-meter`. Pure.

What the broker kept from before has no known age and is never a value. What is no number ends the value before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from edge_agent.devices.telegrams.meter_values import MISSING, POWER_MISSING, signed32, unsigned64
from edge_agent.sections.broker_values import BrokerValues, ValueTopic

REGISTERS: Final = 26
MAX_EXPONENT: Final = 18
_ENERGY_AT: Final = {"import": 0, "export": 4, "production": 10, "charge": 16, "discharge": 20}
_POWER_AT: Final = {"import": 8, "production": 14, "charge": 24}
"""Powers by the first energy told beside them: from the grid, made, or into the battery."""


class ToldValues:
    """The newest value of each topic of one meter, and when it arrived, in seconds of a clock that never jumps."""

    def __init__(self, values: BrokerValues) -> None:
        self._values = values
        self._told: dict[str, tuple[float, Decimal | None]] = {}

    def note(self, topic: str, payload: bytes, *, at_s: float, is_retained: bool) -> None:
        """One message. Raises nothing, whatever it says."""
        if is_retained:
            return
        for each in self._values.topics:
            if each.topic == topic:
                self._told[each.name] = at_s, read_number(payload, each)

    def all_since(self, at_s: float) -> bool:
        """Whether every value was told after this moment."""
        return all(self._told.get(each.name, (-1.0, None))[0] > at_s for each in self._values.topics)

    def fresh(self, now_s: float) -> dict[str, Decimal]:
        """The values that count now, in Wh and W."""
        return {
            name: number
            for name, (at_s, number) in self._told.items()
            if number is not None and now_s - at_s <= self._values.max_age_s
        }

    def words(self, now_s: float) -> list[int]:
        """The registers of `firmware_configs/devices/mqtt-meter.toml`; what does not count is "not available"."""
        return to_words(self.fresh(now_s), of=self._values.topics[0].name)


def to_words(values: Mapping[str, Decimal], *, of: str) -> list[int]:
    """The registers with these values; `of` is the first energy of the meter's role."""
    words = [MISSING] * REGISTERS
    for name, at in _ENERGY_AT.items():
        words[at : at + 4] = unsigned64(values.get(name))
    for name, at in _POWER_AT.items():
        words[at : at + 2] = signed32(values.get("power")) if name == of else POWER_MISSING
    return words


def read_number(payload: bytes, value: ValueTopic) -> Decimal | None:
    """The number in a message, in Wh or W; None if there is none, as when the other program says 'unavailable'."""
    try:
        text = payload.decode().strip()
        found: Any = _decimal(text)
        if value.place:
            found = json.loads(text, parse_float=_decimal, parse_int=_decimal, parse_constant=_decimal)
            for name in value.place.split("."):
                found = found[name]
            found = _decimal(found) if isinstance(found, str) else found
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found * value.per_unit if isinstance(found, Decimal) else None


def _decimal(text: str) -> Decimal | None:
    if len(text) > 40:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT else None
