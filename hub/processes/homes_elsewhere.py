"""What `[public]` in hub.toml adds to a hub that starts: the broker's listener for homes, and warnings."""

import asyncio
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from hub.broker.mosquitto_files import HomesListener
from hub.folder.elsewhere.public_settings import PublicSettings
from hub.trust.authority_files import certificate_warnings, root_file, server_file
from hub.trust.server_certificate import refresh_server_certificate


def homes_listener(folder: Path, public: PublicSettings | None, *, is_refreshed: bool = True) -> HomesListener | None:
    """Where homes elsewhere connect, with a certificate that is fresh; None if the hub serves this computer only.

    A process that serves no home itself leaves the certificate as it is. Raises: AuthorityError.
    """
    if public is None:
        return None
    if is_refreshed:
        refresh_server_certificate(folder, names=public.all_names, now_s=int(time.time()))
    served = server_file(folder)
    return HomesListener(public.broker_port, root_file(folder), served, served)


async def public_warnings(folder: Path, public: PublicSettings | None) -> Sequence[str]:
    """What the board should know when the hub starts: certificates that end, a host that nobody can look up."""
    if public is None:
        return ()
    found = list(certificate_warnings(folder, now_s=int(time.time())))
    try:
        async with asyncio.timeout(10):
            await asyncio.get_running_loop().getaddrinfo(public.host, public.enrol_port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        found.append(
            f"public.host {public.host} has no address when this computer looks it up: homes reach the hub only where"
            " it has one; check its spelling and its DNS entry"
        )
    return found
