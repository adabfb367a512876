"""`commonwatt-hub broker files` for RabbitMQ: a folder for each node, to be put where RabbitMQ reads its settings."""

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hub.broker.access_rules import KnownAgents
from hub.broker.rabbitmq.configuration import PLUGINS, configuration, environment
from hub.broker.rabbitmq.definitions import definitions
from hub.folder.settings import HubSettings
from hub.trust.authority import Authority
from hub.trust.authority_files import read_private
from hub.trust.certificates import DAY_S
from protocols.durable_files import write_durably
from protocols.errors import RequestError

PLACE: Final = Path("/etc/rabbitmq")
COOKIE: Final = "erlang.cookie"
COOKIE_FILE: Final = "rabbitmq-cookie"
FILE_NAMES: Final = (
    *("rabbitmq.conf", "rabbitmq-env.conf", "enabled_plugins", "definitions.json"),
    *("root.pem", "server.pem", COOKIE),
)
SERVER_S: Final = 397 * DAY_S


def rabbitmq_files(
    folder: Path, settings: HubSettings, *, authority: Authority, agents: KnownAgents, place: Path, now_s: int
) -> Mapping[str, Mapping[str, bytes]]:
    """The contents by file name, for each node by its host. Raises: RequestError, AuthorityError."""
    public, nodes = settings.public, settings.broker.nodes
    assert public is not None, "the settings require it"
    hosts, (port, *others) = tuple(host for host, _ in nodes), tuple(dict.fromkeys(port for _, port in nodes))
    if others or len(set(hosts)) != len(hosts):
        raise RequestError("broker files: expected one port and a host of its own for every node in broker.nodes")
    coop = settings.coop.id
    text = configuration(place, coop=coop, hosts=hosts, homes_port=public.broker_port, hub_port=port)
    known = json.dumps(definitions(coop, agents), indent=1)
    found = {}
    for host in hosts:
        server = authority.issue_server((host,), now_s=now_s, lasts_s=SERVER_S)
        found[host] = {
            "rabbitmq.conf": text.encode(),
            "rabbitmq-env.conf": environment(host).encode(),
            "enabled_plugins": PLUGINS.encode(),
            "definitions.json": known.encode(),
            "root.pem": authority.root_pem,
            "server.pem": server.chain_pem + server.key_pem,
            COOKIE: _cookie(folder),
        }
    return found


def rabbitmq_advice(to: Path, *, place: Path, now_s: int) -> str:
    """What the administrator of the nodes has to do."""
    day = time.strftime("%Y-%m-%d", time.gmtime(now_s + SERVER_S))
    return f"""wrote a folder for each node of RabbitMQ to {to}
1. on each node the files of its folder belong into {place}, readable by RabbitMQ's user alone, and {COOKIE} to
   /var/lib/rabbitmq/.erlang.cookie; between the nodes, and to nobody else, ports 4369 and 25672 have to be open,
   and the port for AMQP (in broker.nodes of hub.toml) to the hub alone
2. start RabbitMQ on all nodes: they find each other and read definitions.json
3. start the hub; nothing else has to be entered
after each enrolment and revocation: make the files again and, on one node, with the new file:
     rabbitmqctl import_definitions {place / "definitions.json"}
the nodes' certificates are valid until {day}: make the files again before
"""


def _cookie(folder: Path) -> bytes:
    """The nodes' common secret: made once, so that nodes made at different times belong together."""
    path = folder / COOKIE_FILE
    if path.exists():
        return read_private(path)
    made = secrets.token_hex(32).encode()
    try:
        write_durably(path, made)
    except OSError as error:
        raise RequestError(f"{path}: cannot be written: {error.strerror}") from None
    return made
