"""The name of the hub's session at the broker: random, so that no other program can take the session."""

import os
import secrets
from pathlib import Path

from hub.broker.mosquitto_files import write_private
from hub.broker.plans import BrokerError


def hub_client_id(folder: Path, *, coop: str) -> str:
    """The client id kept in `folder`, or a new one.

    It is kept, because the broker holds the session, with what arrived for the hub, under this id.
    Raises: BrokerError if it cannot be written.
    """
    path = folder / "client-id"
    start = f"hub-{coop}-"
    try:
        held = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        held = ""
    if held.startswith(start) and len(held) >= len(start) + 20:
        return held
    made = start + secrets.token_urlsafe(16)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        write_private(path, made + "\n")
    except OSError as error:
        raise BrokerError(f"{path}: cannot write it: {os.strerror(error.errno or 0)}") from None
    return made
