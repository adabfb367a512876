"""Whether and where the home is shown in Home Assistant: the table [home_assistant] of agent.toml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge_agent.home_broker.address import ACCESS_KEYS, EXPECTED, BrokerSignIn, HomeBroker, parse_broker, read_access
from protocols.maps.fields import TomlFields

_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,60}(/[A-Za-z0-9_-]{1,60}){0,3}")


@dataclass(frozen=True, slots=True)
class HomeAssistantChoice:
    """The broker that Home Assistant listens to, and the prefix of its discovery topics."""

    broker: HomeBroker
    access: BrokerSignIn
    prefix: str = "homeassistant"


def parse_home_assistant(top: TomlFields, folder: Path) -> HomeAssistantChoice | None:
    """The choice; None where the household has made none. Raises MapError."""
    if not top.has("home_assistant"):
        return None
    fields = top.table("home_assistant").only("broker", "prefix", *ACCESS_KEYS)
    text = fields.text("broker")
    try:
        broker = parse_broker(text)
    except ValueError:
        shown = "an address with a name or password" if "@" in text else text
        raise fields.wrong("broker", EXPECTED, shown) from None
    prefix = fields.text("prefix", "homeassistant")
    if not _PREFIX.fullmatch(prefix):
        raise fields.wrong("prefix", "a topic like 'homeassistant'", prefix)
    return HomeAssistantChoice(broker, read_access(fields, folder), prefix)
