"""What the administrator of another computer's Mosquitto needs to serve this co-op: listeners, access rules, secrets.

Homes get a listener with the co-op's certificates, as at the hub's own broker; the hub signs in at a second one.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hub.broker.access_rules import HUB_USER, KnownAgents, rules_of_homes, with_rules_topic
from hub.broker.firewall.ruleset import OpenPorts, ruleset_text
from hub.broker.mosquitto_files import HomesListener, homes_listener, limits, password_hash

CONFIGURATION: Final = "commonwatt.conf"
ACCESS: Final = "access"
PASSWORDS: Final = "passwords"
ROOT: Final = "root.pem"
SERVER: Final = "server.pem"
FIREWALL: Final = "firewall.nft"
FILE_NAMES: Final = (CONFIGURATION, ACCESS, PASSWORDS, ROOT, SERVER, FIREWALL)


def external_files(
    place: Path,
    *,
    rules: str,
    homes_port: int,
    hub_port: int,
    opened: OpenPorts,
    password: str,
    root_pem: bytes,
    server_pem: bytes,
) -> Mapping[str, bytes]:
    """The contents by file name, for a broker that will have them in the folder `place`.

    `opened` are the ports of its computer, also those of another broker there.
    """
    homes = HomesListener(homes_port, place / ROOT, place / SERVER, place / SERVER)
    lines = (
        "# Made by `commonwatt-hub broker files`: docs/broker.md of Commonwatt explains it.",
        f"""# the hub's own listener: its password is in the file "passwords"
listener {hub_port}
certfile {place / SERVER}
keyfile {place / SERVER}
tls_version tlsv1.3""",
        "# homes: each is known by its certificate alone",
        homes_listener(homes),
        f"""allow_anonymous false
password_file {place / PASSWORDS}
acl_file {place / ACCESS}
# the hub's session, with what arrives while it restarts
persistence true
persistent_client_expiration 14d""",
        limits(),
    )
    return {
        CONFIGURATION: ("\n".join(lines) + "\n").encode(),
        ACCESS: rules.encode(),
        PASSWORDS: f"{HUB_USER}:{password_hash(password, salt=secrets.token_bytes(12))}\n".encode(),
        ROOT: root_pem,
        SERVER: server_pem,
        FIREWALL: ruleset_text(opened).encode(),
    }


def rules_text(coop: str, agents: KnownAgents) -> str:
    """The access rules of today's agents, with the line by which the hub sees that they are in force."""
    return with_rules_topic(coop, rules_of_homes(coop, agents))
