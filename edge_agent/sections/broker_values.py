"""Which values at the home's broker make up a meter: the keys `topics` and `max_age_s` of a [[device]]."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from edge_agent.home_broker.address import ACCESS_KEYS, BrokerSignIn, read_access
from protocols.maps.fields import TomlFields
from protocols.maps.model import MapError, RoleName

VALUE_KEYS: Final = ("topics", "max_age_s", *ACCESS_KEYS)
ENERGY_UNITS: Final = {"kWh": Decimal(1000), "Wh": Decimal(1), "MWh": Decimal(1_000_000)}
POWER_UNITS: Final = {"W": Decimal(1), "kW": Decimal(1000)}
POWER: Final = "power"
ENERGIES_OF_ROLE: Final[dict[RoleName, tuple[str, ...]]] = {
    "grid": ("import", "export"),
    "pv": ("production",),
    "wind": ("production",),
    "battery": ("charge", "discharge"),
    "load": ("import",),
}
MAX_TOPIC_CHARACTERS: Final = 200
MAX_AGE_S: Final = 30
_FIELD = re.compile(r"[^\s.]{1,60}(\.[^\s.]{1,60}){0,7}")


@dataclass(frozen=True, slots=True)
class ValueTopic:
    """One value: its name, where it is told, and how. `place`: where in a JSON object; names joined by dots."""

    name: str
    topic: str
    per_unit: Decimal
    place: str = ""


@dataclass(frozen=True, slots=True)
class BrokerValues:
    """The values of one meter. Those that arrived longer than `max_age_s` ago do not count."""

    topics: tuple[ValueTopic, ...]
    max_age_s: int = MAX_AGE_S
    sign_in: BrokerSignIn = field(default_factory=BrokerSignIn)

    @property
    def counted(self) -> str:
        """What tells this meter from another at the same broker: where its first energy is told."""
        return f"{self.topics[0].topic} {self.topics[0].place}"


def parse_broker_values(fields: TomlFields, folder: Path, roles: Sequence[RoleName]) -> BrokerValues:
    """The values that a device's role needs. Raises MapError."""
    if len(roles) != 1:
        raise fields.wrong("role", "one role: give each role a [[device]] of its own with its topics", list(roles))
    needed = ENERGIES_OF_ROLE[roles[0]]
    if not fields.has("topics"):
        raise MapError(f"{fields.where}: topics: missing, expected a topic for {', '.join(needed)}")
    topics = fields.table("topics").only(*needed, POWER)
    found = [_value(topics, name, ENERGY_UNITS) for name in needed]
    if topics.has(POWER):
        found.append(_value(topics, POWER, POWER_UNITS))
    return BrokerValues(tuple(found), fields.whole("max_age_s", 5, 300, default=MAX_AGE_S), read_access(fields, folder))


def _value(topics: TomlFields, name: str, units: dict[str, Decimal]) -> ValueTopic:
    if not topics.has(name):
        raise MapError(f"{topics.where}: {name}: missing, expected the topic on which it is told")
    found: Any = topics.raw(name)
    described = TomlFields(f"{topics.where} {name}", {"topic": found} if isinstance(found, str) else found)
    described.only("topic", "unit", "field")
    topic = described.text("topic")
    if len(topic) > MAX_TOPIC_CHARACTERS or not topic.isprintable() or {"#", "+"} & set(topic):
        raise described.wrong("topic", f"one topic of at most {MAX_TOPIC_CHARACTERS} characters without # and +", topic)
    unit = described.choice("unit", tuple(units), next(iter(units)))
    place = described.text("field") if described.has("field") else ""
    if place and not _FIELD.fullmatch(place):
        raise described.wrong("field", "names joined by dots, like 'ENERGY.Total'", place)
    return ValueTopic(name, topic, units[unit], place)
