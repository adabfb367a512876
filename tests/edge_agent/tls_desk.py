"""A hub's desk over real TLS on this computer, for tests of the agent: it shows the root, enrols and renews."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from protocols.enrolment.answer import EnrolAnswer
from protocols.enrolment.handshake import parse_request, seal_answer
from protocols.enrolment.renewal import build_renewed, parse_renewal
from protocols.enrolment.trust_root import seal_root
from protocols.hub_keys import HubSigner
from protocols.public_keys import agent_name_of
from protocols.wire.topics import shard_of
from tests.coop_authority import TestAuthority
from tests.edge_agent.enrolment_desk import HUB_KEY, TOKEN

COOP = "sonne"
NOW_S = 1_800_000_000


class TlsDesk:
    """What the hub answers. Tests change its parts to be another hub, or somebody in between."""

    def __init__(self, authority: TestAuthority) -> None:
        self.authority = authority
        self.shown = authority
        self.now_s = NOW_S
        self.asked: list[str] = []
        self.url = ""
        self.port = 0

    def get(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        return 200, seal_root(
            COOP, root_pem=self.shown.root_pem.decode(), signer=HubSigner.of_one_key(HUB_KEY)
        ).encode()

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        self.asked.append(path)
        if path == "/api/renew":
            request = parse_renewal(body)
            made = self.authority.issue_agent(request.csr, agent=request.agent, now_s=self.now_s)
            return 200, build_renewed(made.decode()).encode()
        return 200, self.enrol(body)

    def enrol(self, body: bytes) -> bytes:
        asked = parse_request(body)
        name = agent_name_of(asked.public_key)
        answer = EnrolAnswer(
            *(COOP, "h01", name, shard_of(name), HUB_KEY.public_key().public_bytes_raw(), "127.0.0.1", 1883, "UTC"),
            consent='home = "h01"\nversion = 1\n',
            broker_tls=True,
            enrol_port=self.port,
            root=self.authority.root_pem.decode(),
            certificate=self.authority.issue_agent(asked.csr, agent=name, now_s=self.now_s).decode(),
        )
        keys = {"agent_public_key": asked.public_key, "token_key": TOKEN.key, "hub_key": HUB_KEY}
        return seal_answer(answer, request=body, **keys).encode()  # type: ignore[arg-type]


@contextmanager
def tls_desk(folder: Path, desk: TlsDesk, *, context: ssl.SSLContext | None = None) -> Iterator[TlsDesk]:
    """The desk at its own port, with a server certificate for this computer unless a context says otherwise."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*desk.get(self.path))

        def do_POST(self) -> None:
            self._send(*desk.post(self.path, self.rfile.read(int(self.headers["Content-Length"]))))

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    class Server(HTTPServer):
        def handle_error(self, *_: object) -> None:
            return

        def get_request(self) -> tuple[ssl.SSLSocket, tuple[str, int]]:
            connection, address = super().get_request()
            connection.settimeout(20)
            return used.wrap_socket(connection, server_side=True), address

    used = context or desk.authority.server_context(folder / "desk", "127.0.0.1", "localhost")
    server = Server(("127.0.0.1", 0), Handler)
    desk.port = server.server_port
    desk.url = f"https://127.0.0.1:{desk.port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield desk
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()
