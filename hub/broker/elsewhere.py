"""A broker that another process of the hub runs: what of it is known here. It starts nothing."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hub.broker.access_keeper import WatchedBroker
from hub.broker.connection import BrokerAddress


class BrokerElsewhere:
    """`ready` follows what the process that runs the broker says; `reload` asks that process."""

    def __init__(self, address: BrokerAddress, *, homes_rules: Path | None, reload: Callable[[], None]) -> None:
        self.ready = asyncio.Event()
        self.address = address
        self.homes_rules = homes_rules
        self.reload = reload

    @classmethod
    def told(cls, facts: Mapping[str, Any], *, reload: Callable[[], None]) -> "BrokerElsewhere":
        """From what `facts_of` has put into words."""
        files = {name: _path(facts[name]) for name in ("ca_file", "cert_file", "key_file", "socket")}
        address = BrokerAddress(facts["host"], facts["port"], facts["username"], facts["password"], **files)
        made = cls(address, homes_rules=_path(facts["homes_rules"]), reload=reload)
        made.note_ready(is_ready=facts["is_ready"])
        return made

    def note_ready(self, *, is_ready: bool) -> None:
        """Whether the broker answers now."""
        if is_ready:
            self.ready.set()
        else:
            self.ready.clear()


def facts_of(broker: WatchedBroker) -> dict[str, object]:
    """All that another process of the hub must know of this broker, its password included."""
    address = broker.address
    paths = {name: getattr(address, name) for name in ("ca_file", "cert_file", "key_file", "socket")}
    return {
        "host": address.host,
        "port": address.port,
        "username": address.username,
        "password": address.password,
        **{name: None if path is None else str(path) for name, path in paths.items()},
        "homes_rules": None if broker.homes_rules is None else str(broker.homes_rules),
        "is_ready": broker.ready.is_set(),
    }


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
