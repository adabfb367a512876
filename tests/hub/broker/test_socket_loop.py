"""The hub's link reads only while the hub has room, however much a broker sends without being asked."""

import asyncio
from dataclasses import dataclass, field

import paho.mqtt.client as mqtt

from hub.broker.connection import SENDING, WINDOW, BrokerAddress, BrokerLink, Delivery
from hub.broker.link.socket_loop import PACKETS_AT_ONCE, SocketLoop
from tests.hub.broker.test_supervisor import until

COUNT = 3 * WINDOW
TOPIC = b"cw1/c/1/a-x/up/batch"
CONNACK, SUBACK = b"\x20\x03\0\0\0", b"\x90\x04\0\1\0\1"


@dataclass
class PushyBroker:
    """Accepts one client and sends it everything at once, whatever receive maximum it asked for."""

    acknowledged: list[int] = field(default_factory=list)
    published: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                kind, body = await self._packet(reader)
                if kind == 0x10:
                    writer.write(CONNACK)
                elif kind == 0x80:
                    writer.write(SUBACK)
                    writer.writelines(self._message(number) for number in range(1, COUNT + 1))
                elif kind == 0x40:
                    self.acknowledged.append(int.from_bytes(body[:2]))
                elif kind == 0x30:
                    self.published += 1
                    size = int.from_bytes(body[:2])
                    writer.write(b"\x40\x02" + body[2 + size : 4 + size])
                elif kind == 0xC0:
                    writer.write(b"\xd0\0")
                elif kind == 0xE0:
                    return
        except asyncio.IncompleteReadError:
            return  # the link has gone
        finally:
            writer.close()

    @staticmethod
    def _message(number: int) -> bytes:
        body = len(TOPIC).to_bytes(2) + TOPIC + number.to_bytes(2) + b"\0" + b"%d" % number
        return bytes([0x32, len(body)]) + body

    @staticmethod
    async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
        first = (await reader.readexactly(1))[0]
        length = (await reader.readexactly(1))[0]
        if length & 0x80:
            length = (length & 0x7F) | (await reader.readexactly(1))[0] << 7
        return first & 0xF0, await reader.readexactly(length)


async def test_what_the_hub_has_no_room_for_is_left_in_the_socket_and_comes_later() -> None:
    broker, arrived = PushyBroker(), list[Delivery]()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    link = BrokerLink(client_id="hub-c", filters=["cw1/c/+/+/up/+"], deliver=arrived.extend)
    link.start(BrokerAddress(host, port))
    try:
        await until(lambda: link.counts.pauses == 1)
        held = link.counts.unacknowledged
        assert WINDOW <= held <= WINDOW + SENDING + PACKETS_AT_ONCE
        link.publish("cw1/c/1/a-x/down/prompt", b"sent while nothing is read")
        await until(lambda: broker.published == 1)
        assert link.counts.unacknowledged == held, "it read no further meanwhile"
        done = 0
        while done < COUNT:
            await until(lambda done=done: len(arrived) > done)  # type: ignore[misc]
            done = len(arrived)
            link.acknowledge(arrived)
        assert [int(each.payload) for each in arrived] == list(range(1, COUNT + 1)), "in order, none lost, none twice"
        await until(lambda: len(broker.acknowledged) == COUNT)
        assert broker.acknowledged == list(range(1, COUNT + 1))
        assert link.counts.most_unacknowledged <= WINDOW + SENDING + PACKETS_AT_ONCE
        assert link.counts.connections == 1
    finally:
        await asyncio.to_thread(link.stop)
        server.close()


def test_whoever_wakes_a_thread_that_has_ended_hears_nothing_of_it() -> None:
    """It may end by itself between the word to stop and the call that is to wake it."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect_async("127.0.0.1", 1)
    loop = SocketLoop(client, may_read=lambda: True, feed=lambda: None, failed=lambda: None)
    loop.start()
    loop.stop()
    loop.wake()
    loop.stop()
