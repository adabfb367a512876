"""POST /api/enrol as agents use it: one sentence for every mistake, the whole answer for a valid invitation."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.prompts.delivery import PromptSender, notice_of
from hub.storage.records import Home, Member, PromptRow
from hub.storage.sqlite.store import SqliteStore
from hub.trust.enrolment import Enrolment, agent_id_of
from protocols.consent.rules import default_consent, encode_consent
from protocols.consent.text import parse_consent
from protocols.enrolment.handshake import build_request, parse_answer
from protocols.enrolment.token import token_hash
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire import topics
from protocols.wire.envelope import open_sealed
from protocols.wire.messages import decode_prompt
from tests.hub.intake.test_receiver import bench_on
from tests.hub.sending_home import COOP, NOW_S, SendingHome, enrol, open_store

TOKEN = b"t" * 16
HUB_KEY = Ed25519PrivateKey.from_private_bytes(b"h" * 32)


@dataclass
class Counter:
    """Counts how often it was called because agents changed."""

    calls: int = 0

    async def __call__(self) -> None:
        self.calls += 1


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_store(tmp_path)
    await opened.add_member(Member("m01", "Household 1", "a@b.c", "en", False, 0), Home("h01", "Home", "m01"))
    await opened.add_invite(token_hash(TOKEN), home_id="h01", expires_at=NOW_S)
    yield opened
    await opened.close()


def enrolment_of(store: SqliteStore, *, now_s: float = NOW_S, changed: Counter | None = None) -> Enrolment:
    return Enrolment(
        store,
        coop=COOP,
        public_key=HUB_KEY.public_key().public_bytes_raw(),
        broker=lambda: ("127.0.0.1", 1883),
        clock=Clock(real=lambda: now_s),
        agents_changed=changed or Counter(),
    )


def request(key: Ed25519PrivateKey, *, token: bytes = TOKEN, coop: str = COOP.id) -> bytes:
    return build_request(key, token=token, coop=coop).encode()


async def test_a_good_invitation_gives_everything_an_agent_needs(store: SqliteStore) -> None:
    key, changed = Ed25519PrivateKey.generate(), Counter()
    status, body = await enrolment_of(store, changed=changed)(request(key))
    answer = parse_answer(body)
    agent = agent_id_of(key.public_key().public_bytes_raw())
    assert (status, answer.agent, answer.home, answer.shard) == (200, agent, "h01", topics.shard_of(agent))
    assert (answer.coop, answer.tz, answer.broker_host, answer.broker_port) == (COOP.id, COOP.tz, "127.0.0.1", 1883)
    assert answer.hub_public_key == HUB_KEY.public_key().public_bytes_raw()
    assert parse_consent(answer.consent) == default_consent("h01")
    assert changed.calls == 1
    assert TOKEN.hex().encode() not in body
    again = await enrolment_of(store)(request(key))
    assert again == (status, body), "a lost answer can be requested again"


async def test_every_mistake_is_one_sentence_and_enrols_nobody(store: SqliteStore) -> None:
    key = Ed25519PrivateKey.generate()
    good = json.loads(request(key))
    cases = [
        (b"", 400, "not JSON"),
        (b"[]", 400, "expected an object"),
        (b"x" * 5000, 400, "larger than"),
        (json.dumps(good | {"token": "nonsense"}).encode(), 400, "token:"),
        (json.dumps(good | {"proof": json.loads(request(key, token=b"u" * 16))["proof"]}).encode(), 403, "proof"),
        (request(key, token=b"u" * 16), 403, "the invitation is unknown"),
        (request(key, coop="other"), 403, "this hub belongs to street"),
    ]
    for body, expected, words in cases:
        status, answer = await enrolment_of(store)(body)
        sentence = json.loads(answer)["error"]
        assert (status, "\n" in sentence) == (expected, False)
        assert words in sentence
    status, answer = await enrolment_of(store, now_s=NOW_S + 1)(request(key))
    assert (status, json.loads(answer)) == (403, {"error": "the invitation has expired"})
    assert await store.agents() == ()


async def test_a_new_agent_of_a_home_continues_under_the_homes_consent(store: SqliteStore) -> None:
    first = SendingHome("h01")
    await enrol(store, first, member="m01")
    bench = bench_on(store)
    await bench.receive(first.consent(default_consent("h01", 7)))
    assert await store.consent_bytes("h01") == (7, encode_consent(default_consent("h01", 7)))
    _, body = await enrolment_of(store)(request(Ed25519PrivateKey.generate()))
    assert parse_consent(parse_answer(body).consent).version == 7
    assert [agent.revoked_at is None for agent in await store.agents() if agent.id == first.agent] == [False]


@dataclass
class Published:
    """A broker link that records what is published."""

    sent: list[tuple[str, bytes]] = field(default_factory=list)

    def publish(self, topic: str, sealed: bytes) -> None:
        self.sent.append((topic, sealed))


async def test_a_prompt_reaches_the_homes_live_agent_signed(store: SqliteStore) -> None:
    prompt = PromptRow(
        *("p-1", "h01", "m01", "dryer", 900, 140, 120, 4, 100),
        reasons=(("sun", 100),),
        issued_slot=100,
        answer_by_slot=118,
        answer=None,
        answered_at=None,
        measured_wh=None,
    )
    link = Published()
    sender = PromptSender(store, coop=COOP.id, key=HUB_KEY, link=link)
    assert not await sender.send(prompt), "a home without an agent has its pages"
    for home in (SendingHome("h01"), SendingHome("h01")):
        await enrol(store, home, member="m01")
    assert await sender.send(prompt)
    ((topic, sealed),) = link.sent
    assert topic == topics.downlink_topic(COOP.id, home.agent, kind="prompt")
    notice = decode_prompt(open_sealed(sealed, topic, HUB_KEY.public_key()))
    assert notice == notice_of(prompt)
    assert (notice.usual_last_slot, notice.proposed_last_slot, notice.answer_by) == (143, 123, start_of(119))
