"""What intake accepts: messages may arrive in any order, twice or with holes; the same set is stored, and no more."""

import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.intake.acceptance import judge_message, known_hash, needs_stored_hash, open_message, receipt_for
from hub.intake.state import (
    RECENT_HASHES,
    Acceptance,
    AgentChain,
    AskedPrompt,
    DuplicateMessage,
    EarlyMessage,
    IncomingMessage,
    IntakeState,
    IntakeVerdict,
    OpenedMessage,
    RecentHashes,
    Rejection,
)
from hub.storage.records import AcceptedMessage
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, contract_rule, default_consent, encode_consent, sort_rules
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slot_of, start_of
from protocols.wire import topics
from protocols.wire.chain import MAX_AHEAD
from protocols.wire.envelope import MAX_SEALED_BYTES, batch_hash, seal
from protocols.wire.messages import AnswerChoice
from protocols.wire.padding import encode_padded
from protocols.wire.readings import Column, LongInterval
from protocols.wire.receipts import encode_receipt
from protocols.wire.refusal_reasons import RefusalReason
from tests.hub.sending_home import COOP, FIRST_SLOT, NOW_S, SendingHome, grid_columns


class Hub:
    """Acceptance with a dictionary as its store: what it would store, and the refusals it would count."""

    def __init__(self, *homes: SendingHome) -> None:
        chains = {home.agent: AgentChain(home.home, home.key.public_key()) for home in homes}
        self.state = IntakeState(COOP.id, chains)
        self.held: dict[tuple[str, int, int], AcceptedMessage] = {}
        self.refused: list[Rejection] = []

    def receive(self, topic: str, sealed: bytes, *, now_s: float = NOW_S) -> tuple[IntakeVerdict, ...]:
        opened = open_message(IncomingMessage(topic, sealed, int(now_s)), self.state)
        verdicts: tuple[IntakeVerdict, ...] = (opened,) if isinstance(opened, Rejection) else self._take(opened, now_s)
        for verdict in verdicts:
            if isinstance(verdict, Acceptance):
                message = verdict.message
                assert (message.agent, message.epoch, message.seq) not in self.held, "nothing is accepted twice"
                self.held[(message.agent, message.epoch, message.seq)] = message
            elif isinstance(verdict, Rejection):
                self.refused.append(verdict)
        return verdicts

    def _take(self, opened: OpenedMessage, now_s: float) -> tuple[IntakeVerdict, ...]:
        held_hash = known_hash(opened, self.state)
        if needs_stored_hash(opened, self.state):
            held = self.held.get((opened.agent, opened.header.epoch, opened.header.seq))
            held_hash = held.hash if held is not None else None
        return judge_message(opened, self.state, held_hash=held_hash, now_s=now_s)

    def reason(self, message: tuple[str, bytes], *, now_s: float = NOW_S) -> RefusalReason:
        """The reason why this message is refused; nothing may be stored."""
        before = len(self.held)
        (verdict,) = self.receive(*message, now_s=now_s)
        assert isinstance(verdict, Rejection)
        assert len(self.held) == before
        return verdict.reason

    def content_reason(self, message: tuple[str, bytes], *, now_s: float = NOW_S) -> str | None:
        """The reason why its content is refused; only number and hash are stored."""
        (verdict,) = self.receive(*message, now_s=now_s)
        assert isinstance(verdict, Acceptance)
        stored = verdict.message
        if stored.refused is not None:
            assert (stored.sealed, stored.readings, stored.slot, stored.consent, stored.answer) == (
                b"",
                (),
                None,
                None,
                None,
            )
        return stored.refused


KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 4)]


def street() -> list[SendingHome]:
    return [SendingHome(f"h{n:02d}", key) for n, key in enumerate(KEYS, start=1)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False), st.integers(1, 12), st.integers(0, 30))
