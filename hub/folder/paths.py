"""A hub's data folder: the names of its files, the lock that allows one running hub, and that hub's address."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from protocols.errors import RequestError

KEY_NAME: Final = "hub.key"
IDENTITY_KEY_NAME: Final = "identity.key"
CERTIFICATES_NAME: Final = "hub-keys"
IDENTITY_NAME: Final = "identity.json"
SALT_NAME: Final = "salt.key"
STORE_NAME: Final = "hub.sqlite"
LOCK_NAME: Final = "hub.lock"
ROLES_LOCK_NAME: Final = "hub-roles.lock"
RUNNING_NAME: Final = "running.json"
BROKER_NAME: Final = "broker"
CHECKPOINT_NAME: Final = "verified.json"
REFUSED_CHECKPOINT_NAME: Final = "verified.refused.json"
VERIFICATION_NAME: Final = "verification-state.json"
EXTERNAL_SIGN_IN_NAME: Final = "external-broker-password"
KILLED_WAIT_S: Final = 15.0


@contextmanager
def running_alone(folder: Path) -> Iterator[int]:
    """Lock the folder against a second hub; gives the lock's file descriptor.

    The lock is released when this process and those that inherited the descriptor have ended, however they ended. After
    a hub that was killed, its processes are waited for. Raises: RequestError if another hub is running on the folder.
    """
    with (folder / LOCK_NAME).open("w", encoding="ascii") as file:
        until_s = time.monotonic() + KILLED_WAIT_S
        while not _is_locked(file.fileno()):
            if not _was_killed(folder) or time.monotonic() > until_s:
                raise RequestError(f"{folder}: a hub is already running on this folder")
            time.sleep(0.1)
        if has_roles(folder):
            raise RequestError(f"{folder}: processes of this hub run on this folder with --role: stop them first")
        try:
            yield file.fileno()
        finally:
            (folder / RUNNING_NAME).unlink(missing_ok=True)


@contextmanager
def running_with_others(folder: Path) -> Iterator[int]:
    """Lock the folder against a whole hub, but not against other processes of one hub; gives the file descriptor.

    Raises: RequestError if a whole hub is running on the folder.
    """
    with (folder / ROLES_LOCK_NAME).open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        # A whole hub takes its own lock and then looks at this one: of two that start, one at least sees the other.
        if _is_whole_running(folder):
            raise RequestError(f"{folder}: a whole hub is running on this folder: stop it first")
        yield file.fileno()


@contextmanager
def numbered(folder: Path, role: str) -> Iterator[int]:
    """The smallest number, from 1, that no other running process with this role has on this folder; it is free again
    when this process ends, however it ends.
    """
    for number in count(1):
        with (folder / f"{ROLES_LOCK_NAME}.{role}-{number}").open("a", encoding="ascii") as file:
            if _is_locked(file.fileno()):
                yield number
                return


def _is_locked(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def has_roles(folder: Path) -> bool:
    """Whether processes with roles run on this folder."""
    try:
        with (folder / ROLES_LOCK_NAME).open("r", encoding="ascii") as file:
            return not _is_locked(file.fileno())
    except FileNotFoundError:
        return False


def _was_killed(folder: Path) -> bool:
    """Whether the hub that wrote down its address is gone: what of it still runs is about to end."""
    try:
        os.kill(int(json.loads((folder / RUNNING_NAME).read_text(encoding="utf-8"))["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return False


def is_running(folder: Path) -> bool:
    """Whether a hub, or a process of it with a role, is running on this folder now."""
    return _is_whole_running(folder) or has_roles(folder)


def _is_whole_running(folder: Path) -> bool:
    try:
        with (folder / LOCK_NAME).open("r", encoding="ascii") as file:
            return not _is_locked(file.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def write_running(folder: Path, where: Mapping[str, object]) -> None:
    """Write down the running hub's address for other programs of its user. Not durable: useless after a crash."""
    part = folder / (RUNNING_NAME + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(json.dumps({"pid": os.getpid(), **where}) + "\n")
    part.replace(folder / RUNNING_NAME)


def running_brokers(folder: Path) -> tuple[tuple[str, int], ...]:
    """The kind and the port of each broker of the hub that is running now; nothing if none runs."""
    if not is_running(folder):
        return ()
    try:
        where = json.loads((folder / RUNNING_NAME).read_text(encoding="utf-8"))
        places = [where, *where.get("more_brokers", [])]
        return tuple((str(each["broker"]), int(each["broker_port"])) for each in places)
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def running_health(folder: Path) -> tuple[str, str] | None:
    """Where the running hub says how it does, and the key that opens all of it; None if no hub is running."""
    if not is_running(folder):
        return None
    try:
        where = json.loads((folder / RUNNING_NAME).read_text(encoding="utf-8"))
        return str(where["health"]), str(where["status_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it has only just started, or cannot open its port: its log says so


def web_address(folder: Path, *, default: str) -> str:
    """The address of the pages: the running hub's, or `default` if none is running."""
    if is_running(folder):
        try:
            where = json.loads((folder / RUNNING_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return default
        return str(where.get("web", default))
    return default
