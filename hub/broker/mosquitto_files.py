"""Writes what Mosquitto needs to serve one hub: configuration, access rules, and the password of the hub's own user.

Agents connect without a password, only from this computer. An agent's client id is its agent id: it may write its
own up topics and read its own down topics. Only the hub's user may see readings.
"""

import base64
import getpass
import hashlib
import os
import secrets
import shutil
from pathlib import Path
from typing import Final

HUB_USER: Final = "hub"
MAX_PAYLOAD_BYTES: Final = 20_480
MAX_INFLIGHT: Final = 1000
PBKDF2_ROUNDS: Final = 1000  # the password has 256 random bits: more rounds add nothing
_SYSTEM_PLACES: Final = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"


def find_mosquitto() -> str | None:
    """The program's path; None if it is not installed. Also searches system folders that most users' PATH lacks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_SYSTEM_PLACES)


def write_mosquitto_files(folder: Path, *, coop: str, host: str, port: int) -> tuple[Path, str]:
    """Write new files into `folder`, for its owner only; return the configuration file and the password."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = secrets.token_urlsafe(32)
    _write(folder / "passwords", f"{HUB_USER}:{password_hash(password, salt=secrets.token_bytes(12))}\n")
    _write(folder / "access", access_rules(coop))
    configuration = folder / "mosquitto.conf"
    _write(configuration, _configuration(folder, host=host, port=port))
    return configuration, password


def access_rules(coop: str) -> str:
    """Who may do what; anything else is refused. %c is the client id, in which Mosquitto allows no wildcard."""
    return (
        f"user {HUB_USER}\n"
        f"topic read cw1/{coop}/+/+/up/+\n"
        f"topic write cw1/{coop}/+/+/down/+\n"
        "\n"
        f"pattern write cw1/{coop}/+/%c/up/+\n"
        f"pattern read cw1/{coop}/+/%c/down/+\n"
    )


def password_hash(password: str, *, salt: bytes, rounds: int = PBKDF2_ROUNDS) -> str:
    """Hash in Mosquitto's own format: $7$, PBKDF2 with HMAC-SHA-512, 64 bytes. Source: mosquitto_passwd(1)."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode("utf-8"), salt, rounds, 64)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _configuration(folder: Path, *, host: str, port: int) -> str:
    place = folder.resolve()
    return f"""# Written by the hub at each start; changes here are lost.
listener {port} {host}
user {getpass.getuser()}
allow_anonymous true
password_file {place}/passwords
acl_file {place}/access
persistence true
persistence_location {place}/
persistence_file sessions.db
autosave_interval 60
persistent_client_expiration 14d
message_size_limit {MAX_PAYLOAD_BYTES}
max_inflight_messages {MAX_INFLIGHT}
max_queued_messages 20000
max_queued_bytes 67108864
log_dest stderr
log_type error
log_type warning
"""


def _write(path: Path, text: str) -> None:
    # No fsync: the broker keeps no records of its own, and agents resend whatever it loses in a power cut.
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
