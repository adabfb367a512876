"""Each agent is told the certificate before the first message of a process, and with each answer about the time."""

from collections.abc import Hashable, Sequence

from hub.broker.connection import Delivery
from hub.broker.link.outgoing import Seal, Taken
from hub.intake.homes_link import HomesLink
from protocols.wire.topics import downlink_topic

ONE, TWO = "a-4k2f9c1d", "a-bbbbbbbb"


class Recorder:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bytes, bool]] = []
        self.acknowledged = 0

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged += len(deliveries)

    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None:
        agent, kind = topic.split("/")[3], topic.split("/")[5]
        self.sent.append((agent, kind, sealed, is_kept))

    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None:
        if (sealed := seal()) is not None:
            self.publish(topic, sealed)


def test_the_certificate_goes_first_once_and_with_every_time() -> None:
    link = Recorder()
    homes = HomesLink(link, "certificate")
    for agent, kind in ((ONE, "receipt"), (ONE, "receipt"), (TWO, "prompt"), (ONE, "time"), (TWO, "receipt")):
        homes.publish(downlink_topic("sol", agent, kind=kind), b"sealed")
    homes.publish(downlink_topic("sol", ONE, kind="revoked"), b"sealed", is_kept=True)
    assert [(agent, kind) for agent, kind, _, _ in link.sent] == [
        (ONE, "keys"),
        (ONE, "receipt"),
        (ONE, "receipt"),
        (TWO, "keys"),
        (TWO, "prompt"),
        (ONE, "keys"),
        (ONE, "time"),
        (TWO, "receipt"),
        (ONE, "revoked"),
    ]
    assert link.sent[0] == (ONE, "keys", b"certificate", False)
    assert link.sent[-1] == (ONE, "revoked", b"sealed", True)
    homes.acknowledge([Delivery("t", b"", 1, 1, 1)])
    assert link.acknowledged == 1


def test_a_hub_with_one_key_sends_what_it_always_sent() -> None:
    link = Recorder()
    homes = HomesLink(link, None)
    homes.publish(downlink_topic("sol", ONE, kind="time"), b"sealed")
    assert link.sent == [(ONE, "time", b"sealed", False)]
