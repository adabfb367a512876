"""Tells systemd how a service is: ready, alive. Does nothing where no service manager asked to be told.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

_ABSTRACT = "@"


def tell_service_manager(state: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send a line like `READY=1`. Returns whether somebody was there to be told."""
    name = environment.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", _ABSTRACT)):
        return False
    # The name of an abstract socket begins with a zero byte.
    place = "\0" + name[1:] if name.startswith(_ABSTRACT) else name
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
        try:
            link.sendto(state.encode(), place)
        except OSError:
            return False
    return True


def watchdog_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """How often the service manager wants a sign of life; None if it wants none. Units: s."""
    within_us = environment.get("WATCHDOG_USEC", "")
    if not (within_us.isascii() and within_us.isdecimal() and int(within_us)):
        return None
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(within_us) / 1e6


async def keep_service_manager_told(
    environment: Mapping[str, str] = os.environ, *, is_alive: Callable[[], bool] = lambda: True
) -> None:
    """Say READY, then a sign of life in good time until cancelled: none while `is_alive` says no, or when this event
    loop no longer turns.
    """
    tell_service_manager("READY=1", environment)
    within_s = watchdog_s(environment)
    if within_s is None:
        return
    while True:
        if is_alive():
            tell_service_manager("WATCHDOG=1", environment)
        await asyncio.sleep(within_s / 3)
