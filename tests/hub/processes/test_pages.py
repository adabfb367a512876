"""Pages while the hub's own process does not answer: nobody who looks at its health or enrols waits forever."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.folder.opening import open_hub
from hub.processes import pages, running
from hub.processes.channel import Channel, ChannelError, Facts
from hub.processes.own_hub import OwnHub
from hub.processes.pages import PagesPart
from hub.processes.roles.life import new_life
from hub.processes.watching import health
from protocols.timeline import Clock
from tests.benchmarks.attacks.running_hub import prepare

LIMITS = ("HEALTH_WITHIN_S", "FIGURES_WITHIN_S", "AGENTS_WITHIN_S")


async def never(what: str, facts: Facts) -> Facts:
    """The hub's own process takes the question and is busy ever after."""
    await asyncio.Event().wait()
    return {}


@pytest.fixture
async def unanswered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PagesPart]:
    """Pages that ask a hub which takes their questions and answers none."""
    for name in LIMITS:
        monkeypatch.setattr(pages, name, 0.05, raising=False)
    await prepare(tmp_path / "hub", [])
    settings, signer, store = await open_hub(tmp_path / "hub", clock=Clock(real=time.time), takes_rule=False)
    ends = [await Channel.over(end, answer=never) for end in socket.socketpair()]
    lines = [asyncio.create_task(end.run()) for end in ends]
    own = OwnHub(tmp_path / "hub", settings, signer, store, Clock(real=time.time))
    life = new_life("pages", name="whole.pages") | {"is_role": False}
    brokers = [{"host": "127.0.0.1", "port": 1}]
    begin = {"web_port": 0, "status_key": "key", "brokers": brokers, "life": life}
    yield PagesPart(own, channel=ends[0], begin=begin)
    for end in ends:
        end.close()
    await asyncio.gather(*lines)
    await store.close()


async def test_the_hubs_health_is_shown_though_it_does_not_answer(unanswered: PagesPart) -> None:
    async with asyncio.timeout(60):
        found = await unanswered.hub_health()
    assert [(part.name, part.is_serving) for part in found.parts] == [("hub", False)]
    assert found.stored is not None, "what the store says is shown all the same"


async def test_a_program_that_asks_for_the_status_gets_an_end(unanswered: PagesPart) -> None:
    async with asyncio.timeout(60):
        with pytest.raises(ChannelError, match="the hub did not answer within"):
            await unanswered.status()


async def test_an_agent_is_enrolled_though_intake_is_not_told(
    unanswered: PagesPart, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(60):
        await unanswered._agents_changed()
    assert "intake was not told of a new agent at once: the hub did not answer within" in caplog.text


def test_the_hub_has_time_to_hear_that_a_part_does_not_answer() -> None:
    assert pages.HEALTH_WITHIN_S > health.ASK_WITHIN_S
    assert pages.AGENTS_WITHIN_S > running.ASK_WITHIN_S
    assert pages.FIGURES_WITHIN_S > 2 * running.ASK_WITHIN_S, "intake and timetable are asked one after the other"