def test_any_order_doubles_and_replays_store_the_same_messages(rng: random.Random, count: int, doubles: int) -> None:
    homes = street()
    sent = [home.batch() for home in homes for _ in range(count)]
    arriving = sent + [rng.choice(sent) for _ in range(doubles)]
    rng.shuffle(arriving)
    hub = Hub(*homes)
    for topic, sealed in arriving:
        hub.receive(topic, sealed)
    assert {message.sealed for message in hub.held.values()} == {sealed for _, sealed in sent}
    assert not hub.refused
    assert hub.state.ahead_bytes == 0
    for home in homes:
        order = [key[2] for key in hub.held if key[0] == home.agent]
        assert order == list(range(1, count + 1)), "an agent's messages are accepted in the order it made them"
        receipt = receipt_for(home.agent, hub.state.chains[home.agent], epoch=1, stored_at=NOW_S)
        assert (receipt.through_seq, receipt.head, receipt.gaps) == (count, home.previous, ())


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(1, 20), max_size=19), st.randoms(use_true_random=False))
def test_holes_are_reported_and_filling_them_stores_everything(lost: set[int], rng: random.Random) -> None:
    home = street()[0]
    sent = dict(enumerate((home.batch() for _ in range(20)), start=1))
    hub = Hub(home)
    first_pass = [n for n in sent if n not in lost]
    rng.shuffle(first_pass)
    for number in first_pass:
        hub.receive(*sent[number])
    receipt = receipt_for(home.agent, hub.state.chains[home.agent], epoch=1, stored_at=NOW_S)
    encode_receipt(receipt)
    through = min(lost, default=21) - 1
    assert receipt.through_seq == through
    named = {n for first, last in receipt.gaps for n in range(first, last + 1)}
    assert named == {n for n in lost if any(later not in lost for later in range(n, 21))}
    for number in sorted(lost):
        hub.receive(*sent[number])
    assert len(hub.held) == 20


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 511), st.integers(1, 255), st.booleans())
def test_a_flipped_byte_is_refused_and_stores_nothing(at: int, flip: int, in_topic: bool) -> None:
    home = street()[0]
    topic, sealed = home.batch()
    hub = Hub(home)
    if in_topic:
        at %= len(topic)
        topic = topic[:at] + chr((ord(topic[at]) ^ flip) % 128) + topic[at + 1 :]
        if topic == home.batch()[0]:
            return
    else:
        sealed = sealed[:at] + bytes([sealed[at] ^ flip]) + sealed[at + 1 :]
    hub.receive(topic, sealed)
    assert not hub.held
    assert len(hub.refused) == 1


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600), st.text(max_size=60))
def test_garbage_is_refused_under_any_topic(sealed: bytes, topic: str) -> None:
    home = street()[0]
    hub = Hub(home)
    hub.receive(topics.uplink_topic(COOP.id, home.agent, kind="batch"), sealed)
    hub.receive(topic, sealed)
    assert not hub.held
    assert len(hub.refused) == 2
    assert all(len(refused.detail) <= 200 and refused.detail.isprintable() for refused in hub.refused)


def test_each_wrong_sender_is_refused_for_its_own_reason() -> None:
    home, neighbour, stranger = street()
    hub = Hub(home, neighbour)
    topic, sealed = home.batch()
    assert hub.reason(stranger.batch()) is RefusalReason.UNKNOWN_AGENT
    assert hub.refused[-1].agent == "", "an agent that is not enrolled gets no row of its own"
    own_topic = topics.uplink_topic(COOP.id, neighbour.agent, kind="batch")
    assert hub.reason((own_topic, sealed)) is RefusalReason.BAD_SIGNATURE, "a message moved under a neighbour's topic"
    assert hub.reason((topic.replace("street", "other", 1), sealed)) is RefusalReason.WRONG_COOP
    assert hub.reason((topic.replace("/up/", "/down/"), sealed)) is RefusalReason.FOREIGN_TOPIC
    assert hub.reason((topic.replace("/batch", "/answer"), sealed)) is RefusalReason.BAD_SIGNATURE
    assert hub.reason((topic, b"x" * (MAX_SEALED_BYTES + 1))) is RefusalReason.OVERSIZED
    payload_of_neighbour = SendingHome("h01", home.key)
    payload_of_neighbour.batch()
    borrowed = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)
    assert hub.reason((topic, seal(borrowed, topic, b"\xa0"))) is RefusalReason.BAD_SIGNATURE
    hub.state.chains[home.agent].is_revoked = True
    assert hub.reason((topic, sealed)) is RefusalReason.REVOKED


def test_an_agent_name_that_does_not_match_the_topic_is_foreign() -> None:
    home, neighbour, _ = street()
    hub = Hub(home, neighbour)
    _, neighbours = neighbour.batch()
    topic = topics.uplink_topic(COOP.id, home.agent, kind="batch")
    payload = neighbours[20:-66]
    assert hub.reason((topic, seal(home.key, topic, payload))) is RefusalReason.FOREIGN_TOPIC


