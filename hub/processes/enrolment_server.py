"""The enrolment server that `[public]` in hub.toml adds to the pages, for homes elsewhere."""

import asyncio
import logging
import time

from hub.broker.file_watch import watch_file
from hub.broker.sharded.asked import AskedNotices, Reach
from hub.broker.sharded.directory import directory_of
from hub.broker.sharded.notices import BrokerNotices
from hub.folder.elsewhere.public_settings import PublicSettings
from hub.processes.own_hub import OwnHub
from hub.trust.agent_packages import find_agent_packages
from hub.trust.authority_files import FolderAuthority, server_file
from hub.trust.broker_place import PlaceAnswers
from hub.trust.new_root import root_document
from hub.trust.renewal import Renewal
from hub.web.agent_package import agent_package_routes
from hub.web.public_server import Post, PublicServer, public_app

log = logging.getLogger(__name__)


class EnrolmentServer:
    """Serves enrolment, renewal and the root certificate to homes elsewhere, with TLS, on a port of its own."""

    def __init__(self, hub: OwnHub, *, public: PublicSettings, enrol: Post) -> None:
        self._hub, self._port = hub, public.enrol_port
        self._certificate = server_file(hub.folder)
        authority = FolderAuthority(hub.folder)
        renew = Renewal(hub.store, coop=hub.settings.coop, authority=authority)
        packages = agent_package_routes(lambda: find_agent_packages(hub.folder))
        posts: dict[str, Post] = {"/api/enrol": enrol, "/api/renew": renew}
        directory = directory_of(hub.settings)
        if directory is not None:
            notices = BrokerNotices(directory, coop=hub.settings.coop.id, signer=hub.signer, clock=hub.clock)
            asked = AskedNotices(notices, directory, now=time.time, reaches=Reach())
            posts["/api/broker"] = PlaceAnswers(asked, now=time.time)
        app = public_app(posts, {"/api/authority": self._root}, packages)
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
