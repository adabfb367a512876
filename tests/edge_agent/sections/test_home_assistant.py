"""The table [home_assistant] of agent.toml: off unless written, and what is refused in one line."""

from pathlib import Path

import pytest

from edge_agent.home_broker.address import BrokerSignIn, HomeBroker
from edge_agent.sections.home_assistant import HomeAssistantChoice
from edge_agent.settings import parse_settings
from protocols.errors import SettingsError

DEVICE = """
[[device]]
name = "sun"
map = "huawei-sun2000"
role = "pv"
connect = "tcp://192.0.2.7"
max_power_w = 9000
"""


def parsed(text: str) -> HomeAssistantChoice | None:
    return parse_settings((DEVICE + text).encode(), name="agent.toml", folder=Path("etc")).home_assistant


def test_nothing_is_shown_unless_the_household_says_so() -> None:
    assert parsed("") is None
    assert parsed('[home_assistant]\nbroker = "mqtt://pi.local"') == HomeAssistantChoice(
        HomeBroker("pi.local", 1883), BrokerSignIn()
    )
    text = '[home_assistant]\nbroker = "mqtts://pi:1"\nusername = "me"\npassword_file = "pw"\nprefix = "ha/x"'
    access = BrokerSignIn("me", Path("etc/pw"))
    assert parsed(text) == HomeAssistantChoice(HomeBroker("pi", 1, True), access, "ha/x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "broker: missing"),
        ('broker = "mqtt://me:kettle@pi"', "found 'an address with a name or password'"),
        ('broker = "mqtt://8.8.8.8"', "a broker in the home"),
        ('broker = "mqtt://pi"\npassword = "kettle"', "unknown key 'password', did you mean 'password_file'?"),
        ('broker = "mqtt://pi"\npassword_file = "pw"', "expected a username beside it"),
        ('broker = "mqtt://pi"\nprefix = "a/#"', "prefix: expected a topic"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parsed(f"[home_assistant]\n{text}")
    assert words in str(caught.value)
    assert "kettle" not in str(caught.value)
    assert "\n" not in str(caught.value)
