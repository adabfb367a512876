"""Serial adapters of this computer, by the names that stay the same, and who else holds them. Opens none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

BY_ID = Path("/dev/serial/by-id")
DEV, PROC = Path("/dev"), Path("/proc")
_NAMES = ("ttyUSB*", "ttyACM*", "ttyAMA*")
_LINE = re.compile(r"/dev/(tty[A-Za-z]+[0-9]+|rfcomm[0-9]+|pts/[0-9]+)")
"""Adapters, built-in ports, Bluetooth, and the ends of a program that brings a port from elsewhere."""


def serial_ports(by_id: Path = BY_ID, dev: Path = DEV) -> list[Path]:
    """The adapters, each once: by its stable name where it has one, because ttyUSB0 may be another after a restart."""
    named = sorted(by_id.iterdir()) if by_id.is_dir() else []
    known = {each.resolve() for each in named}
    others = [port for pattern in _NAMES for port in sorted(dev.glob(pattern)) if port.resolve() not in known]
    return [*named, *others]


def is_serial_device(path: str) -> bool:
    """Whether this is a serial line of this computer, by whatever name: of all else, opening alone can do harm."""
    try:
        real = _real(Path(path))
        return _LINE.fullmatch(real) is not None and Path(real).is_char_device()
    except (OSError, ValueError):
        return False  # a name that no file can have


def holders_of(port: Path, proc: Path = PROC) -> list[tuple[int, str]]:
    """Number and name of the other programs that have this port open, as far as this user may see them."""
    wanted = _real(port)
    return [
        (pid, _name(proc, pid))
        for pid in _processes(proc)
        if pid != os.getpid() and any(target == wanted for target in _open_files(proc, pid))
    ]


def _processes(proc: Path) -> Iterator[int]:
    with suppress(OSError):
        yield from sorted(int(each.name) for each in proc.iterdir() if each.name.isdecimal())


def _open_files(proc: Path, pid: int) -> Iterator[str]:
    with suppress(OSError):
        for each in (proc / str(pid) / "fd").iterdir():
            with suppress(OSError):
                yield str(each.readlink())


def _name(proc: Path, pid: int) -> str:
    try:
        return (proc / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"


def _real(port: Path) -> str:
    return os.path.realpath(port)
