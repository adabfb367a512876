"""A service says to systemd that it is ready and alive; without systemd nothing happens."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from protocols.service_manager import keep_service_manager_told, tell_service_manager, watchdog_s


@pytest.fixture
def manager(tmp_path: Path):  # type: ignore[no-untyped-def]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        yield listener, {"NOTIFY_SOCKET": str(tmp_path / "notify")}


def test_a_word_reaches_the_service_manager(manager) -> None:  # type: ignore[no-untyped-def]
    listener, environment = manager
    assert tell_service_manager("READY=1", environment)
    assert listener.recv(100) == b"READY=1"


def test_an_abstract_socket_works_as_well() -> None:
    name = f"commonwatt-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(20)
        assert tell_service_manager("WATCHDOG=1", {"NOTIFY_SOCKET": "@" + name})
        assert listener.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("name", ["", "relative/path", "/nowhere/at/all"])
def test_nobody_to_tell_is_no_error(name: str) -> None:
    assert not tell_service_manager("READY=1", {"NOTIFY_SOCKET": name} if name else {})


def test_the_watchdog_is_for_this_process_alone() -> None:
    assert watchdog_s({}) is None
    assert watchdog_s({"WATCHDOG_USEC": "0"}) is None
    assert watchdog_s({"WATCHDOG_USEC": "soon"}) is None
    assert watchdog_s({"WATCHDOG_USEC": "3000000"}) == 3.0
    assert watchdog_s({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}) == 3.0
    assert watchdog_s({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}) is None


async def test_signs_of_life_follow_until_the_end(manager) -> None:  # type: ignore[no-untyped-def]
    listener, environment = manager
    life = asyncio.create_task(keep_service_manager_told({**environment, "WATCHDOG_USEC": "30000"}))
    told = [await asyncio.to_thread(listener.recv, 100) for _ in range(4)]
    life.cancel()
    assert told == [b"READY=1", *[b"WATCHDOG=1"] * 3]


async def test_without_a_watchdog_one_word_is_enough(manager) -> None:  # type: ignore[no-untyped-def]
    listener, environment = manager
    await keep_service_manager_told(environment)
    assert listener.recv(100) == b"READY=1"
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(100)
