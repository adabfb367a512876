"""The hub's link to its broker: what arrives close together is handed over together."""

import asyncio

import paho.mqtt.client as mqtt
import pytest

from hub.broker import connection
from hub.broker.connection import BrokerLink, Delivery


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