def test_other_bytes_under_a_stored_number_are_a_replay() -> None:
    home = street()[0]
    copy = SendingHome(home.home, home.key)
    hub = Hub(home)
    hub.receive(*home.batch())
    assert hub.reason(copy.batch(FIRST_SLOT + 9)) is RefusalReason.REPLAYED
    hub.state.chains[home.agent].recent = RecentHashes()  # as after a restart: the hash is read from the store
    assert hub.reason(SendingHome(home.home, home.key).batch(FIRST_SLOT + 9)) is RefusalReason.REPLAYED


def test_a_message_that_does_not_name_the_one_before_breaks_the_chain() -> None:
    home = street()[0]
    hub = Hub(home)
    hub.receive(*home.batch())
    home.previous = b"\x07" * 32
    assert hub.reason(home.batch()) is RefusalReason.BROKEN_CHAIN


def test_memory_is_bounded_however_many_messages_are_early() -> None:
    home = street()[0]
    hub = Hub(home)
    sent = [home.batch() for _ in range(3 * MAX_AHEAD)]
    for topic, sealed in reversed(sent[1:]):
        hub.receive(topic, sealed)
    chain = hub.state.chains[home.agent]
    assert len(chain.ahead) <= MAX_AHEAD
    assert hub.state.ahead_bytes == sum(len(opened.sealed) for opened in chain.ahead.values())
    encode_receipt(receipt_for(home.agent, chain, epoch=1, stored_at=NOW_S))
    for topic, sealed in sent:
        hub.receive(topic, sealed)
    assert len(hub.held) == len(sent)
    assert hub.state.ahead_bytes == 0
    assert len(chain.recent) == RECENT_HASHES


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2 * RECENT_HASHES)), max_size=4))
def test_the_newest_hashes_are_those_of_the_newest_messages_without_a_gap(runs: list[tuple[int, int]]) -> None:
    recent, epoch, told = RecentHashes(), 0, dict[tuple[int, int], bytes]()
    for step, count in runs:
        epoch += step
        for seq in range(1, count + 1):
            told[epoch, seq] = bytes([epoch % 256]) + seq.to_bytes(31)
            recent.add(epoch, seq, told[epoch, seq])
    for (at_epoch, seq), hashed in told.items():
        newest = runs[-1][1]
        is_recent = at_epoch == epoch and seq > newest - RECENT_HASHES
        assert recent.get(at_epoch, seq) == (hashed if is_recent else None)
    assert recent.get(epoch, 0) is None
    assert recent.get(epoch, 2 * RECENT_HASHES + 1) is None


def test_a_new_epoch_starts_a_new_chain_and_ends_the_old_one() -> None:
    home = street()[0]
    hub = Hub(home)
    old = [home.batch() for _ in range(4)]
    hub.receive(*old[0])
    hub.receive(*old[2])
    home.new_epoch()
    fresh = [home.batch(FIRST_SLOT + 9), home.batch(FIRST_SLOT + 10)]
    assert isinstance(hub.receive(*fresh[1])[0], EarlyMessage)
    waiting = receipt_for(home.agent, hub.state.chains[home.agent], epoch=2, stored_at=NOW_S)
    assert (waiting.through_seq, waiting.gaps) == (0, ((1, 1),))
    encode_receipt(waiting)
    assert [type(v) for v in hub.receive(*fresh[0])] == [Acceptance, Acceptance]
    assert hub.state.ahead_bytes == 0, "messages waiting in the old epoch are dropped"
    assert isinstance(hub.receive(*old[0])[0], DuplicateMessage)
    assert hub.reason(old[1]) is RefusalReason.OUT_OF_ORDER


@pytest.mark.parametrize(
    ("slot_at_s", "made_at_s", "refused"),
    [
        (NOW_S - 900, NOW_S, None),
        (NOW_S - 300, NOW_S, None),
        (NOW_S, NOW_S, "clock_window"),
        (NOW_S - 900, NOW_S + 601, "clock_window"),
        (NOW_S - 900, 0, "clock_window"),
        (NOW_S - 900, NOW_S - 900 - 601, "clock_window"),
        (NOW_S - 900, NOW_S - 600, None),
        (NOW_S - 399 * 86400, NOW_S, None),
        (NOW_S - 401 * 86400, NOW_S, "clock_window"),
    ],
)
def test_the_clock_window(slot_at_s: int, made_at_s: int, refused: str | None) -> None:
    home = street()[0]
    hub = Hub(home)
    slot = slot_of(slot_at_s)
    now_s = NOW_S if slot_at_s != NOW_S - 300 else start_of(slot + 1) - 300
    assert hub.content_reason(home.batch(slot, made_at=made_at_s), now_s=now_s) == refused
    assert hub.content_reason(home.batch()) is None, "the chain continues after refused content"
    receipt = receipt_for(home.agent, hub.state.chains[home.agent], epoch=1, stored_at=NOW_S)
    assert receipt.through_seq == 2
    assert receipt.refused == (((1, RefusalReason.CLOCK_WINDOW),) if refused else ())
    encode_receipt(receipt)


