"""Answers /healthz, /readyz and /metrics: a small HTTP server in the hub's own process, apart from members' pages.

It answers GET alone, one request a connection, with limits on time, size and number, so that a stuck client keeps
nobody else out. Whoever is asked for by a name that is not this computer's is refused: a web page of another site
could otherwise point its own name here.
"""

import asyncio
import hmac
import ipaddress
import json
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import h11

from hub.health.checks import Level, health_checks, unready
from hub.health.facts import HubHealth, as_facts
from hub.health.metrics import CONTENT_TYPE, exposition
from hub.health.sentences import in_english

log = logging.getLogger(__name__)

HEAD_BYTES_MAX: Final = 8192
WITHIN_S: Final = 10.0
MOST_CONNECTIONS: Final = 32
RETRY_FIRST_S: Final = 0.5
RETRY_MOST_S: Final = 30.0
_TEXT: Final = "text/plain; charset=utf-8"
_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    body: bytes
    kind: str = _TEXT


@dataclass(frozen=True, slots=True)
class Keys:
    """Who sees more than /healthz: whoever sends `token`, or everybody if it is empty. `own` opens everything."""

    token: str
    own: str


class HealthServer:
    """`health` gathers what is known now; it is asked for once however many ask at the same time."""

    def __init__(self, health: Callable[[], Awaitable[HubHealth]], *, keys: Keys) -> None:
        self._health, self._keys = health, keys
        self._open = 0
        self._asked: asyncio.Task[HubHealth] | None = None

    async def run(self, host: str, port: int, *, is_bound: Callable[[str], None]) -> None:
        """Serve until cancelled. A port in use is logged once, and tried again until it is free."""
        listener = await _bind(host, port)
        server = await asyncio.start_server(self._connected, sock=listener, limit=HEAD_BYTES_MAX)
        name = f"[{host}]" if ":" in host else host
        is_bound(f"http://{name}:{listener.getsockname()[1]}")
        async with server:
            await server.serve_forever()

    async def answer(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> Answer:
        """The response to one request."""
        if not _is_own_name(headers.get(b"host", b"").decode("latin-1")):
            return Answer(421, b"ask for this computer by its address or as localhost\n")
        if method not in ("GET", "HEAD"):
            return Answer(405, b"only GET is answered here\n")
        if path == "/healthz":
            return Answer(200, b"alive\n")
        if path not in ("/readyz", "/metrics", "/health.json"):
            return Answer(404, b"only /healthz, /readyz and /metrics are here\n")
        if not self._may_see(path, headers.get(b"authorization", b"")):
            return Answer(401, b"send the token of health.token_file as a bearer token\n")
        return _shown(path, await self._gathered())

    def _may_see(self, path: str, sent: bytes) -> bool:
        is_own = hmac.compare_digest(sent, f"Bearer {self._keys.own}".encode())
        if path == "/health.json" or is_own:
            return is_own
        return not self._keys.token or hmac.compare_digest(sent, f"Bearer {self._keys.token}".encode())

    async def _gathered(self) -> HubHealth:
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(self._health())
        return await asyncio.shield(self._asked)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._open += 1
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._one_request(reader, writer)
        except (TimeoutError, ConnectionError, h11.RemoteProtocolError):
            log.debug("a request to the health port came too slowly or was none")
        finally:
            self._open -= 1
            writer.close()

    async def _one_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(HEAD_BYTES_MAX))
        if not isinstance(event, h11.Request):
            return
        method, path = event.method.decode("ascii"), event.target.decode("ascii").partition("?")[0]
        try:
            found = await self.answer(method, path, dict(event.headers))
        except Exception:  # whoever watches is told that nothing is known, and the hub works on
            log.exception("%s cannot be answered", path)
            found = Answer(500, b"the hub's health is not known: its log says why\n")
        headers = [
            ("Content-Type", found.kind),
            ("Content-Length", str(len(found.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ]
        sent = connection.send(h11.Response(status_code=found.status, headers=headers)) or b""
        writer.write(sent if method == "HEAD" else sent + found.body)
        await writer.drain()


def _shown(path: str, health: HubHealth) -> Answer:
    if path == "/metrics":
        return Answer(200, exposition(health), CONTENT_TYPE)
    if path == "/health.json":
        return Answer(200, json.dumps(as_facts(health)).encode(), "application/json")
    checks = health_checks(health)
    if missing := unready(checks):
        return Answer(503, "".join(f"not ready: {in_english(check.what)}\n" for check in missing).encode())
    # The hub works, but one of its processes does not do well, such as the worker that makes forecasts.
    weak = [check for check in checks if check.name.startswith("part-") and check.level is not Level.GOOD]
    return Answer(200, ("ready\n" + "".join(f"warning: {in_english(check.what)}\n" for check in weak)).encode())


def _is_own_name(host: str) -> bool:
    if not (found := _HOST.fullmatch(host)):
        return False
    name = found["name"].strip("[]").lower().rstrip(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in ("localhost", socket.gethostname().lower())
    return True


async def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    pause_s, is_logged = RETRY_FIRST_S, False
    while True:
        try:
            return socket.create_server((host, port), family=family, backlog=MOST_CONNECTIONS)
        except OSError as error:
            if not is_logged:
                log.error(
                    "cannot serve metrics on %s port %d (%s): choose another in hub.toml under [health]; trying again",
                    *(host, port, error.strerror),
                )
                is_logged = True
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MOST_S)
