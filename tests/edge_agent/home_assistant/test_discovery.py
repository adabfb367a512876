"""What Home Assistant is told there is: the forms its documentation asks for, and nothing the home does not have."""

import json
from typing import Any

from edge_agent.home_assistant.discovery import HomeTopics, discovery
from protocols.quantities import Measure

TOPICS = HomeTopics("a-1")


def found(prompt_id: str | None = None, *, has_credits: bool = False) -> dict[str, Any]:
    texts = discovery(
        TOPICS,
        powers=["grid_power"],
        measures=[Measure.GRID_IMPORT],
        expire_s=240,
        prompt_id=prompt_id,
        has_credits=has_credits,
    )
    return {topic: json.loads(text) if text else None for topic, text in texts.items()}


def test_a_power_and_an_energy() -> None:
    power = found()["homeassistant/sensor/commonwatt_a-1/grid_power/config"]
    assert power.items() >= {
        "device_class": "power", "state_class": "measurement", "unit_of_measurement": "W", "expire_after": 240,
        "state_topic": "commonwatt/a-1/grid_power", "availability_topic": "commonwatt/a-1/availability",
    }.items()  # fmt: skip
    energy = found()["homeassistant/sensor/commonwatt_a-1/grid_import/config"]
    assert energy.items() >= {
        "device_class": "energy", "state_class": "total_increasing", "unit_of_measurement": "kWh",
    }.items()  # fmt: skip
    assert "expire_after" not in energy


def test_every_thing_has_a_name_of_its_own_in_one_device() -> None:
    described = [each for each in found("p-1", has_credits=True).values() if each]
    assert len({each["unique_id"] for each in described}) == len(described) == 9
    assert {tuple(each["device"]["identifiers"]) for each in described} == {("commonwatt_a-1",)}


def test_what_the_home_does_not_have_is_taken_back() -> None:
    assert found()["homeassistant/sensor/commonwatt_a-1/sun_power/config"] is None
    assert found()["homeassistant/sensor/commonwatt_a-1/pv_production/config"] is None


def test_buttons_belong_to_one_prompt_and_go_with_it() -> None:
    topic = "homeassistant/button/commonwatt_a-1/answer_never/config"
    button = found("p-1")[topic]
    assert (button["command_topic"], button["payload_press"]) == ("commonwatt/a-1/answer", "never p-1")
    assert "state_topic" not in button
    assert found()[topic] is None


def test_the_energies_of_yesterday_come_with_their_day_and_only_from_a_hub_that_tells_them() -> None:
    topic = "homeassistant/sensor/commonwatt_a-1/received_yesterday/config"
    assert found()[topic] is None
    sensor = found(has_credits=True)[topic]
    assert sensor.items() >= {
        "device_class": "energy", "state_class": "total", "unit_of_measurement": "kWh",
        "state_topic": "commonwatt/a-1/received_yesterday", "value_template": "{{ value_json.kwh }}",
        "last_reset_value_template": "{{ value_json.last_reset }}",
        "json_attributes_topic": "commonwatt/a-1/received_yesterday/details",
    }.items()  # fmt: skip
