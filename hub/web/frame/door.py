"""What a request must look like to be read at all: its host name, its length, and HEAD answered as GET without a body.

It comes before every page, so a request that is refused here has been seen by nothing else.
"""

import ipaddress
import json
import socket
from collections.abc import Collection, Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_NAMES: Final = ("localhost", "ip6-localhost")
WRONG_HOST_STATUS: Final = 421
TWO_LENGTHS: Final = (
    "The request says its length twice, with Content-Length and Transfer-Encoding. Send only one of them."
)


def own_names(listed: Iterable[str]) -> frozenset[str]:
    """The host names this hub answers to besides addresses: those listed, localhost and this computer's own name."""
    machine = socket.gethostname().lower()
    return frozenset({*LOCAL_NAMES, machine, f"{machine}.local", *(name.lower() for name in listed)})


def is_own_host(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names this hub. An address always does: only a name can be pointed here by a stranger.

    >>> [is_own_host(host, {"hub.example"}) for host in ("hub.example:8400", "[::1]:8400", "evil.example", "")]
    [True, True, False, False]
    """
    try:
        name = urlsplit("//" + host).hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rstrip(".") in names
    return True


class Door:
    """Refuses requests for other hosts (421) and with two lengths (400), and answers HEAD as GET without its body.

    A page of another site whose name is made to point at this hub could otherwise read the hub's pages (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, *, names: Collection[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [(name.lower(), value) for name, value in scope["headers"]]
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not is_own_host(hosts[0], self._names):
            shown = hosts[0][:60] if hosts and hosts[0].isprintable() else ""
            sentence = (
                f"This hub does not answer to the name {shown!r}. Its board can add the name to web.names in hub.toml."
            )
            await _refuse(send, WRONG_HOST_STATUS, sentence)
        elif {b"content-length", b"transfer-encoding"} <= {name for name, _ in headers}:
            await _refuse(send, 400, TWO_LENGTHS)
        elif scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, receive, _without_body(send))
        else:
            await self._app(scope, receive, send)


def _without_body(send: Send) -> Send:
    is_over = False

    async def send_head(message: Message) -> None:
        nonlocal is_over
        if message["type"] == "http.response.start":
            await send(message)
        elif not is_over:
            is_over = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"connection", b"close"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