def test_consent_is_the_second_lock() -> None:
    home = street()[0]
    hub = Hub(home)
    pv = Column(Measure.PV_PRODUCTION, 1, 40, 0, Mark.MEASURED, Gap.NONE)
    assert hub.content_reason(home.batch(columns=[pv])) == "outside_consent", "by default only what the contract needs"
    allowed = ConsentRule("forecast.home", (Measure.PV_PRODUCTION,), Resolution.PT15M, 0, None)
    consent = ConsentSet(home.home, 2, sort_rules([contract_rule(), allowed]))
    assert hub.content_reason(home.consent(consent)) is None
    assert hub.content_reason(home.batch(columns=[*grid_columns(1), pv])) is None
    home.consent_version = 1
    assert hub.content_reason(home.batch(columns=[pv])) == "outside_consent", (
        "made under a consent that is no longer in force"
    )


def test_a_consent_never_comes_back_and_never_comes_from_elsewhere() -> None:
    home = street()[0]
    hub = Hub(home)
    assert hub.content_reason(home.consent(default_consent(home.home, 3))) is None
    assert hub.content_reason(home.consent(default_consent(home.home, 3))) is None, (
        "repeating the same consent changes nothing"
    )
    assert hub.content_reason(home.consent(default_consent(home.home, 2))) == "outside_consent"
    assert hub.content_reason(home.consent(default_consent("h99", 4))) == "outside_consent"
    assert hub.content_reason(home.consent_bytes(b"\xa0")) == "outside_consent"
    assert hub.state.consent_of(home.home).version == 3
    other = ConsentSet(home.home, 3, (contract_rule(),))
    assert hub.content_reason(home.consent_bytes(encode_consent(other))) == "outside_consent"


def test_answers_count_only_for_the_homes_own_open_prompt() -> None:
    home = street()[0]
    hub = Hub(home)
    hub.state.prompts = {
        "p-own": AskedPrompt(home.home, NOW_S + 10),
        "p-other": AskedPrompt("h02", NOW_S + 10),
        "p-over": AskedPrompt(home.home, NOW_S),
    }
    assert hub.content_reason(home.answer("p-own")) is None
    assert hub.content_reason(home.answer("p-other")) == "expired"
    assert hub.content_reason(home.answer("p-none")) == "expired"
    assert hub.content_reason(home.answer("p-over")) == "expired"


def test_the_last_answer_before_the_deadline_counts() -> None:
    home = street()[0]
    hub = Hub(home)
    hub.state.prompts = {"p": AskedPrompt(home.home, NOW_S + 900)}
    for choice, at in (
        (AnswerChoice.YES, NOW_S - 9),
        (AnswerChoice.NO, NOW_S - 5),
        (AnswerChoice.NEVER_APPLIANCE, NOW_S),
    ):
        assert hub.content_reason(home.answer("p", choice=choice, at=at)) is None
        assert hub.held[home.agent, 1, home.seq].answer == ("p", choice.value, at)
    assert hub.content_reason(home.answer("p", at=NOW_S - 5)) == "expired", "older than the one that counts"
    assert hub.state.prompts["p"] == AskedPrompt(home.home, NOW_S + 900, "never_appliance", NOW_S)


def test_an_agents_own_time_does_not_decide_about_the_deadline() -> None:
    """An answer dated ahead that is there in time counts from its arrival; one dated back counts only if it waited."""
    home = street()[0]
    hub = Hub(home)
    deadline = start_of(FIRST_SLOT + 10)
    hub.state.prompts = {"p": AskedPrompt(home.home, deadline)}
    assert hub.content_reason(home.answer("p", at=deadline + 5), now_s=deadline - 60) is None
    assert hub.state.prompts["p"].answered_at == deadline - 60
    no = {"choice": AnswerChoice.NO, "at": deadline - 30}
    assert hub.content_reason(home.batch(FIRST_SLOT + 8), now_s=deadline - 40) is None
    assert hub.content_reason(home.answer("p", **no), now_s=deadline + 86400) is None, "an outage: it was made in time"
    assert hub.state.prompts["p"].answer == "no"
    late = home.answer("p", choice=AnswerChoice.YES, at=deadline + 1)
    assert hub.content_reason(late, now_s=deadline + 86400) == "expired"
    too_old = home.answer("p", choice=AnswerChoice.YES, at=deadline - 20)
    assert hub.content_reason(too_old, now_s=deadline + 8 * 86400) == "expired"
    assert hub.content_reason(home.batch(FIRST_SLOT + 9), now_s=deadline + 86400) is None
    dated_back = home.answer("p", choice=AnswerChoice.YES, at=deadline - 20)
    assert hub.content_reason(dated_back, now_s=deadline + 86400) == "expired", "it follows a later batch"
    assert hub.content_reason(home.answer("p", **no), now_s=deadline + 86400) is None, "the one that counts, repeated"


