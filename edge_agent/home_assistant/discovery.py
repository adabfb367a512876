"""The messages by which Home Assistant finds the home's values and buttons. Pure.

Source: Home Assistant documentation, MQTT integration: discovery, sensor.mqtt, binary_sensor.mqtt, button.mqtt.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from protocols.maps.model import RoleName
from protocols.quantities import Measure

POWERS: Final = {
    "grid_power": "Power from the grid",
    "sun_power": "Power from the sun",
    "wind_power": "Power from the wind",
    "battery_power": "Power into the battery",
    "load_power": "Power of the sub-meters",
    "home_power": "Power the home uses",
}
POWER_OF_ROLE: Final[dict[RoleName, str]] = {
    "grid": "grid_power",
    "pv": "sun_power",
    "wind": "wind_power",
    "battery": "battery_power",
    "load": "load_power",
}
ENERGIES: Final = {
    Measure.GRID_IMPORT: "Energy from the grid",
    Measure.GRID_EXPORT: "Energy to the grid",
    Measure.PV_PRODUCTION: "Energy from the sun",
    Measure.WIND_PRODUCTION: "Energy from the wind",
    Measure.BATTERY_CHARGE: "Energy into the battery",
    Measure.BATTERY_DISCHARGE: "Energy from the battery",
    Measure.SUBMETER: "Energy of the sub-meters",
}
BUTTONS: Final = {"yes": "Answer yes", "no": "Answer no", "never": "Never ask about this appliance"}
QUESTION, SPARE = "question", "sun_to_spare"
RECEIVED, GIVEN = "received_yesterday", "given_yesterday"
CREDITS: Final = {RECEIVED: "Energy from neighbours yesterday", GIVEN: "Energy to neighbours yesterday"}


@dataclass(frozen=True, slots=True)
class HomeTopics:
    """Where everything of one home stands at the broker. `agent` keeps two agents of a home apart."""

    agent: str
    prefix: str = "homeassistant"

    @property
    def availability(self) -> str:
        """Whether the agent is there."""
        return f"commonwatt/{self.agent}/availability"

    @property
    def answer(self) -> str:
        """Where the buttons' presses arrive."""
        return f"commonwatt/{self.agent}/answer"

    @property
    def birth(self) -> str:
        """Where Home Assistant tells that it has started."""
        return f"{self.prefix}/status"

    def state(self, name: str) -> str:
        """A value's newest state."""
        return f"commonwatt/{self.agent}/{name}"

    def details(self, name: str) -> str:
        """The attributes shown with a value."""
        return f"commonwatt/{self.agent}/{name}/details"

    def config(self, component: str, name: str) -> str:
        """Where Home Assistant looks for what there is."""
        return f"{self.prefix}/{component}/commonwatt_{self.agent}/{name}/config"


def discovery(
    topics: HomeTopics,
    *,
    powers: Iterable[str],
    measures: Iterable[Measure],
    expire_s: int,
    prompt_id: str | None,
    has_credits: bool,
) -> dict[str, str]:
    """Each topic with its retained message; empty for what this home does not have, which removes it.

    The buttons belong to one prompt: a press that arrives after it cannot answer another one.
    """
    shown_powers, shown_measures = set(powers), set(measures)
    found = {
        topics.config("sensor", name): _text(topics, name, title, _power(expire_s)) if name in shown_powers else ""
        for name, title in POWERS.items()
    }
    for measure, title in ENERGIES.items():
        name = measure.code
        found[topics.config("sensor", name)] = _text(topics, name, title, _ENERGY) if measure in shown_measures else ""
    for name, title in CREDITS.items():
        details = {"json_attributes_topic": topics.details(name), "icon": "mdi:home-group"}
        found[topics.config("sensor", name)] = _text(topics, name, title, _DAY | details) if has_credits else ""
    details = {"json_attributes_topic": topics.details(QUESTION), "icon": "mdi:help-circle"}
    found[topics.config("sensor", QUESTION)] = _text(topics, QUESTION, "The co-op asks", details)
    details = {"json_attributes_topic": topics.details(SPARE), "icon": "mdi:white-balance-sunny"}
    found[topics.config("binary_sensor", SPARE)] = _text(topics, SPARE, "Sun to spare", details)
    for word, title in BUTTONS.items():
        press = {"command_topic": topics.answer, "payload_press": f"{word} {prompt_id}"}
        name = f"answer_{word}"
        found[topics.config("button", name)] = _text(topics, name, title, press, has_state=False) if prompt_id else ""
    return found


_ENERGY: Final = {
    "device_class": "energy",
    "state_class": "total_increasing",
    "unit_of_measurement": "kWh",
    "suggested_display_precision": 1,
}

_DAY: Final = {
    **_ENERGY,
    "state_class": "total",
    "value_template": "{{ value_json.kwh }}",
    "last_reset_value_template": "{{ value_json.last_reset }}",
}
"""A total that starts from 0 each day: Home Assistant adds the days up, and takes a correction as one."""


def _power(expire_s: int) -> dict[str, Any]:
    measured = {"device_class": "power", "state_class": "measurement", "unit_of_measurement": "W"}
    return {**measured, "expire_after": expire_s}


def _text(topics: HomeTopics, name: str, title: str, more: dict[str, Any], *, has_state: bool = True) -> str:
    described: dict[str, Any] = {
        "name": title,
        "unique_id": f"commonwatt_{topics.agent}_{name}",
        "availability_topic": topics.availability,
        "device": {
            "identifiers": [f"commonwatt_{topics.agent}"],
            "name": f"Commonwatt {topics.agent}",
            "manufacturer": "Commonwatt",
        },
        "origin": {"name": "Commonwatt"},
        **({"state_topic": topics.state(name)} if has_state else {}),
        **more,
    }
    return json.dumps(described, separators=(",", ":"))
