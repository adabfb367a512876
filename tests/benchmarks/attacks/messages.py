"""What hostile agents send; made before the flood, so that it costs the attacker nothing while it lasts."""

import time
from collections.abc import Sequence

from protocols.consent.rules import default_consent
from protocols.slots import slot_of
from protocols.wire import topics
from tests.hub.sending_home import COOP, SendingHome

KINDS = ("one_byte", "bad_signatures", "new_epochs", "fake_topics", "consents")
FAKE_TOPICS = 1000


def flood_of(kind: str, home: SendingHome, *, count: int) -> list[tuple[str, bytes]]:
    """`count` messages of one kind in the name of this home's agent."""
    slot = slot_of(time.time()) - 1
    if kind == "fake_topics":
        names = [f"a-{number:08x}" for number in range(FAKE_TOPICS)]
        made = [(topics.uplink_topic(COOP.id, name, kind="batch"), b"x" * 300) for name in names]
        return _repeated(made, count)
    topic, sealed = home.batch(slot)
    if kind == "one_byte":
        return _repeated([(topic, b"x")], count)
    if kind == "bad_signatures":
        return _repeated([(topic, sealed[:-1] + bytes([sealed[-1] ^ 1]))], count)
    if kind == "new_epochs":
        return [_in_new_epoch(home, slot) for _ in range(count)]
    return [home.consent(default_consent(home.home, number)) for number in range(2, count + 2)]


def _in_new_epoch(home: SendingHome, slot: int) -> tuple[str, bytes]:
    home.new_epoch()
    return home.batch(slot)


def _repeated(messages: Sequence[tuple[str, bytes]], count: int) -> list[tuple[str, bytes]]:
    return [messages[number % len(messages)] for number in range(count)]
