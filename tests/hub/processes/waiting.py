"""Waits for what a hub in processes of its own comes to say or do."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

GIVEN_UP_S = 120


def wait_for(ask: Callable[[], Any]) -> Any:
    """The first answer that is not empty. Raises: AssertionError when none came for very long."""
    until_s = time.monotonic() + GIVEN_UP_S
    while not (found := ask()):
        assert time.monotonic() < until_s
        time.sleep(0.05)  # other processes are asked from outside: nothing here tells when their answer changes
    return found


def state_of(pid: int) -> str:
    """The letter under which the kernel lists this process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
