"""POST /api/enrol as agents use it: one sentence for every mistake, the whole answer for a valid invitation."""

import base64
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.prompts.delivery import PromptSender, notice_of
from hub.storage.errors import StoreError
from hub.storage.invite_records import InviteRefusal
from hub.storage.records import Home, Member, PromptRow
from hub.storage.sqlite.store import SqliteStore
from hub.trust.enrolment import Enrolment
from hub.trust.invitation_keys import mask_key
from protocols.consent.rules import default_consent, encode_consent
from protocols.consent.text import parse_consent
from protocols.enrolment.handshake import build_request, open_answer
from protocols.enrolment.token import EnrolToken, hub_hash_of
from protocols.hub_keys import HubSigner
from protocols.public_keys import agent_name_of
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire import topics
from protocols.wire.envelope import open_sealed
from protocols.wire.messages import decode_prompt
from tests.hub.intake.test_receiver import bench_on
from tests.hub.sending_home import COOP, NOW_S, SendingHome, enrol, open_store

SECRET = b"hub secret".ljust(32, b".")
HUB_KEY = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
HUB_HASH = hub_hash_of(HUB_KEY.public_key().public_bytes_raw())
TOKEN, OTHER = EnrolToken(b"t" * 16, HUB_HASH), EnrolToken(b"u" * 16, HUB_HASH)


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
    await invite(opened, TOKEN)
    yield opened
    await opened.close()


async def invite(store: SqliteStore, token: EnrolToken, *, replaces: str | None = None) -> None:
    masked = mask_key(token.key, token_id=token.id, secret=SECRET)
    await store.add_invite(token.id, home_id="h01", expires_at=NOW_S, masked_key=masked, replaces=replaces)


def enrolment_of(
    store: SqliteStore, *, now_s: float = NOW_S, changed: Counter | None = None, clock: Clock | None = None
) -> Enrolment:
    return Enrolment(
        store,
        coop=COOP,
        signer=HubSigner.of_one_key(HUB_KEY),
        secret=SECRET,
        broker=lambda: ("127.0.0.1", 1883),
        clock=clock or Clock(real=lambda: now_s),
        agents_changed=changed or Counter(),
    )


def request(key: Ed25519PrivateKey, *, token: EnrolToken = TOKEN, coop: str = COOP.id) -> bytes:
    return build_request(key, token=token, coop=coop).encode()


async def test_a_good_invitation_gives_everything_an_agent_needs(store: SqliteStore) -> None:
    key, changed = Ed25519PrivateKey.generate(), Counter()
    status, body = await enrolment_of(store, changed=changed)(request(key))
    public_key = key.public_key().public_bytes_raw()
    answer = open_answer(body, token=TOKEN, request=request(key), agent_public_key=public_key)
    agent = agent_name_of(public_key)
    assert (status, answer.agent, answer.home, answer.shard) == (200, agent, "h01", topics.shard_of(agent))
    assert (answer.coop, answer.tz, answer.broker_host, answer.broker_port) == (COOP.id, COOP.tz, "127.0.0.1", 1883)
    assert answer.hub_public_key == HUB_KEY.public_key().public_bytes_raw()
    assert parse_consent(answer.consent) == default_consent("h01")
    assert changed.calls == 1
    again = await enrolment_of(store)(request(key))
    assert again == (status, body), "a lost answer can be requested again"


async def test_every_mistake_is_one_sentence_and_enrols_nobody(store: SqliteStore) -> None:
    key = Ed25519PrivateKey.generate()
    good = json.loads(request(key))
    cases = [
        (b"", 400, "not JSON"),
        (b"[]", 400, "expected an object"),
        (b"x" * 5000, 413, "larger than 4096"),
        (
            json.dumps({key: value for key, value in good.items() if key != "csr"} | {"version": 2}).encode(),
            400,
            "version: 2, expected 3",
        ),
        (json.dumps(good | {"id": "nonsense"}).encode(), 400, "id:"),
        (json.dumps(good | {"proof": json.loads(request(key, token=OTHER))["proof"]}).encode(), 403, "proof"),
        (json.dumps(good | {"mac": json.loads(request(key, token=OTHER))["mac"]}).encode(), 403, "mac: the sender"),
        (request(key, token=OTHER), 403, "the invitation is unknown"),
        (request(key, coop="other"), 403, "this hub belongs to street"),
    ]
    for body, expected, words in cases:
        status, answer = await enrolment_of(store)(body)
        sentence = json.loads(answer)["error"]
        assert (status, "\n" in sentence) == (expected, False)
        assert words in sentence
    status, answer = await enrolment_of(store, now_s=NOW_S + 1)(request(key))
    assert (status, json.loads(answer)) == (410, {"error": InviteRefusal.EXPIRED})
    assert await store.agents() == ()


