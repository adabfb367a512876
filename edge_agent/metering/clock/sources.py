"""Whether the system clock is synchronised: asked of the kernel, systemd-timesyncd, chrony and ntpd, in that order.

Unknown is not yes: without a source that says so, a clock is an estimate until the hub's signed time agrees with it.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

STA_UNSYNC = 0x0040
TIME_ERROR = 5
ASK_WITHIN_S = 0.2
CHRONY = ("127.0.0.1", 323)
NTPD = ("127.0.0.1", 123)
UNSYNCHRONISED_LEAP = 3

_CHRONY_REQUEST = struct.Struct(">BBBBHHIII")
_CHRONY_TRACKING = 33
_CHRONY_TRACKING_REPLY = 5
_CHRONY_REPLY_BYTES = 104
_CHRONY_LEAP_AT = 28 + 4 + 20 + 2
_NTP_READ_STATUS = struct.pack(">BBHHHHH", 0x16, 1, 1, 0, 0, 0, 0)


class Timex(ctypes.Structure):
    """The head of Linux's `struct timex`; the rest is room for what the kernel writes after it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def is_synchronised(timesync: Path = Path("/run/systemd/timesync")) -> bool:
    """Whether any time source says that it sets this computer's clock."""
    return (
        kernel_is_synchronised() is True
        or (timesync / "synchronized").exists()
        or chrony_is_synchronised() is True
        or ntpd_is_synchronised() is True
    )


def kernel_is_synchronised() -> bool | None:
    """What the kernel's own state says; None if it cannot be asked (not Linux, or a sandbox forbids it)."""
    adjtimex = _adjtimex()
    if adjtimex is None:
        return None
    state = Timex()
    result = adjtimex(ctypes.byref(state))
    return None if result < 0 else read_timex(result, state.status)


@cache
def _adjtimex() -> Callable[..., int] | None:
    """The system's function, looked up once; None where it has none."""
    try:
        return ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None


def read_timex(result: int, status: int) -> bool:
    """What adjtimex(2) returned, and its status bits."""
    return result != TIME_ERROR and not status & STA_UNSYNC


def chrony_is_synchronised(address: tuple[str, int] = CHRONY) -> bool | None:
    """What chronyd's tracking report says (it may not tell the kernel); None if none answers."""
    sequence = int.from_bytes(os.urandom(4))
    head = _CHRONY_REQUEST.pack(6, 1, 0, 0, _CHRONY_TRACKING, 0, sequence, 0, 0)
    answer = _asked(address, head.ljust(_CHRONY_REPLY_BYTES, b"\0"))
    if answer is None or len(answer) < _CHRONY_LEAP_AT + 2:
        return None
    version, kind, _, _, command, reply, status = struct.unpack_from(">BBBBHHH", answer)
    if (version, kind, command, reply, status) != (6, 2, _CHRONY_TRACKING, _CHRONY_TRACKING_REPLY, 0):
        return None
    if struct.unpack_from(">I", answer, 16) != (sequence,):
        return None
    (leap,) = struct.unpack_from(">H", answer, _CHRONY_LEAP_AT)
    return bool(leap != UNSYNCHRONISED_LEAP)


def ntpd_is_synchronised(address: tuple[str, int] = NTPD) -> bool | None:
    """What the system status word of ntpd or ntpsec says (NTP mode 6); None if none answers."""
    answer = _asked(address, _NTP_READ_STATUS)
    if answer is None or len(answer) < 12:
        return None
    mode, operation, _, status = struct.unpack_from(">BBHH", answer)
    if mode & 7 != 6 or operation & 0xDF != 0x81:  # a response, no error, read status
        return None
    return bool(status >> 14 != UNSYNCHRONISED_LEAP)


def _asked(address: tuple[str, int], request: bytes) -> bytes | None:
    """One datagram to this computer and its answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(ASK_WITHIN_S)
        try:
            link.connect(address)
            link.send(request)
            return link.recv(1024)
        except OSError:
            return None
