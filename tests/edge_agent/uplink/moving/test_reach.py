"""Whether the broker is in reach: only an attempt that failed says it is not, and a wait before one asks nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from edge_agent.uplink.broker_session import BrokerSession
from edge_agent.uplink.moving.asking import AskingParts, keep_asking
from edge_agent.uplink.moving.reach import BrokerReach
from edge_agent.uplink.pace.told import HubPace
from edge_agent.uplink.pace.waits import ReconnectWaits
from protocols.errors import IdentityError
from protocols.wire.pace.notices import PaceNotice, encode_pace
from tests.edge_agent.hand_clock import until
from tests.edge_agent.line_to_hub import NOW, Line, line
from tests.edge_agent.stub_hub import AGENT, COOP, running_broker

BROKER = ("hub.example", 8883)
NOTICE = encode_pace(PaceNotice(AGENT, int(NOW), 3600, 0, 86_400))


def test_a_lost_connection_is_no_failed_attempt_and_the_next_one_may_be() -> None:
    reach = BrokerReach()
    assert not reach.has_failed, "nothing was tried yet"
    for _ in range(2):
        reach.note_up(BROKER)
        reach.note_down(BROKER, "closed the connection")
        assert (reach.is_connected, reach.has_failed) == (False, False)
        reach.note_down(BROKER, "cannot be reached")
        assert reach.has_failed
    reach.note_up(BROKER)
    assert (reach.is_connected, reach.has_failed) == (True, False)


def test_a_connection_that_cannot_be_made_is_out_of_reach_and_one_that_the_agent_ended_is_not() -> None:
    reach = BrokerReach()
    reach.note_up(BROKER)
    reach.note_down(BROKER, None)
    assert (reach.is_connected, reach.has_failed) == (False, False)
    reach.note_down(BROKER, "this agent's certificate has expired")
    assert reach.has_failed


def test_an_end_that_is_told_twice_is_heard_once() -> None:
    down: list[str] = []

    class Listener:
        def note_up(self) -> None: ...

        def note_down(self, words: str) -> None:
            down.append(words)

        def note_message(self, topic: str, sealed: bytes) -> None: ...

    class AtOnce:
        def call_soon_threadsafe(self, call: Any, *arguments: Any) -> None:
            call(*arguments)

    session = BrokerSession(
        Listener(), client_id=AGENT, topic_filter="t", waits=ReconnectWaits(min, within_s=lambda: 0)
    )
    loop: Any = AtOnce()
    session._loop = loop
    for heard in (1, 2):
        session.paho.on_pre_connect(session.paho, None)  # type: ignore[misc]
        for _ in range(2):
            session._on_disconnect(session.paho, None, None, "Keep alive timeout", None)
        assert len(down) == heard


async def asks(made: Line) -> int:
    """How often the agent asks over HTTPS in eight of its pauses."""
    asked, pauses = list[bytes](), list[float]()

    def post(body: bytes) -> bytes:
        asked.append(body)
        raise IdentityError("the hub cannot be reached")

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 8:
            raise asyncio.CancelledError
        await asyncio.sleep(0)

    uplink = made.uplink
    parts = AskingParts(
        uplink.broker,
        made.hub_keys(),
        COOP,
        AGENT,
        post,
        is_out_of_reach=lambda: uplink.is_out_of_reach,
        random=lambda: 0.5,
        pause=pause,
    )
    await asyncio.gather(keep_asking(parts), return_exceptions=True)
    return len(asked)


async def test_an_agent_that_waits_as_the_hub_asked_does_not_ask_over_https(tmp_path: Path) -> None:
    with running_broker(tmp_path) as broker:
        async with line(tmp_path, broker) as made:
            made.pace = HubPace(AGENT, now=lambda: NOW, monotonic=lambda: 5000.0, uniform=lambda _least, most: most)
            made.uplink = made.make_uplink()
            async with made.running():
                await until(lambda: made.uplink.is_connected)
                made.hub.publish("pace", NOTICE)
                await until(lambda: made.uplink.pace.reconnect_s == 3600)
                await asyncio.to_thread(broker.stop)
                await until(lambda: not made.uplink.is_connected)
                assert await asks(made) == 0


async def test_nor_does_one_that_waits_after_a_power_cut(tmp_path: Path) -> None:
    with running_broker(tmp_path) as broker:
        async with line(tmp_path, broker) as made:
            made.pace = HubPace(AGENT, now=lambda: NOW, monotonic=lambda: 5.0, uniform=lambda _least, most: most)
            await made.pace.note(NOTICE)
            made.uplink = made.make_uplink()
            async with made.running():
                assert await asks(made) == 0


async def test_one_whose_attempts_fail_asks(tmp_path: Path) -> None:
    with running_broker(tmp_path) as broker:
        async with line(tmp_path, broker) as made:
            made.pace = HubPace(AGENT, now=lambda: NOW, uniform=lambda least, _most: least)
            made.uplink = made.make_uplink()
            async with made.running():
                await until(lambda: made.uplink.is_connected)
                await asyncio.to_thread(broker.stop)
                await until(lambda: made.uplink.is_out_of_reach)
                assert await asks(made) == 8
                await asyncio.to_thread(broker.start)
                await until(lambda: made.uplink.is_connected)
                assert await asks(made) == 0
