"""The agent never waits in the thread of its own loop, where the clock of these tests would hide it.

That clock counts any callback as short, so the calls are watched instead of the time: it needs no quiet machine.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent.devices.line import LineSettings, NoAnswerError
from edge_agent.settings import Endpoint
from tests.edge_agent.line_to_hub import line
from tests.edge_agent.modbus_stand import Stand, link_to, meter_words
from tests.edge_agent.stub_hub import running_broker


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What slept, connected or looked a name up where a loop runs, and waited for it there."""
    found: list[str] = []

    def watch(owner: object, name: str, *, has_to_wait: Callable[..., bool]) -> None:
        real = getattr(owner, name)

        def watched(*args: Any, **named: Any) -> Any:
            if asyncio._get_running_loop() is not None and has_to_wait(*args):
                found.append(name)
            return real(*args, **named)

        monkeypatch.setattr(owner, name, watched)

    watch(time, "sleep", has_to_wait=lambda seconds: seconds > 0)
    watch(socket, "getaddrinfo", has_to_wait=lambda *_: True)
    for name in ("connect", "connect_ex"):
        watch(socket.socket, name, has_to_wait=lambda made, *_: made.gettimeout() != 0)
    return found


async def test_a_home_that_reads_its_meter_and_sends_to_the_hub_waits_nowhere(tmp_path: Path, waits: list[str]) -> None:
    stand = await Stand(meter_words(10_000)).start()
    link = link_to(Endpoint("tcp", "localhost", stand.port), LineSettings(timeout_s=0.15))
    with running_broker(tmp_path) as broker:
        waits.clear()  # the broker of the test is started in this thread
        async with line(tmp_path, broker) as made, made.running():
            assert await link.read_words(1, 4, address=72, count=2) is not None
            stand.modes.append("silent")
            with pytest.raises(NoAnswerError):
                await link.read_words(1, 4, address=72, count=2)
            assert await link.read_words(1, 4, address=72, count=2) is not None
            await made.add(30)
            await made.all_receipted(30)
        assert waits == []
    await link.close()
    await stand.stop()


async def test_each_way_of_waiting_is_seen_in_the_loop_and_none_beside_it(waits: list[str]) -> None:
    stand = await Stand().start()

    def connect() -> None:
        with socket.create_connection(("127.0.0.1", stand.port)):
            time.sleep(0.001)  # what is looked for

    await asyncio.to_thread(connect)
    assert waits == []
    connect()
    assert waits == ["getaddrinfo", "connect", "sleep"]
    await stand.stop()
