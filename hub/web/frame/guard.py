"""Rules for every request: response headers, the origin of forms, the size of bodies. Knows nothing about pages."""

import hmac
import logging
import traceback
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.web.frame.translation import translatable

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 64 * 1024  # the error sentence in read_body states this limit
MAX_FORM_FIELDS: Final = 200

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types site"
)

_HEADERS: Final = {
    b"content-security-policy": CONTENT_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"geolocation=(), camera=(), microphone=(), payment=()",
}
_PRIVATE: Final = (b"cache-control", b"no-store")


class PageError(Exception):
    """A request that is answered with one clear sentence instead of a page."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class SecurityHeaders:
    """Sets the same security headers on every response, and allows only static files to be cached."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message.get("headers", []) if pair[0].lower() not in _HEADERS]
                headers.extend(_HEADERS.items())
                if not any(name.lower() == b"cache-control" for name, _ in headers):
                    headers.append(_PRIVATE)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)


class ErrorPages:
    """Answers with one sentence when a page fails, and logs where it failed.

    It logs neither the error's message, which may contain a home's value, nor the address, which may contain a
    sign-in token.
    """

    def __init__(self, app: ASGIApp, answer: Callable[[Request], Response]) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            places = traceback.extract_tb(error.__traceback__)[-6:]
            where = " < ".join(f"{place.name} line {place.lineno}" for place in reversed(places))
            log.error("a page failed with %s in %s", type(error).__name__, where)
            if not has_begun:
                await self._answer(Request(scope))(scope, receive, send)


def require_same_origin(request: Request) -> None:
    """Refuse a form that another site submitted in the member's name.

    Raises: PageError(403) unless the browser says that the form came from this site.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    own = f"{request.app.state.scheme}://{request.headers.get('host')}"
    is_same = site == "same-origin" if origin is None else origin == own
    if not is_same or site in {"cross-site", "same-site"}:
        sentence = translatable(
            "This form did not come from this site, so nothing was changed. Open the page and try again."
        )
        raise PageError(403, sentence)


def has_key(request: Request, key: str) -> bool:
    """Whether the request carries this key as a bearer token; never with an empty key."""
    sent = request.headers.get("authorization", "")
    return bool(key) and hmac.compare_digest(sent.encode(), f"Bearer {key}".encode())


async def read_body(request: Request) -> bytes:
    """The request body, up to MAX_BODY_BYTES.

    Raises: PageError(413) if it is larger, without reading the rest.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise PageError(413, translatable("The request is too large: send at most 64 KiB."))
        parts.append(part)
    return b"".join(parts)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form; if a field is sent twice, the last one counts.

    Raises: PageError(403) for another site's form, (413) if it is too large, (415) or (400) if it is not a form.
    """
    require_same_origin(request)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    body = await read_body(request)
    if kind != "application/x-www-form-urlencoded" and body:
        raise PageError(415, translatable("The hub reads forms only as application/x-www-form-urlencoded."))
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS, errors="strict")
    except ValueError:
        raise PageError(400, translatable("The form could not be read. Open the page and try again.")) from None
    return dict(pairs)
