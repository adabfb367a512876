"""Who may see and change the page: host names, origins of forms, PINs and sessions.

On this computer itself no PIN is asked; from the home's network a one-time PIN opens a session.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path

from edge_agent.page.requests import PageRequest
from protocols.durable_files import write_durably

log = logging.getLogger("commonwatt.agent")

PIN_FILE = "page-pin.json"
SESSIONS_FILE = "page-sessions.json"
COOKIE = "commonwatt_page"
PIN_DIGITS = 8
PIN_LASTS_S = 600
WRONG_FROM_ONE = 3
WRONG_IN_ALL = 10
SESSION_LASTS_S = 30 * 86400
SESSIONS_KEPT = 20
MAX_FILE_BYTES = 64 * 1024
HOME_DOMAINS = ("local", "lan", "home", "home.arpa", "internal", "localdomain", "fritz.box", "speedport.ip")
"""What home routers append to a computer's name; the two registered ones belong to the makers of such routers."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


def own_hosts(listed: Iterable[str], *, machine: str | None = None) -> frozenset[str]:
    """The host names the page answers to besides addresses: localhost, this computer's own, and those listed."""
    short = (machine or socket.gethostname()).lower().partition(".")[0]
    full = (machine or socket.gethostname()).lower().rstrip(".")
    return frozenset({"localhost", short, full, *(f"{short}.{domain}" for domain in HOME_DOMAINS), *listed})


def is_own_host(header: str, names: frozenset[str]) -> bool:
    """Whether a Host header names this page: a name of ours, or an address, to which no foreign name can lead.

    >>> [is_own_host(host, frozenset({"pi.local"})) for host in ("pi.local:8087", "192.168.1.7", "evil.example")]
    [True, True, False]
    """
    match = _HOST.fullmatch(header)
    if match is None:
        return False
    host = match[1].lower().rstrip(".")
    with suppress(ValueError):
        ip_address(host.removeprefix("[").removesuffix("]"))
        return True
    return host in names


def is_own_form(request: PageRequest) -> bool:
    """Whether the browser says that a form came from this page's own origin, as far as it says anything."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    host = request.headers["host"]
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return False
    return site in (None, "same-origin")


@dataclass(frozen=True, slots=True)
class _Pin:
    salt: str
    digest: str
    until: int


def make_pin(folder: Path, *, now_s: float) -> str:
    """A new one-time PIN, good for ten minutes; an earlier one ends. Raises: OSError."""
    digits = "".join(str(secrets.randbelow(10)) for _ in range(PIN_DIGITS))
    salt = secrets.token_hex(16)
    pin = _Pin(salt, _digest(salt, digits), int(now_s) + PIN_LASTS_S)
    write_durably(folder / PIN_FILE, json.dumps(asdict(pin)).encode(), replace=True)
    return f"{digits[:4]} {digits[4:]}"


class Gate:
    """PINs and sessions of one running page, and the tokens of its forms."""

    def __init__(self, folder: Path, *, now: Callable[[], float]) -> None:
        self._folder = folder
        self._now = now
        self._form_key = secrets.token_bytes(32)
        self._wrong: Counter[str] = Counter()
        self._wrong_of = ""
        self._sessions = _read_sessions(folder / SESSIONS_FILE)

    def lets_in(self, request: PageRequest) -> bool:
        """Whether this visitor is at this computer or has a session."""
        if request.is_local:
            return True
        cookie = request.cookie(COOKIE)
        return bool(cookie) and self._sessions.get(_hash(cookie), 0) > self._now()

    def form_token(self, request: PageRequest) -> str:
        """What a form must carry back; nobody else's page can know it."""
        who = "this computer" if request.is_local else f"cookie {request.cookie(COOKIE)}"
        return hmac.new(self._form_key, who.encode(), "sha256").hexdigest()[:32]

    def is_form_token(self, request: PageRequest, token: str) -> bool:
        """Whether a form carried the right token."""
        return hmac.compare_digest(self.form_token(request).encode(), token.encode())

    def try_pin(self, request: PageRequest, text: str) -> str | None:
        """The cookie of a new session for the right PIN, None for a wrong, old or used one.

        Three wrong guesses from one address are its last for this PIN; ten in all end the PIN.
        """
        pin = _read_pin(self._folder / PIN_FILE)
        if pin is None or pin.until <= self._now():
            return None
        if pin.digest != self._wrong_of:
            self._wrong_of, self._wrong = pin.digest, Counter()
        if self._wrong[request.peer] >= WRONG_FROM_ONE:
            return None
        digits = "".join(text.split())
        if not (len(digits) == PIN_DIGITS and hmac.compare_digest(_digest(pin.salt, digits), pin.digest)):
            self._wrong[request.peer] += 1
            if self._wrong.total() >= WRONG_IN_ALL:
                log.warning("the local page's PIN is void after %d wrong guesses: make a new one", WRONG_IN_ALL)
                (self._folder / PIN_FILE).unlink(missing_ok=True)
            return None
        (self._folder / PIN_FILE).unlink(missing_ok=True)
        return self._begin_session()

    def end_session(self, request: PageRequest) -> None:
        """Forget the visitor's session."""
        if self._sessions.pop(_hash(request.cookie(COOKIE)), None) is not None:
            self._write_sessions()

    def _begin_session(self) -> str:
        cookie = secrets.token_urlsafe(32)
        self._sessions = {each: until for each, until in self._sessions.items() if until > self._now()}
        self._sessions[_hash(cookie)] = int(self._now()) + SESSION_LASTS_S
        newest = sorted(self._sessions.items(), key=lambda item: item[1])[-SESSIONS_KEPT:]
        self._sessions = dict(newest)
        self._write_sessions()
        return cookie

    def _write_sessions(self) -> None:
        try:
            write_durably(self._folder / SESSIONS_FILE, json.dumps(self._sessions).encode(), replace=True)
        except OSError as cause:
            log.error("%s: cannot be written: %s", SESSIONS_FILE, cause.strerror or cause)


def _digest(salt: str, digits: str) -> str:
    return hashlib.sha256(f"{salt} {digits}".encode()).hexdigest()


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _read_pin(path: Path) -> _Pin | None:
    try:
        found = json.loads(path.read_bytes()[:MAX_FILE_BYTES])
        return _Pin(str(found["salt"]), str(found["digest"]), int(found["until"]))
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return None


def _read_sessions(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_bytes()[:MAX_FILE_BYTES])
        return {str(digest): int(until) for digest, until in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return {}
