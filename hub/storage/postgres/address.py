"""Where the store's server is. The address holds a password, so it is never shown: `place` says what may be shown."""

import ipaddress
import os
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from hub.storage.errors import StoreError
from hub.storage.postgres.names import is_schema_name

SCHEMES: Final = ("postgresql", "postgres")
CHECKED: Final = ("verify-full", "verify-ca")
"""The ways of TLS in which the client checks whom it reaches."""
_ELSEWHERE: Final = ("PGHOST", "PGSERVICE")
_OF_A_USER: Final = ("user", "password", "passfile", "sslcert", "sslkey", "sslpassword")


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A server's address (`postgresql://user:password@host/database`), and the co-op's schema there.

    Raises: StoreError if it is no such address, or leads to another computer without TLS that checks the server.
    """

    dsn: str = field(repr=False)
    schema: str
    place: str = field(init=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.dsn)
            asked, user = parse_qs(parts.query), parts.username or "".join(parse_qs(parts.query).get("user", []))
        except ValueError:
            raise StoreError("the store's address is not postgresql://user@host/database") from None
        _refuse_two_places(parts.netloc, asked)
        hosts = asked.get("host", [parts.netloc.rpartition("@")[2]])[-1]
        if parts.scheme not in SCHEMES or not user:
            raise StoreError("the store's address is not postgresql://user@host/database")
        if not is_schema_name(self.schema):
            raise StoreError(f"{self.schema[:40]!r} cannot be the name of a schema: a letter, then letters, digits, _")
        way = asked.get("sslmode", [""])[-1]
        for host in hosts.split(","):
            if not is_this_computer(host) and way not in CHECKED:
                raise StoreError(
                    f"the store's server {host} is another computer: its address needs sslmode=verify-full, and"
                    " sslrootcert=FILE if its certificate is the co-op's own"
                )
        object.__setattr__(self, "place", f"postgresql://{hosts}/{parts.path.strip('/')} ({self.schema})")


def _refuse_two_places(netloc: str, asked: dict[str, list[str]]) -> None:
    """Refuse an address that leaves open which server it leads to: what is checked must be what is connected to."""
    named = netloc.rpartition("@")[2]
    if "service" in asked:
        raise StoreError("the store's address names a service: give the server's host instead")
    if netloc.count("@") > 1 or len(asked.get("host", [])) + bool(named) > 1:
        raise StoreError("the store's address names two hosts: postgresql://user@host/database, or ?host= without that")
    for name in _ELSEWHERE:
        if os.environ.get(name) and (name == "PGSERVICE" or not (named or "host" in asked)):
            raise StoreError(f"the environment's {name} may lead to another server than the store's address: unset it")


def is_this_computer(host: str) -> bool:
    """Whether a host, with or without a port, is a socket or a loopback address."""
    name = host.rpartition(":")[0] if host.count(":") == 1 else host
    if not name or name.startswith("/") or name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.partition("]")[0].strip("[")).is_loopback
    except ValueError:
        return False


def has_password(dsn: str) -> bool:
    """Whether this address holds a password."""
    parts = urlsplit(dsn)
    return bool(parts.password) or "password" in parse_qs(parts.query)


def with_user(dsn: str, user: str, password: str) -> str:
    """The same server for another user, with nothing of what the first one signed in with."""
    parts = urlsplit(dsn)
    place = parts.netloc.rpartition("@")[2]
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in _OF_A_USER]
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{place}", query=urlencode(kept, safe="/,:")))
