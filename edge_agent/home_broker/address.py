"""Where the household's broker is and how the agent signs in there. A password is read from its file, never shown."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from protocols.errors import SettingsError
from protocols.maps.fields import TomlFields

EXPECTED: Final = "'mqtt://host:port' or 'mqtts://host:port', a broker in the home"
ACCESS_KEYS: Final = ("username", "password_file", "ca_file")
MAX_PASSWORD_BYTES: Final = 1024
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class HomeBroker:
    """A broker in the home."""

    host: str
    port: int
    is_tls: bool = False

    @property
    def shown(self) -> str:
        """The address as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.is_tls else 'mqtt'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class BrokerSignIn:
    """How to sign in: `ca_file` is the certificate authority of a broker that has one of its own."""

    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the session shows the broker, ready for use."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    context: ssl.SSLContext | None = None


def parse_broker(text: str) -> HomeBroker:
    """The broker in an address. Raises ValueError, also for a broker that is not in a home.

    >>> parse_broker("mqtt://127.0.0.1").port
    1883
    """
    parts = urlsplit(text)
    host, port = parts.hostname or "", parts.port
    is_plain = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in _PORTS or not host or not is_plain or port == 0 or not host.isprintable() or " " in host:
        raise ValueError(text)
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if isinstance(address, IPv4Address) and address.is_global:
        raise ValueError(text)
    return HomeBroker(host, port or _PORTS[parts.scheme], parts.scheme == "mqtts")


def read_access(fields: TomlFields, folder: Path) -> BrokerSignIn:
    """`username`, `password_file` and `ca_file` of a table; files are relative to `folder`. Raises MapError."""
    username = fields.text("username") if fields.has("username") else None
    password_file = folder / fields.text("password_file") if fields.has("password_file") else None
    if password_file is not None and username is None:
        raise fields.wrong("password_file", "a username beside it", password_file.name)
    return BrokerSignIn(username, password_file, folder / fields.text("ca_file") if fields.has("ca_file") else None)


def open_access(access: BrokerSignIn, address: HomeBroker, *, source: str) -> Credentials:
    """Read the password and the certificate authority. Raises SettingsError, which names files only."""
    password = None
    if access.password_file is not None:
        password = _password(access.password_file, source)
    if not address.is_tls:
        if access.ca_file is not None:
            raise SettingsError(f"{source}: ca_file: {address.shown} goes without TLS: write mqtts:// or leave it out")
        return Credentials(access.username, password)
    try:
        context = ssl.create_default_context(cafile=access.ca_file and str(access.ca_file))
    except OSError as cause:
        shown = access.ca_file or "the system's certificates"
        raise SettingsError(f"{source}: ca_file: {shown}: cannot be used: {cause.strerror or cause}") from None
    # What a household makes with openssl lacks fields that Python 3.13 asks for by default.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return Credentials(access.username, password, context)


def _password(path: Path, source: str) -> str:
    try:
        if path.stat().st_mode & 0o007:
            raise SettingsError(f"{source}: password_file: everybody can read {path}: chmod 600 {path}")
        raw = path.read_bytes()
        text = raw.decode().rstrip("\r\n")
    except OSError as cause:
        raise SettingsError(
            f"{source}: password_file: {path}: cannot be read: {cause.strerror or cause}: write the password into it"
        ) from None
    except UnicodeDecodeError:
        text = ""
    if not text or len(raw) > MAX_PASSWORD_BYTES or not text.isprintable():
        raise SettingsError(f"{source}: password_file: {path}: expected one line with the password")
    return text
