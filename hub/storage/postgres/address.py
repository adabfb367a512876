"""Where the store's server is. The address holds a password, so it is never shown: `place` says what may be shown."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlsplit

from hub.storage.errors import StoreError
from hub.storage.postgres.names import is_schema_name

SCHEMES: Final = ("postgresql", "postgres")


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A server's address (`postgresql://user:password@host/database`), and the co-op's schema there."""

    dsn: str = field(repr=False)
    schema: str

    def __post_init__(self) -> None:
        parts = _parts(self.dsn)
        if parts is None:
            raise StoreError("the store's address is not postgresql://user@host/database")
        if not is_schema_name(self.schema):
            raise StoreError(f"{self.schema[:40]!r} cannot be the name of a schema: a letter, then letters, digits, _")

    @property
    def place(self) -> str:
        """The address as it may be shown: server, database and schema."""
        host, database = _parts(self.dsn) or ("", "")
        return f"postgresql://{host}/{database} ({self.schema})"

    @property
    def has_password(self) -> bool:
        """Whether the address itself holds a password."""
        return has_password(self.dsn)


def has_password(dsn: str) -> bool:
    """Whether this address holds a password."""
    parts = urlsplit(dsn)
    return bool(parts.password) or "password" in parse_qs(parts.query)


def _parts(dsn: str) -> tuple[str, str] | None:
    """(host, database), or None if it is no such address."""
    try:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        host = parts.netloc.rpartition("@")[2] or query.get("host", [""])[0]
    except ValueError:
        return None
    return (host, parts.path.strip("/")) if parts.scheme in SCHEMES else None
