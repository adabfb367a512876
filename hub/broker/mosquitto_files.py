"""Writes what Mosquitto needs to serve one hub: configuration, access rules, and the password of the hub's own user.

The hub has a listener of its own: a Unix socket in a folder that only its user may enter. Homes have another: with
certificates on all addresses, or without any on this computer only. There an agent's client id is its agent id.
"""

import base64
import getpass
import hashlib
import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.broker.access_rules import HUB_USER, KnownAgents, rules_by_client_id, rules_of_homes, with_rules_topic

MAX_PAYLOAD_BYTES: Final = 20_480
MAX_INFLIGHT: Final = 1000
PBKDF2_ROUNDS: Final = 1000  # the password has 256 random bits: more rounds add nothing
MAX_SOCKET_CHARS: Final = 100
"""Systems allow 103 to 107 bytes for the name of a Unix socket."""
SOCKET_NAME: Final = "hub.sock"
MAX_HOMES: Final = 4000
_SYSTEM_PLACES: Final = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
_FIRST_WITH_SOCKETS: Final = 2


@dataclass(frozen=True, slots=True)
class HomesListener:
    """Where homes connect with TLS, and the files it needs: the co-op's root, the server's certificate and key."""

    port: int
    ca_file: Path
    cert_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True)
class MosquittoFiles:
    """What was written: the configuration, the hub's password, and its socket (None: it uses the port)."""

    configuration: Path
    password: str
    socket: Path | None
    contents: dict[Path, bytes]


def find_mosquitto() -> str | None:
    """The program's path; None if it is not installed. Also searches system folders that most users' PATH lacks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_SYSTEM_PLACES)


def has_unix_sockets(program: str) -> bool:
    """Whether this Mosquitto can listen on a Unix socket: from version 2.0 on."""
    try:
        shown = subprocess.run([program, "-h"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(rb"mosquitto version (\d+)\.", shown.stdout + shown.stderr)
    return version is not None and int(version[1]) >= _FIRST_WITH_SOCKETS


def write_mosquitto_files(
    folder: Path, *, coop: str, host: str, port: int, homes: HomesListener | None = None, with_socket: bool = False
) -> MosquittoFiles:
    """Write new files into `folder`, for its owner only.

    Without `homes` the broker serves this computer, on `host` and `port`. With it, only the hub itself may use them,
    and only if there is no socket.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / SOCKET_NAME).unlink(missing_ok=True)  # of an earlier start, which may have used a socket
    password = secrets.token_urlsafe(32)
    place = folder.resolve()
    socket = place / SOCKET_NAME
    has_socket = with_socket and len(os.fsencode(socket)) <= MAX_SOCKET_CHARS
    listeners = [f"listener 0 {socket}"] if has_socket else []
    if homes is None or not has_socket:
        listeners.append(f"listener {port} {host}")
    if homes is not None:
        listeners.append(homes_listener(homes))
    texts = {
        # For `commonwatt-hub broker check`, another program of the same user.
        "hub-password": password + "\n",
        "passwords": f"{HUB_USER}:{password_hash(password, salt=secrets.token_bytes(12))}\n",
        "access": with_rules_topic(
            coop, rules_by_client_id(coop) if homes is None else rules_of_homes(coop, KnownAgents())
        ),
        "mosquitto.conf": _configuration(place, listeners=listeners, is_anonymous=homes is None),
    }
    for name, text in texts.items():
        write_private(folder / name, text)
    return MosquittoFiles(
        folder / "mosquitto.conf",
        password,
        socket if has_socket else None,
        {folder / name: text.encode() for name, text in texts.items()},
    )


def homes_listener(homes: HomesListener) -> str:
    """The lines of the listener for homes: TLS 1.3, a certificate of the co-op, and its name as user and client id.

    So nobody can take an agent's session without the agent's key.
    """
    return f"""listener {homes.port}
cafile {homes.ca_file.resolve()}
certfile {homes.cert_file.resolve()}
keyfile {homes.key_file.resolve()}
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
use_username_as_clientid true
# more homes than a co-op has; the hub's own listener is not counted here
max_connections {MAX_HOMES}
# agents send at QoS 1; at QoS 2 a client could make the broker keep messages for it without end
max_qos 1
max_topic_alias 0"""


def password_hash(password: str, *, salt: bytes, rounds: int = PBKDF2_ROUNDS) -> str:
    """Hash in Mosquitto's own format: $7$, PBKDF2 with HMAC-SHA-512, 64 bytes. Source: mosquitto_passwd(1)."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode("utf-8"), salt, rounds, 64)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def limits() -> str:
    """The limits that hold for every client, each with its reason."""
    return f"""# the largest message of the wire format, and with its head the largest packet
message_size_limit {MAX_PAYLOAD_BYTES}
max_packet_size {MAX_PAYLOAD_BYTES + 4096}
# the hub takes up to this many before it acknowledges; a client gets fewer if it asks for fewer
max_inflight_messages {MAX_INFLIGHT}
# what waits for the hub while it restarts: agents send again what does not fit
max_queued_messages 20000
max_queued_bytes 67108864
# a dead line is noticed within 8 minutes; agents use 60 s
max_keepalive 300
# nothing about other clients under $SYS
sys_interval 0"""


def _configuration(place: Path, *, listeners: list[str], is_anonymous: bool) -> str:
    return "\n".join(
        (
            "# Written by the hub at each start; changes here are lost.",
            *listeners,
            f"""user {getpass.getuser()}
allow_anonymous {"true" if is_anonymous else "false"}
password_file {place}/passwords
acl_file {place}/access
persistence true
persistence_location {place}/
persistence_file sessions.db
autosave_interval 60
persistent_client_expiration 14d""",
            limits(),
            "log_dest stderr\nlog_type error\nlog_type warning\n",
        )
    )


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner may read."""
    # No fsync: the broker keeps no records of its own, and agents resend whatever it loses in a power cut.
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
