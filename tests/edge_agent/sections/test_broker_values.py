"""Topics of a meter at the home's broker in a [[device]]: what is needed, and what is refused in one line."""

from decimal import Decimal
from pathlib import Path

import pytest

from edge_agent.sections.broker_values import BrokerValues, ValueTopic
from edge_agent.settings import parse_settings
from protocols.errors import SettingsError

GRID = """
[[device]]
name = "meter"
map = "mqtt-meter"
role = "grid"
connect = "mqtt://pi.local"
max_power_w = 15000
topics = { import = "home/in", export = { topic = "tele/x", field = "ENERGY.Out", unit = "Wh" }, power = "home/w" }
"""


def parsed(text: str) -> BrokerValues | None:
    return parse_settings(text.encode(), name="agent.toml", folder=Path("etc")).devices[0].values


def test_each_value_has_its_topic_its_unit_and_its_place() -> None:
    assert parsed(GRID) == BrokerValues(
        (
            ValueTopic("import", "home/in", Decimal(1000)),
            ValueTopic("export", "tele/x", Decimal(1), "ENERGY.Out"),
            ValueTopic("power", "home/w", Decimal(1)),
        )
    )
    found = parsed(GRID + 'max_age_s = 120\nusername = "me"\npassword_file = "pw"')
    assert found is not None
    assert (found.max_age_s, found.sign_in.username, found.sign_in.password_file) == (120, "me", Path("etc/pw"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('import = "home/in", ', "", "topics import: missing, expected the topic"),
        ('role = "grid"', 'role = ["grid", "load"]', "one role: give each role a [[device]] of its own"),
        ('role = "grid"', 'role = "pv"', "unknown key 'import'"),
        ("home/in", "home/#", "without # and +"),
        ("ENERGY.Out", "ENERGY..Out", "names joined by dots"),
        ('unit = "Wh"', 'unit = "W"', "unit: expected one of kWh, Wh, MWh"),
        ('topics = {', 'topic = {', "unknown key 'topic', did you mean 'topics'?"),
        ("mqtt://pi.local", "tcp://192.0.2.7", "topics: only for a meter at the home's broker"),
        ("mqtt://pi.local", "mqtt://me:kettle@pi.local", "connect: expected"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(old: str, new: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parsed(GRID.replace(old, new))
    assert words in str(caught.value).replace("topics: import", "topics import")
    assert "\n" not in str(caught.value)
