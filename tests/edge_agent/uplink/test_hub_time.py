"""The hub's time: only a fresh answer to the agent's own question counts, and it grows older with the boot clock."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.uplink.hub_time import ASK_EVERY_S, ASK_SOON_S, PATIENT_S, STALE_S, HubTime, TimeBounds
from edge_agent.uplink.sealing import AgentSigner
from protocols.wire.clock_check import ClockAnswer, ClockState, decode_question, encode_clock_answer
from protocols.wire.envelope import open_sealed
from tests.edge_agent.stub_hub import AGENT, COOP

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
HUB_S = 1_790_000_000


class Home:
    """An agent's boot clock, wall clock and state, and its questions."""

    def __init__(self) -> None:
        self.boot_s, self.state, self.asked = 10.0, ClockState.SYNCHRONISED, 0
        self.time = HubTime(
            AgentSigner(COOP, AGENT, KEY),
            boot_clock=lambda: self.boot_s,
            wall=lambda: HUB_S + 5e9,
            nonces=self._nonce,
            state=lambda: self.state,
        )

    def _nonce(self, size: int) -> bytes:
        self.asked += 1
        return bytes([self.asked]) * size

    def ask(self) -> bytes:
        topic, sealed = self.time.question()
        question = decode_question(open_sealed(sealed, topic, KEY.public_key()))
        assert (question.agent, question.at, question.state) == (AGENT, HUB_S + 5_000_000_000, self.state)
        return question.nonce

    def hear(self, nonce: bytes, *, agent: str = AGENT, at: int = HUB_S) -> TimeBounds | None:
        self.time.note(encode_clock_answer(ClockAnswer(agent, nonce, at)))
        return self.time.bounds()


def test_an_answer_bounds_the_time_by_how_long_it_took() -> None:
    home = Home()
    nonce = home.ask()
    home.boot_s += 3
    assert home.hear(nonce) == TimeBounds(HUB_S, HUB_S + 4)
    home.boot_s += 100
    assert home.time.bounds() == TimeBounds(HUB_S + 100, HUB_S + 104)
    home.boot_s += STALE_S
    assert home.time.bounds() is None


def test_old_foreign_and_slow_answers_say_nothing() -> None:
    home = Home()
    old, new = home.ask(), home.ask()
    assert home.hear(old) is None
    assert home.hear(new, agent="a-other") is None
    home.boot_s += PATIENT_S + 1
    assert home.hear(new) is None
    nonce = home.ask()
    assert home.hear(nonce) is not None
    assert home.hear(nonce, at=HUB_S + 10**6) == TimeBounds(HUB_S, HUB_S + 1), "an answer counts once"


def test_it_asks_hourly_at_each_connection_and_when_the_clocks_state_changes() -> None:
    home = Home()
    assert home.time.is_due()
    home.ask()
    assert not home.time.is_due()
    home.boot_s += ASK_EVERY_S
    assert home.time.is_due()
    home.ask()
    home.state = ClockState.HELD
    assert home.time.is_due()
    home.ask()
    home.boot_s += ASK_SOON_S
    assert home.time.is_due()
    home.ask()
    home.time.ask_again()
    assert home.time.is_due()


def test_a_clocks_distance_has_a_side() -> None:
    bounds = TimeBounds(100.0, 110.0)
    assert [bounds.distance_s(at) for at in (90, 100, 105, 110, 130)] == [-10, 0, 0, 0, 20]
