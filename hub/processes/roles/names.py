"""The roles that a process of the hub can have, and what each of them needs of the settings."""

from dataclasses import dataclass
from typing import Final

from hub.folder.elsewhere.broker_sites import RABBITMQ
from hub.folder.settings import HubSettings
from protocols.errors import RequestError

EXTERNAL: Final = "external"


@dataclass(frozen=True, slots=True)
class HubRole:
    """A role by its name on the command line, and the part of a hub that it is."""

    name: str
    part: str


ROLES: Final = {
    role.name: role
    for role in (
        HubRole("intake", "intake"),
        HubRole("web", "pages"),
        HubRole("timetable", "timetable"),
        HubRole("worker", "worker"),
    )
}


def refuse_alone(settings: HubSettings) -> None:
    """Refuse settings under which several processes cannot work together. Raises: RequestError."""
    if settings.store is None:
        raise RequestError(
            "run --role: several processes share a store on a PostgreSQL server, and hub.toml has no [store]: see"
            " docs/postgres.md"
        )
    broker = settings.broker
    if broker.sites:
        is_elsewhere = all(site.host is not None for site in broker.sites)
    else:
        is_elsewhere = broker.kind in (EXTERNAL, RABBITMQ)
    if not is_elsewhere:
        raise RequestError(
            "run --role: hub.toml has the hub start its own broker, and several processes need one that runs by itself:"
            ' set broker.kind = "external" or "rabbitmq", or name other computers in broker.shards (docs/broker.md)'
        )
