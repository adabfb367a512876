"""What the broker link dropped belongs to the hour in which it did, also where nobody asks for the hub's health."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.broker.connection import BrokerLink, LinkCounts
from hub.folder.opening import open_hub
from hub.processes import intake
from hub.processes.channel import Channel, Facts
from hub.processes.intake import IntakePart
from hub.processes.own_hub import OwnHub
from hub.processes.roles.life import new_life
from protocols.timeline import Clock
from tests.benchmarks.attacks.running_hub import prepare

FILES = ("ca_file", "cert_file", "key_file", "socket", "homes_rules")
BROKER = {"host": "127.0.0.1", "port": 1, "username": None, "password": None, "is_ready": False}
WEEK_S = 7 * 86_400


async def answer(what: str, facts: Facts) -> Facts:
    return {}


@pytest.fixture
async def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[IntakePart]:
    """The part of a hub whose broker never gets ready; it counts without waiting long."""
    monkeypatch.setattr(intake, "NOTE_DROPPED_EACH_S", 0.01, raising=False)
    await prepare(tmp_path / "hub", [])
    settings, signer, store = await open_hub(tmp_path / "hub", clock=Clock(real=time.time), takes_rule=False)
    ends = [await Channel.over(end, answer=answer) for end in socket.socketpair()]
    life = new_life("intake", name="whole.intake") | {"is_role": False}
    begin = {"brokers": [BROKER | dict.fromkeys(FILES)], "life": life}
    own = OwnHub(tmp_path / "hub", settings, signer, store, Clock(real=time.time))
    yield IntakePart(own, channel=ends[0], begin=begin)
    for end in ends:
        end.close()
    await store.close()


@pytest.mark.parametrize(("later_s", "dropped"), [(1800, 500), (WEEK_S, 0)])
async def test_drops_count_in_the_hour_after_them_alone(
    part: IntakePart, monkeypatch: pytest.MonkeyPatch, later_s: int, dropped: int
) -> None:
    """Health is asked for this long after 500 messages were dropped, and for the first time."""
    loop, reads = asyncio.get_running_loop(), asyncio.Queue[None]()

    def counts(link: BrokerLink) -> LinkCounts:
        reads.put_nowait(None)
        return LinkCounts(left_unread=300, dropped=200)

    monkeypatch.setattr(BrokerLink, "counts", property(counts))
    serving = asyncio.create_task(part.run())
    async with asyncio.timeout(60):
        for _ in range(2):  # once it reads again, it has counted what it read before
            await reads.get()
    serving.cancel()
    await asyncio.wait({serving})
    asked_s = loop.time() + later_s
    with monkeypatch.context() as later:
        later.setattr(loop, "time", lambda: asked_s)
        found = (await part.health())["intake"]
    assert (found["dropped_in"], found["dropped_out"]) == (300, 200)
    assert found["last_hour"].get("dropped", 0) == dropped
