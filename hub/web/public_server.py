"""The hub's own HTTPS server for agents in homes elsewhere: enrolment, renewal, the co-op's root certificate.

TLS 1.3 only, with the co-op's certificate, on all addresses of this computer; members' pages are not here.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from uvicorn.server import ServerState

from hub.web.frame.guard import PageError, read_body
from hub.web.server_log import use_own_words
from hub.web.serving.connections import LimitedProtocol
from hub.web.serving.listening import bind_when_free, server_config

log = logging.getLogger(__name__)

HANDSHAKE_WITHIN_S: Final = 10.0
MOST_HANDSHAKES: Final = 64
MAX_REQUEST_LINE: Final = 16_384
_HEADERS: Final = [
    # Nothing here is a page: a browser that is led here shows, runs and embeds nothing.
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
]

Post = Callable[[bytes], Awaitable[tuple[int, bytes]]]
"""Takes a request's JSON body; returns the HTTP status and the JSON body of the response."""


def public_app(
    posts: Mapping[str, Post], documents: Mapping[str, Callable[[], bytes]], more: Sequence[BaseRoute] = ()
) -> Starlette:
    """What agents may ask: these addresses to post JSON to, these JSON documents to read, and these other routes."""
    routes: list[BaseRoute] = [Route(path, _posting(answer), methods=["POST"]) for path, answer in posts.items()]
    routes += [Route(path, _reading(document), methods=["GET"]) for path, document in documents.items()]
    sentences = {404: "this address is not here", 405: "this address does not accept that kind of request"}

    async def refuse(_request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        return JSONResponse({"error": sentences.get(status, "the hub cannot answer this request")}, status)

    async def page_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, PageError)
        return JSONResponse({"error": str(error.sentence)}, error.status)

    handlers = {404: refuse, 405: refuse, 500: refuse, PageError: page_error}
    return Starlette(routes=[*routes, *more], exception_handlers=handlers)


class PublicServer:
    """Serves an application with TLS; `certificate` is one file with the server's certificate, its chain and key."""

    def __init__(self, app: Starlette, *, port: int, certificate: Path) -> None:
        self._port, self._certificate = port, certificate
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.set_alpn_protocols(["http/1.1"])
        self._config = server_config(app, headers=_HEADERS, h11_max_incomplete_event_size=MAX_REQUEST_LINE)
        self._state = ServerState()

    async def run(self, *, is_bound: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled. A port in use is logged once, and binding is tried again."""
        use_own_words()
        self._load()
        self._config.load()
        self._state.default_headers = self._config.encoded_headers
        listener = await self._bind()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._door, sock=listener, backlog=256)
        is_bound()
        try:
            await server.serve_forever()
        finally:
            server.close()
            for connection in tuple(self._state.connections):
                transport: asyncio.Transport | None = getattr(connection, "transport", None)
                if transport is not None:
                    transport.abort()

    def reload_certificate(self) -> None:
        """Use the certificate that is in the file now for new connections; a broken file is logged and not used."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._certificate)
            self._load()
        except (OSError, ssl.SSLError) as error:
            log.error("%s: cannot be used for new connections: %s", self._certificate, error)

    def _load(self) -> None:
        self._context.load_cert_chain(self._certificate)

    def _door(self) -> asyncio.Protocol:
        return _Handshake(self._context, self._http)

    def _http(self) -> "_SecureHttp":
        return _SecureHttp(config=self._config, server_state=self._state, app_state={})

    async def _bind(self) -> socket.socket:
        def bind() -> socket.socket:
            if socket.has_dualstack_ipv6():
                return socket.create_server(("", self._port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
            return socket.create_server(("", self._port), backlog=256)

        return await bind_when_free(
            bind,
            problem=lambda error: (
                f"cannot serve enrolment on port {self._port}: {error.strerror}: choose another public.enrol_port in"
                " hub.toml, or stop what uses it; will keep trying"
            ),
        )


class _SecureHttp(LimitedProtocol):
    """HTTP inside TLS. What arrives together with the end of the handshake is kept until HTTP begins."""

    _early = b""
    _is_lost = False

    def begin(self, transport: asyncio.Transport) -> None:
        """Take over the connection after its handshake."""
        if self._is_lost:
            return
        self.connection_made(transport)
        if self._early and not transport.is_closing():
            super().data_received(self._early)
        self._early = b""

    def data_received(self, data: bytes) -> None:
        if self.transport is None:
            self._early += data
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        super().connection_lost(exc)


class _Handshake(asyncio.Protocol):
    """One connection until its TLS handshake is done, or has taken too long; then HTTP takes over.

    When too many shake hands, the oldest makes room: who only holds connections open keeps nobody out.
    """

    _open: ClassVar[dict["_Handshake", None]] = {}

    def __init__(self, context: ssl.SSLContext, http: Callable[[], "_SecureHttp"]) -> None:
        self._context, self._http = context, http
        self._transport: asyncio.Transport | None = None
        self._work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        # Nothing may be read before the handshake begins, or it would be lost.
        transport.pause_reading()
        self._transport = transport
        if len(self._open) >= MOST_HANDSHAKES:
            next(iter(self._open))._end()
        self._open[self] = None
        self._work = asyncio.get_running_loop().create_task(self._shake_hands(transport))

    async def _shake_hands(self, transport: asyncio.Transport) -> None:
        http = self._http()
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport, http, self._context, server_side=True, ssl_handshake_timeout=HANDSHAKE_WITHIN_S
            )
        except (OSError, ssl.SSLError):
            transport.abort()
            return
        finally:
            self._open.pop(self, None)
        if secure is not None:
            http.begin(secure)

    def _end(self) -> None:
        self._open.pop(self, None)
        if self._transport is not None:
            self._transport.abort()


def _posting(answer: Post) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return JSONResponse({"error": "expected the content type application/json"}, 415)
        status, body = await answer(await read_body(request))
        return Response(body, status, media_type="application/json", headers={"cache-control": "no-store"})

    return respond


def _reading(document: Callable[[], bytes]) -> Callable[[Request], Awaitable[Response]]:
    async def respond(_request: Request) -> Response:
        return Response(document(), media_type="application/json", headers={"cache-control": "no-store"})

    return respond