def unreadable(home: SendingHome, *, keys: int = 5) -> tuple[str, bytes]:
    """What this agent signs next: a head (or less of one), and a field of a later version."""
    head = {1: 2, 2: home.agent, 3: home.epoch, 4: home.seq + 1, 5: home.previous}
    return home._seal("batch", encode_padded({**dict(list(head.items())[:keys]), 9: "x"}))


def test_garbage_with_a_head_is_answered_and_the_chain_goes_on() -> None:
    home = street()[0]
    hub = Hub(home)
    assert hub.content_reason(home.batch()) is None
    assert hub.content_reason(unreadable(home)) == "garbage"
    assert hub.content_reason(home.batch()) is None
    receipt = receipt_for(home.agent, hub.state.chains[home.agent], epoch=1, stored_at=NOW_S)
    assert (receipt.through_seq, receipt.refused) == (3, ((2, RefusalReason.GARBAGE),))
    encode_receipt(receipt)


def test_garbage_without_a_head_is_told_by_its_hash_and_a_forgery_is_not() -> None:
    home, neighbour = street()[:2]
    hub = Hub(home, neighbour)
    topic, sealed = unreadable(home, keys=3)
    (verdict,) = hub.receive(topic, sealed)
    assert isinstance(verdict, Rejection)
    assert (verdict.reason, verdict.told_hash) == (RefusalReason.GARBAGE, batch_hash(sealed))
    forged = seal(neighbour.key, topic, b"x")
    for wrong in (forged, b"junk", sealed[:-1] + b"!"):
        (verdict,) = hub.receive(topic, wrong)
        assert isinstance(verdict, Rejection)
        assert verdict.told_hash is None


def test_the_contracts_measures_are_in_every_batch_in_quarter_hours() -> None:
    home = street()[0]
    hub = Hub(home)
    grid, supplied = grid_columns(FIRST_SLOT)
    last_of_hour = FIRST_SLOT // 4 * 4 + 3
    assert hub.content_reason(home.batch(columns=[])) == "outside_consent"
    assert hub.content_reason(home.batch(columns=[grid])) == "outside_consent"
    assert hub.content_reason(home.batch(last_of_hour, columns=[grid._replace(span=4), supplied])) == "outside_consent"
    missing = grid._replace(energy=None, mark=Mark.MISSING, gap=Gap.DEVICE_SILENT)
    assert hub.content_reason(home.batch(columns=[missing, supplied])) is None


def test_no_single_consent_uses_up_the_version_numbers() -> None:
    home = street()[0]
    hub = Hub(home)
    for version, reason in ((2**32 - 1, "outside_consent"), (1002, "outside_consent"), (1001, None), (1003, None)):
        assert hub.content_reason(home.consent(default_consent(home.home, version))) == reason, version
    assert hub.state.consent_of(home.home).version == 1003, "numbers may be skipped"


def test_overlapping_long_intervals_are_kept_as_evidence() -> None:
    home = street()[0]
    hub = Hub(home)
    totals = tuple(LongInterval(Measure.GRID_IMPORT, FIRST_SLOT - 100 + n, 60, 500) for n in range(32))
    assert hub.content_reason(home.batch(FIRST_SLOT, long_intervals=totals)) is None
    stored = hub.held[home.agent, 1, 1]
    assert len(stored.long_intervals) == 32
    assert len(stored.readings) == 2, "they add nothing to any quarter hour"


def test_no_detail_contains_a_value() -> None:
    home = street()[0]
    hub = Hub(home)
    secret = Column(Measure.PV_PRODUCTION, 1, 4711, 0, Mark.MEASURED, Gap.NONE)
    (verdict,) = hub.receive(*home.batch(columns=[secret]))
    assert isinstance(verdict, Acceptance)
    assert verdict.detail
    assert "4711" not in verdict.detail
