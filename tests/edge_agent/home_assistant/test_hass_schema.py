"""What Home Assistant is told, beside what its own source takes: keys, classes and units, read there once by hand.

Source: the package homeassistant 2024.3.3: components/mqtt/{config,mixins,discovery,sensor,binary_sensor,button}.py and
components/sensor/{const,recorder}.py. Its discovery drops keys it does not know without a word.
"""

import json
import re
from typing import Any, Final

import pytest

from edge_agent.home_assistant.credits import credit_details, credit_states
from edge_agent.home_assistant.discovery import ENERGIES, POWERS, HomeTopics, discovery
from edge_agent.home_assistant.questions import UNKNOWN
from protocols.wire.credits.notices import CreditDay

COMMON: Final = frozenset({
    "availability_topic", "availability_template", "payload_available", "payload_not_available", "availability",
    "availability_mode", "device", "origin", "enabled_by_default", "entity_category", "icon", "json_attributes_topic",
    "json_attributes_template", "object_id", "unique_id", "qos", "encoding", "name", "device_class",
})  # fmt: skip
"""mixins.py MQTT_AVAILABILITY_SCHEMA and MQTT_ENTITY_COMMON_SCHEMA, config.py SCHEMA_BASE, and what all three add."""

READ: Final = COMMON | {"state_topic", "value_template", "expire_after", "force_update"}
KEYS: Final = {
    "sensor": READ | {"last_reset_value_template", "suggested_display_precision", "state_class", "unit_of_measurement"},
    "binary_sensor": READ | {"off_delay", "payload_off", "payload_on"},
    "button": COMMON | {"command_template", "command_topic", "payload_press", "retain"},
}
NEEDED: Final = {"sensor": {"state_topic"}, "binary_sensor": {"state_topic"}, "button": {"command_topic"}}
DEVICE_KEYS: Final = {
    "identifiers", "connections", "manufacturer", "model", "name", "hw_version", "serial_number", "sw_version",
    "via_device", "suggested_area", "configuration_url",
}  # fmt: skip
ORIGIN_KEYS: Final = {"name", "sw_version", "support_url"}
STATE_CLASSES: Final = {"power": {"measurement"}, "energy": {"total", "total_increasing"}}
UNITS: Final = {"power": {"W", "kW"}, "energy": {"GJ", "kWh", "MJ", "MWh", "Wh"}}
"""sensor/const.py DEVICE_CLASS_STATE_CLASSES and DEVICE_CLASS_UNITS, of the two classes that are used."""

TOPIC: Final = re.compile(r"(?P<component>\w+)/(?:(?P<node_id>[a-zA-Z0-9_-]+)/)?(?P<object_id>[a-zA-Z0-9_-]+)/config")
BLOCKED: Final = {"last_reset", "state_class"}
"""Attributes that sensor.py takes from nobody (MQTT_SENSOR_ATTRIBUTES_BLOCKED)."""


def described() -> dict[str, tuple[str, dict[str, Any]]]:
    """Everything there can be, by its name: component and message."""
    texts = discovery(
        HomeTopics("a-4k2f9c1d"), powers=POWERS, measures=ENERGIES, expire_s=60, prompt_id="p-1", has_credits=True
    )
    found = {}
    for topic, text in texts.items():
        match = TOPIC.fullmatch(topic.removeprefix("homeassistant/"))
        assert match is not None, topic
        found[match["object_id"]] = (match["component"], json.loads(text))
    return found


ALL: Final = described()


@pytest.mark.parametrize("name", ALL)
def test_only_keys_that_home_assistant_takes_and_those_it_needs(name: str) -> None:
    component, message = ALL[name]
    assert set(message) <= KEYS[component], "a key that is dropped without a word"
    assert NEEDED[component] <= set(message)
    assert set(message["device"]) <= DEVICE_KEYS
    assert message["device"]["identifiers"]
    assert {"name"} <= set(message["origin"]) <= ORIGIN_KEYS
    assert isinstance(message.get("expire_after", 1), int)
    assert isinstance(message.get("suggested_display_precision", 1), int)


@pytest.mark.parametrize("name", [name for name, (component, _) in ALL.items() if component == "sensor"])
def test_class_state_class_and_unit_go_together(name: str) -> None:
    message = ALL[name][1]
    kind = message.get("device_class")
    if kind is None:
        assert not {"state_class", "unit_of_measurement"} & set(message), "a text is no number"
        return
    assert message["state_class"] in STATE_CLASSES[kind]
    assert message["unit_of_measurement"] in UNITS[kind]
    assert ("last_reset_value_template" in message) == (message["state_class"] == "total")


def test_every_kind_of_thing_is_among_them() -> None:
    assert {component for component, _ in ALL.values()} == set(KEYS)
    assert len(ALL) == len(POWERS) + len(ENERGIES) + 2 + 2 + 3


def test_what_is_not_known_is_the_word_that_home_assistant_takes_for_it() -> None:
    """mqtt/const.py PAYLOAD_NONE; a template makes the same word of null. An empty last_reset is passed over."""
    assert UNKNOWN == "None"
    for state in credit_states(None).values():
        assert (str(state["kwh"]), state["last_reset"]) == ("None", "")


def test_no_attribute_is_one_that_a_sensor_takes_from_nobody() -> None:
    day = CreditDay(1_994_592, 96, False, 1, 1, 1, 1)
    assert not BLOCKED & set(credit_details(day, "Europe/Berlin"))