async def test_a_captured_request_is_answered_only_until_its_token_ends(store: SqliteStore) -> None:
    """It was answered for ever: whoever had seen one learnt the home's consent and broker a month later."""
    key = Ed25519PrivateKey.generate()
    body = request(key)
    assert (await enrolment_of(store, now_s=NOW_S - 100)(body))[0] == 200
    assert (await enrolment_of(store, now_s=NOW_S)(body))[0] == 200
    assert await enrolment_of(store, now_s=NOW_S + 30 * 86400)(body) == (
        410,
        json.dumps({"error": InviteRefusal.EXPIRED}).encode(),
    )
    assert (await enrolment_of(store)(request(Ed25519PrivateKey.generate())))[0] == 409, "used by another key"


async def test_a_new_invitation_voids_the_older_one(store: SqliteStore) -> None:
    """An older unspent token used to revoke the agent that a newer one had just enrolled."""
    await invite(store, OTHER)
    status, body = await enrolment_of(store)(request(Ed25519PrivateKey.generate()))
    assert (status, json.loads(body)["error"]) == (410, InviteRefusal.VOID)
    assert (await enrolment_of(store)(request(Ed25519PrivateKey.generate(), token=OTHER)))[0] == 200


async def test_a_home_with_an_agent_gives_it_up_only_to_an_invitation_that_replaces_it(store: SqliteStore) -> None:
    first = SendingHome("h01")
    await enrol(store, first, member="m01")
    await invite(store, OTHER)
    status, body = await enrolment_of(store)(request(Ed25519PrivateKey.generate(), token=OTHER))
    assert (status, json.loads(body)["error"]) == (409, InviteRefusal.HAS_AGENT)
    assert [agent.revoked_at for agent in await store.agents()] == [None]


async def test_a_copy_of_the_store_lets_nobody_enrol(store: SqliteStore) -> None:
    """The store has the id of an invitation and a masked key; neither makes a valid request."""
    masked = await store.invite_key(TOKEN.id)
    assert masked is not None
    assert masked != TOKEN.key
    key = Ed25519PrivateKey.generate()
    made = json.loads(request(key))
    claim = TOKEN.id + key.public_key().public_bytes_raw() + sha256(b"").digest() + COOP.id.encode()
    mac = hmac.digest(masked, b"commonwatt/3 enrol request\x00" + claim, "sha256")
    made["mac"] = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    status, _ = await enrolment_of(store)(json.dumps(made).encode())
    assert status == 403


async def test_a_key_that_needs_no_secret_is_refused(store: SqliteStore) -> None:
    identity = (1).to_bytes(32, "little")
    made = json.loads(request(Ed25519PrivateKey.generate()))
    proof = base64.urlsafe_b64encode(identity + bytes(32)).decode().rstrip("=")
    made |= {"public_key": base64.urlsafe_b64encode(identity).decode().rstrip("="), "proof": proof}
    status, body = await enrolment_of(store)(json.dumps(made).encode())
    assert (status, json.loads(body)["error"]) == (403, "the public key is not usable: make a new one")


async def test_a_store_that_fails_says_that_the_same_token_may_be_tried_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store, "redeem_invite", full)
    status, body = await enrolment_of(store)(request(Ed25519PrivateKey.generate()))
    assert status == 503
    assert "try again with the same token" in json.loads(body)["error"]


async def test_refused_requests_are_logged_once_a_minute_with_their_number(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    enrolment = enrolment_of(store, clock=Clock(real=lambda: now[0]))
    for _ in range(50):
        await enrolment(b"")
    now[0] = 60.0
    await enrolment(b"[]")
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "refused 1 requests to enrol, the newest with status 400",
        "refused 50 requests to enrol, the newest with status 400",
    ]


async def test_guesses_are_limited_and_whoever_knows_a_token_still_gets_in(store: SqliteStore) -> None:
    now = [0.0]
    enrolment = enrolment_of(store, clock=Clock(real=lambda: now[0]))
    wrong = request(Ed25519PrivateKey.generate(), token=OTHER)
    statuses = [(await enrolment(wrong))[0] for _ in range(40)]
    assert statuses == [403] * 30 + [429] * 10
    assert (await enrolment(request(Ed25519PrivateKey.generate())))[0] == 200
    now[0] = 60.0
    assert (await enrolment(wrong))[0] == 403, "a minute later"


async def test_a_new_agent_of_a_home_continues_under_the_homes_consent(store: SqliteStore) -> None:
    first = SendingHome("h01")
    await enrol(store, first, member="m01")
    bench = bench_on(store)
    await bench.receive(first.consent(default_consent("h01", 7)))
    assert await store.consent_bytes("h01") == (7, encode_consent(default_consent("h01", 7)))
    await invite(store, OTHER, replaces=first.agent)
    key = Ed25519PrivateKey.generate()
    asked = request(key, token=OTHER)
    _, body = await enrolment_of(store)(asked)
    public_key = key.public_key().public_bytes_raw()
    answer = open_answer(body, token=OTHER, request=asked, agent_public_key=public_key)
    assert parse_consent(answer.consent).version == 7
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
