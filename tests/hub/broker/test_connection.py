"""The hub's link to its broker: what arrives close together is handed over together."""

import asyncio
import os
import signal
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from hub.broker import connection
from hub.broker.connection import BrokerLink, Delivery
from hub.broker.plans import plan_broker
from tests.hub.broker.test_supervisor import KINDS, linked, running, settings_of, until
from tests.hub.processes.waiting import state_of


def message(payload: bytes) -> mqtt.MQTTMessage:
    made = mqtt.MQTTMessage(topic=b"cw1/street/1/a-x/up/batch")
    made.payload = payload
    return made


async def test_the_event_loop_is_not_woken_for_each_message_of_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HAND_OVER_S", 0.3)
    handed_over: list[list[Delivery]] = []
    link = BrokerLink(client_id="hub", filters=[], deliver=handed_over.append)
    link._loop = asyncio.get_running_loop()
    client = link._client = link._new_client("tcp")
    for number in range(5):
        await asyncio.to_thread(link._on_message, client, None, message(b"%d" % number))
    async with asyncio.timeout(30):
        while not handed_over:
            await asyncio.sleep(0.01)
    assert [[each.payload for each in together] for together in handed_over] == [[b"0", b"1", b"2", b"3", b"4"]]


def children_of(pid: int) -> list[int]:
    """The embedded broker is a process under the one that was started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_message_is_taken_when_the_broker_has_acknowledged_it_and_not_before(tmp_path: Path, kind: str) -> None:
    plan = plan_broker(settings_of(kind), folder=tmp_path / "broker", coop="c", port=0)
    taken: list[int] = []
    async with running(plan) as broker, linked(plan.address) as (hub, _):
        hub.publish_latest("cw1/c/1/a-x/down/prompt", lambda: None, of=0, taken=lambda: taken.append(0))
        hub.publish_latest("cw1/c/1/a-x/down/prompt", lambda: b"one", of=1, taken=lambda: taken.append(1))
        await until(lambda: taken == [1])
        assert broker.pid is not None
        tree = [broker.pid, *children_of(broker.pid)]
        for pid in tree:
            os.kill(pid, signal.SIGSTOP)
        await until(lambda: all(state_of(pid) == "T" for pid in tree))  # until then it may acknowledge still
        hub.publish_latest("cw1/c/1/a-x/down/prompt", lambda: b"two", of=2, taken=lambda: taken.append(2))
        await until(lambda: hub.counts.sent == 2)
        assert taken == [1], "it is on its way, and nobody has it"
        for pid in tree:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: taken == [1, 2], within_s=60)  # over the connection to the next broker process
