"""What a request must look like to be read at all: its host name, its length, and HEAD answered as GET without a body.

It comes before every page, so a request that is refused here has been seen by nothing else.
"""

import ipaddress
import json
import re
from collections.abc import Collection, Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

WRONG_HOST_STATUS: Final = 421
_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
TWO_LENGTHS: Final = (
    "The request says its length twice, with Content-Length and Transfer-Encoding. Send only one of them."
)


def is_own_host(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names this hub. An address always does: only a name can be pointed here by a stranger.

    >>> [is_own_host(host, {"hub.example"}) for host in ("hub.example:8400", "[::1]:8400", "evil.example", "")]
    [True, True, False, False]
    """
    if not (found := _HOST.fullmatch(host)):
        return False
    name = found["name"].strip("[]").lower()
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
            await _refuse(send, WRONG_HOST_STATUS, _unknown_host(hosts), is_browser=_is_browser(headers))
        elif {b"content-length", b"transfer-encoding"} <= {name for name, _ in headers}:
            await _refuse(send, 400, TWO_LENGTHS, is_browser=_is_browser(headers))
        elif scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, receive, _without_body(send))
        else:
            await self._app(scope, receive, send)


def _unknown_host(hosts: Sequence[str]) -> str:
    """What is wrong with the Host header, and the setting that adds a name."""
    name = (hosts[0].rpartition(":")[0] or hosts[0]).lower() if len(hosts) == 1 else ""
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", name):
        return "The request does not name this hub in one Host header. Open the hub by its name or address."
    return (
        f"This hub does not answer to the name {name}. Add it under [web] in hub.toml (names = ['{name}'])"
        " and restart the hub; its address always works."
    )


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


def _is_browser(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in headers)


async def _refuse(send: Send, status: int, sentence: str, *, is_browser: bool) -> None:
    """One line: as text where a person reads it, else as JSON like every other refusal."""
    body = (sentence if is_browser else json.dumps({"error": sentence})).encode()
    kind = b"text/plain; charset=utf-8" if is_browser else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    headers += [(b"connection", b"close"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
