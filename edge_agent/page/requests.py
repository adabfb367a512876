"""HTTP/1.1 as far as the local page needs it: one request's head and form, strictly read; one answer as bytes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from edge_agent.page.words import translatable

MAX_HEAD_BYTES = 8 * 1024
MAX_BODY_BYTES = 16 * 1024
MAX_FIELDS = 100
METHODS = ("GET", "POST")

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_TARGET = re.compile(rb"/[\x21-\x7e]{0,2047}")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_ONCE = frozenset({"host", "content-length", "content-type", "origin", "transfer-encoding"})

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=(), payment=()",
    "Connection": "close",
}


class PageRefusal(Exception):
    """A request that is answered with one sentence instead of a page."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request. `peer` is the other side's address, `is_local` whether it is this computer."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    peer: str = ""
    is_local: bool = False

    def cookie(self, name: str) -> str:
        """A cookie's value; empty without one."""
        for pair in self.headers.get("cookie", "").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
        return ""

    def form(self) -> dict[str, str]:
        """The fields of a posted form. Raises: PageRefusal."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise PageRefusal(415, translatable("Forms are read only as application/x-www-form-urlencoded."))
        return _pairs(self.body.decode("latin-1"))


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What is sent back."""

    status: int
    body: bytes
    kind: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    def head(self) -> bytes:
        """Status line and headers, up to the empty line."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        length = {"Content-Type": self.kind, "Content-Length": str(len(self.body))}
        every = {"Cache-Control": "no-store", **_HEADERS, **length, **self.headers}
        return ("\r\n".join([*lines, *(f"{name}: {value}" for name, value in every.items())]) + "\r\n\r\n").encode()


def parse_head(head: bytes, *, peer: str = "", is_local: bool = False) -> PageRequest:
    """The request in these bytes, which end with the empty line; its body is not read yet. Raises: PageRefusal."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3 or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise _unreadable()
    method, target, _ = parts
    if method.decode("latin-1") not in METHODS:
        raise PageRefusal(405, translatable("This page is read with GET and changed with POST."))
    if not _TARGET.fullmatch(target) or target.startswith(b"//"):
        raise _unreadable()
    address = urlsplit(target.decode("ascii"))
    headers = _headers(lines)
    if "host" not in headers:
        raise _unreadable()
    if "transfer-encoding" in headers:
        raise PageRefusal(501, translatable("The request's body must come in one piece, with its length."))
    try:
        path = unquote_to_bytes(address.path).decode("utf-8")
    except UnicodeDecodeError:
        raise _unreadable() from None
    if not path.isprintable():
        raise _unreadable()
    return PageRequest(method.decode(), path, _pairs(address.query), headers, peer=peer, is_local=is_local)


def body_length(request: PageRequest) -> int:
    """How many bytes of body follow. Raises: PageRefusal."""
    text = request.headers.get("content-length", "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise _unreadable()
    if int(text) > MAX_BODY_BYTES:
        raise PageRefusal(413, translatable("The request is too large."))
    return int(text)


def _headers(lines: list[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise _unreadable()
        key = name.decode().lower()
        if key in found and key in _ONCE:
            raise _unreadable()
        text = value.decode("latin-1").strip(" \t")
        joint = "; " if key == "cookie" else ", "
        found[key] = f"{found[key]}{joint}{text}" if key in found else text
    return found


def _pairs(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"))
    except ValueError:
        raise _unreadable() from None


def _unreadable() -> PageRefusal:
    return PageRefusal(400, translatable("The request could not be read."))
