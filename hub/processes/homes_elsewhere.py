"""What `[public]` in hub.toml adds to a running hub: the broker's listener for homes, and the enrolment server."""

import asyncio
import logging
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from hub.broker.file_watch import watch_file
from hub.broker.mosquitto_files import HomesListener
from hub.folder.elsewhere.public_settings import PublicSettings
from hub.processes.own_hub import OwnHub
from hub.trust.agent_packages import find_agent_packages
from hub.trust.authority_files import FolderAuthority, certificate_warnings, root_file, server_file
from hub.trust.new_root import root_document
from hub.trust.renewal import Renewal
from hub.trust.server_certificate import refresh_server_certificate
from hub.web.agent_package import agent_package_routes
from hub.web.public_server import Post, PublicServer, public_app

log = logging.getLogger(__name__)


def homes_listener(folder: Path, public: PublicSettings | None) -> HomesListener | None:
    """Where homes elsewhere connect, with a certificate that is fresh; None if the hub serves this computer only.

    Raises: AuthorityError.
    """
    if public is None:
        return None
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


class EnrolmentServer:
    """Serves enrolment, renewal and the root certificate to homes elsewhere, with TLS, on a port of its own."""

    def __init__(self, hub: OwnHub, *, public: PublicSettings, enrol: Post) -> None:
        self._hub, self._port = hub, public.enrol_port
        self._certificate = server_file(hub.folder)
        authority = FolderAuthority(hub.folder)
        renew = Renewal(hub.store, coop=hub.settings.coop, authority=authority)
        packages = agent_package_routes(lambda: find_agent_packages(hub.folder))
        app = public_app({"/api/enrol": enrol, "/api/renew": renew}, {"/api/authority": self._root}, packages)
        self._server = PublicServer(app, port=self._port, certificate=self._certificate)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._server.run(is_bound=self._say))
            group.create_task(watch_file(self._certificate, self._server.reload_certificate))

    def _root(self) -> bytes:
        return root_document(self._hub.folder, coop=self._hub.settings.coop.id, signer=self._hub.signer)

    def _say(self) -> None:
        log.info("enrolment for homes elsewhere is served on port %d", self._port)
