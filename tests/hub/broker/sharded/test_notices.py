"""Homes are sent on: signed for each, only to a broker that works, at a bounded pace, again if nothing came of it."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.sharded.notices import AGAIN_FIRST_S, AGAIN_MAX_S, BrokerNotices, Moves
from protocols.enrolment.broker_notices import BrokerNotice, decode_broker
from protocols.hub_keys import HubSigner
from protocols.timeline import Clock
from protocols.wire.envelope import open_sealed
from protocols.wire.topics import downlink_topic
from tests.hub.broker.sharded.test_links import AGENTS, COOP, HIGH, LOW, directory

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOW_S = 1_790_000_000
NOTICES = BrokerNotices(directory(), coop=COOP, signer=HubSigner.of_one_key(KEY), clock=Clock(real=lambda: NOW_S))


class Sent:
    """What was published, and a clock in the test's hand."""

    def __init__(self) -> None:
        self.now_s, self.down = 0.0, set[str]()
        self.topics: list[str] = []
        self.moves = Moves(NOTICES, link=self, is_up=lambda agent: agent not in self.down, steady_s=lambda: self.now_s)

    def publish(self, topic: str, sealed: bytes) -> None:
        open_sealed(sealed, topic, KEY.public_key())
        self.topics.append(topic)

    def after(self, seconds: float, agents: list[str]) -> int:
        """How many are told when these are heard, so much later."""
        self.now_s += seconds
        before = len(self.topics)
        self.moves.send_on(agents)
        return len(self.topics) - before


def test_a_notice_says_where_and_is_sealed_for_its_agent() -> None:
    for agent, place in ((LOW[0], ("hub.example", 1)), (HIGH[0], ("b2.example", 2))):
        topic, sealed = NOTICES.sealed(agent)
        assert topic == downlink_topic(COOP, agent, kind="broker")
        assert decode_broker(open_sealed(sealed, topic, KEY.public_key())) == BrokerNotice(agent, NOW_S, *place)


def test_it_is_told_again_less_and_less_often() -> None:
    sent, agent = Sent(), HIGH[0]
    assert sent.after(0, [agent]) == 1
    assert sent.after(AGAIN_FIRST_S - 1, [agent]) == 0
    assert sent.after(1, [agent]) == 1
    assert sent.after(AGAIN_FIRST_S, [agent]) == 0
    assert sent.after(AGAIN_FIRST_S, [agent]) == 1
    told = sum(sent.after(1, [agent]) for _ in range(int(10 * AGAIN_MAX_S)))
    assert 10 <= told <= 15
    assert sent.after(3 * AGAIN_MAX_S, [agent]) == 1
    assert sent.after(AGAIN_FIRST_S, [agent]) == 1, "a later move begins with the first pause"


def test_nobody_is_sent_to_a_broker_that_is_down() -> None:
    sent = Sent()
    sent.down = {HIGH[0]}
    assert sent.after(0, HIGH[:2]) == 1
    assert sent.topics == [downlink_topic(COOP, HIGH[1], kind="broker")]
    sent.down = set()
    assert sent.after(1, HIGH[:1]) == 1, "and it is told as soon as that works"


def test_a_street_that_moves_does_not_connect_at_once() -> None:
    sent = Sent()
    assert sent.after(0, list(AGENTS)) == 20
    assert sent.after(0.5, list(AGENTS)) == 10
    told = sent.after(10, list(AGENTS))
    assert told == len(AGENTS) - 30, "the rest within seconds, each of them once"
