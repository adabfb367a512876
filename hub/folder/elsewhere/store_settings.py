"""The table `[store]` of hub.toml: a PostgreSQL server that holds the hub's store instead of the file hub.sqlite."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from protocols.errors import SettingsError

ADDRESS_VARIABLE: Final = "COMMONWATT_STORE_ADDRESS"
ADDRESS_NAME: Final = "store-address"
MAX_ADDRESS_BYTES: Final = 2048
MAX_BACKUP_CHARS: Final = 200
STORE_TEXT: Final = """
# [store]                  # without it the store is the file hub.sqlite; with it, a server (docs/postgres.md)
# schema = "sunny_street"  # the co-op's own schema there, made by: commonwatt-hub db prepare
# address_file = "store-address"  # a file with postgresql://... on its first line, readable by the hub alone
# backup = ""              # how the server is backed up, in your words, for the board's page Health
"""
_SCHEMA: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The co-op's schema on the server, and the file that holds the server's address with its password: it may be
    missing until somebody connects, and `db prepare` makes it again.

    `backup`: how the board says that the server is backed up; empty if it does not.
    """

    schema: str
    address_file: Path | None
    backup: str = ""


class _Table(Protocol):
    """How the settings read a table."""

    def text(self, key: str, default: str | None = None, *, fits: Callable[[str], bool], expected: str) -> str: ...
    def require_nothing_else(self) -> None: ...


def read_store(table: _Table, folder: Path) -> StoreSettings:
    """The table's values; file names are relative to `folder`. Raises: SettingsError."""
    name = table.text("address_file", "", fits=str.isprintable, expected="the name of a file")
    store = StoreSettings(
        schema=table.text(
            "schema",
            fits=lambda text: bool(_SCHEMA.fullmatch(text)) and not text.startswith("pg_"),
            expected="the name of the co-op's schema: a small letter, then small letters, digits and _",
        ),
        address_file=folder / name if name else None,
        backup=table.text(
            "backup",
            "",
            fits=lambda text: text.isprintable() and len(text) <= MAX_BACKUP_CHARS,
            expected=f"how the server is backed up, in at most {MAX_BACKUP_CHARS} characters on one line",
        ).strip(),
    )
    table.require_nothing_else()
    return store


def read_address(store: StoreSettings) -> str:
    """The server's address, from the environment or from its file. Raises: SettingsError."""
    if given := os.environ.get(ADDRESS_VARIABLE):
        return given
    if store.address_file is None:
        raise SettingsError(f"hub.toml: store.address_file: expected a file, or {ADDRESS_VARIABLE} in the environment")
    return address_in(store.address_file)


def own_address_file(folder: Path, store: StoreSettings | None, *, schema: str) -> tuple[Path, bool]:
    """Where the hub's own address for this schema belongs, and whether it is missing there: it is not where the
    environment has it.
    """
    held = store if store is not None and store.schema == schema else None
    path = folder / ADDRESS_NAME if held is None or held.address_file is None else held.address_file
    is_elsewhere = bool(os.environ.get(ADDRESS_VARIABLE)) or (held is not None and held.address_file is None)
    return path, not path.exists() and not is_elsewhere


def address_in(path: Path) -> str:
    """The address on the first line of a file that its owner alone can read. Raises: SettingsError."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_ADDRESS_BYTES + 1)
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: the server's address is missing: put the file back, or make the hub's own again with:"
            " commonwatt-hub db prepare"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the server's address: {error.strerror}") from None
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"{path}: other users can read the server's address; fix it with: chmod 600 {path}")
    lines = text.decode("utf-8", errors="replace").splitlines()
    if not lines or len(text) > MAX_ADDRESS_BYTES or not lines[0].isprintable():
        raise SettingsError(f"{path}: expected postgresql://user:password@host/database on the first line")
    return lines[0].strip()
