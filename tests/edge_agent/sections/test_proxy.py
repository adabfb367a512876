"""The [[proxy]] tables of agent.toml: which device, at which address, and what is refused in one line."""

from pathlib import Path

import pytest

from edge_agent.sections.proxy import ProxyChoice
from edge_agent.settings import parse_settings
from protocols.errors import SettingsError

GOOD = """
[[device]]
name = "sun"
map = "huawei-sun2000"
role = "pv"
connect = "tcp://192.0.2.7"
max_power_w = 9000

[[proxy]]
device = "sun"
listen = "127.0.0.1:1502"
"""


def parsed(text: str) -> tuple[ProxyChoice, ...]:
    return parse_settings(text.encode(), name="agent.toml", folder=Path()).proxies


def test_a_device_is_served_where_the_household_says() -> None:
    assert parsed(GOOD) == (ProxyChoice("sun", "127.0.0.1", 1502),)
    assert parsed(GOOD.split("[[proxy]]", maxsplit=1)[0]) == ()
    (wide,) = parsed(GOOD.replace("127.0.0.1:1502", "[::]:1502"))
    assert (wide.is_local, wide.shown) == (False, "[::]:1502")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('device = "sun"', 'device = "moon"', "device: expected one of sun, found 'moon'"),
        ("127.0.0.1:1502", "localhost:1502", "listen: expected an address and port"),
        ("127.0.0.1:1502", "127.0.0.1", "listen: expected an address and port"),
        ("127.0.0.1:1502", "127.0.0.1:0", "listen: expected an address and port"),
        ("127.0.0.1:1502", "127.0.0.1:70000", "listen: expected an address and port"),
        ('listen = "', 'writes = true\nlisten = "', "unknown key 'writes'"),
        ("[[proxy]]", '[[proxy]]\ndevice = "sun"\nlisten = "127.0.0.1:1502"\n[[proxy]]', "is given twice"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(old: str, new: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parsed(GOOD.replace(old, new))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
