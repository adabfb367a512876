"""Who else can sign in on this computer: the built-in broker has no access rules, so they can read every home."""

import pwd
from collections.abc import Iterable
from typing import Final, Protocol

FIRST_USER_ID: Final = 1000
NOBODY_ID: Final = 65534
NO_SHELLS: Final = ("nologin", "false", "sync", "shutdown", "halt")


class Account(Protocol):
    """The parts of a row of the user database that are needed here."""

    @property
    def pw_name(self) -> str: ...
    @property
    def pw_uid(self) -> int: ...
    @property
    def pw_shell(self) -> str: ...


def login_users(accounts: Iterable[Account] | None = None) -> tuple[str, ...]:
    """The names of people's accounts with a login shell; root, who can read everything anyway, is none of them."""
    rows: Iterable[Account] = pwd.getpwall() if accounts is None else accounts
    return tuple(
        sorted(
            row.pw_name
            for row in rows
            if FIRST_USER_ID <= row.pw_uid != NOBODY_ID
            and row.pw_shell.strip()
            and row.pw_shell.rsplit("/", 1)[-1] not in NO_SHELLS
        )
    )
