"""Many agents at a real broker: each sends within a window, reads its receipts and sends again what they ask for.

As a program it plays a whole street: `python -m tests.hub.broker.agents_at_broker PORT AGENTS BATCHES WINDOW`.

It speaks the few packets of MQTT 5 that this takes, so that a thousand connections cost one process little.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.wire.envelope import payload_of
from protocols.wire.receipts import Receipt, decode_receipt
from protocols.wire.topics import down_filter
from tests.hub.sending_home import COOP, FIRST_SLOT, SendingHome

CONNACK, PUBLISH, PUBACK, SUBACK = 0x20, 0x30, 0x40, 0x90
AGAIN_S = 0.5
GAP_AGAIN_S = 5.0
TIME_OUT_S = 20.0
"""As an agent: with nothing new receipted for this long, it sends its oldest message once more."""


def street_home(number: int) -> SendingHome:
    """The same home for the same number, in every process."""
    return SendingHome(f"h{number:04d}", Ed25519PrivateKey.from_private_bytes(number.to_bytes(4) * 8))


@dataclass
class AgentAtBroker:
    """One agent's connection. It counts receipts, what they asked for again, and how often it waited in vain."""

    home: SendingHome
    messages: Sequence[tuple[str, bytes]]
    window: int
    through: int = 0
    sent: int = 0
    receipts: int = 0
    again: int = 0
    time_outs: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)
    all_sent: asyncio.Event = field(default_factory=asyncio.Event)
    _asked_at: dict[int, float] = field(default_factory=dict)
    _unacknowledged: set[int] = field(default_factory=set)

    async def run(self, port: int) -> None:
        """Send everything, and go on until the hub has signed for it, also if the broker dies and comes back."""
        while not self.done.is_set():
            try:
                await self._talk(port)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.sent = self.through
                self._unacknowledged.clear()
                await asyncio.sleep(AGAIN_S)  # as an agent: a broker that was just lost is not back at once

    async def _talk(self, port: int) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        agent = self.home.agent.encode()
        self._send(0x10, b"\0\4MQTT\5\2\0\x3c\0" + len(agent).to_bytes(2) + agent)
        kind, _ = await self._packet()
        assert kind == CONNACK
        name = down_filter(COOP.id, self.home.agent).encode()
        self._send(0x82, b"\0\1\0" + len(name).to_bytes(2) + name + b"\1")
        kind, _ = await self._packet()
        assert kind == SUBACK
        self._fill()
        try:
            while self.through < len(self.messages):
                try:
                    kind, body = await asyncio.wait_for(self._packet(), TIME_OUT_S)
                except TimeoutError:
                    self.time_outs += 1
                    self._send(0xC0, b"")  # else the broker takes the line for dead
                    self._publish(self.through + 1)
                    continue
                self._take(kind, body)
            self.done.set()
        finally:
            self._writer.close()

    def _take(self, kind: int, body: bytes) -> None:
        if kind == PUBACK:
            self._unacknowledged.discard(int.from_bytes(body[:2]))
            if self.sent == len(self.messages) and not self._unacknowledged:
                self.all_sent.set()
        elif kind == PUBLISH:
            size = int.from_bytes(body[:2])
            topic, at = body[2 : 2 + size].decode(), 2 + size
            self._send(PUBACK, body[at : at + 2])
            if topic.endswith("/receipt"):
                self._note(decode_receipt(payload_of(body[at + 3 + body[at + 2] :])))

    def _note(self, receipt: Receipt) -> None:
        self.receipts += 1
        self.through = max(self.through, receipt.through_seq)
        wanted = [seq for first, last in receipt.gaps for seq in range(first, last + 1)]
        now_s = time.monotonic()
        for seq in wanted[:20]:
            if self.through < seq <= self.sent and now_s - self._asked_at.get(seq, float("-inf")) > GAP_AGAIN_S:
                self._asked_at[seq] = now_s
                self.again += 1
                self._publish(seq)
        self._fill()

    def _fill(self) -> None:
        while self.sent < min(len(self.messages), self.through + self.window):
            self.sent += 1
            self._publish(self.sent)

    def _publish(self, seq: int) -> None:
        topic, sealed = self.messages[seq - 1]
        number = seq % 65_535 + 1
        self._unacknowledged.add(number)
        self._send(0x32, len(topic).to_bytes(2) + topic.encode() + number.to_bytes(2) + b"\0" + sealed)

    def _send(self, first: int, body: bytes) -> None:
        length, left = bytearray(), len(body)
        while True:
            left, digit = left >> 7, left & 0x7F
            length.append(digit | (0x80 if left else 0))
            if not left:
                break
        self._writer.write(bytes([first]) + length + body)

    async def _packet(self) -> tuple[int, bytes]:
        first = (await self._reader.readexactly(1))[0]
        length, shift = 0, 0
        while True:
            digit = (await self._reader.readexactly(1))[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
        return first & 0xF0, await self._reader.readexactly(length)


async def _play(port: int, agents: int, *, batches: int, window: int) -> None:
    """Connect, send, say `sent` when the broker has taken what the windows let through, and the counts at the end."""
    lines = []
    for number in range(1, agents + 1):
        home = street_home(number)
        lines.append(AgentAtBroker(home, [home.batch(FIRST_SLOT + n) for n in range(batches)], window))
    async with asyncio.TaskGroup() as group:
        for line in lines:
            group.create_task(line.run(port))
        if window >= batches:
            await asyncio.gather(*(line.all_sent.wait() for line in lines))
        print("sent", flush=True)
        began_s = time.monotonic()
    counts = {name: sum(getattr(line, name) for line in lines) for name in ("receipts", "again", "time_outs")}
    print(json.dumps(counts | {"waited_s": time.monotonic() - began_s}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("port", "agents", "batches", "window"):
        parser.add_argument(name, type=int)
    said = parser.parse_args()
    asyncio.run(_play(said.port, said.agents, batches=said.batches, window=said.window))


if __name__ == "__main__":
    sys.exit(main())
