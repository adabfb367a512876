"""POST /api/renew: a certificate for an agent in good standing, one sentence for everybody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.uplink.tls.files import certificate_request, tls_public_key
from hub.storage.errors import StoreError
from hub.storage.records import Agent, Home, Member
from hub.storage.sqlite.store import SqliteStore
from hub.trust.invitation_keys import mask_key
from hub.trust.renewal import REVOKED, UNKNOWN, Renewal
from protocols.enrolment.certificates import Validity, check_chain
from protocols.enrolment.renewal import build_renewal, parse_renewed
from protocols.public_keys import agent_name_of
from protocols.wire.topics import shard_of
from tests.coop_authority import LIFE_S, TestAuthority
from tests.hub.sending_home import COOP, NOW_S, open_store

SECRET = b"hub secret".ljust(32, b".")
KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(letter * 32) for letter in (b"a", b"b"))
AGENT = agent_name_of(KEY.public_key().public_bytes_raw())
OURS = TestAuthority()


async def add_agent(store: SqliteStore, key: Ed25519PrivateKey, *, replaces: str | None = None) -> str:
    """Enrol a key for the home, in place of another agent if one is named."""
    public = key.public_key().public_bytes_raw()
    name, token_id = agent_name_of(public), public
    masked = mask_key(bytes(32), token_id=token_id, secret=SECRET)
    await store.add_invite(token_id, home_id="h01", expires_at=NOW_S, masked_key=masked, replaces=replaces)
    agent = Agent(name, "", shard_of(name), public, NOW_S, None)
    assert await store.redeem_invite(token_id, agent=agent, now=NOW_S) is None
    return name


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_store(tmp_path)
    await opened.add_member(Member("m01", "Household 1", "a@b.c", "en", False, 0), Home("h01", "Home", "m01"))
    await add_agent(opened, KEY)
    yield opened
    await opened.close()


class Desk:
    """A hub's renewals at a time that the test sets."""

    def __init__(self, store: SqliteStore, folder: Path) -> None:
        self.now_s = float(NOW_S)
        self.csr = certificate_request(folder / "agent", agent=AGENT)
        self.public_key = tls_public_key(folder / "agent") or b""
        self.ask = Renewal(store, coop=COOP, authority=OURS, now=lambda: self.now_s)

    def request(
        self,
        *,
        key: Ed25519PrivateKey = KEY,
        agent: str = AGENT,
        coop: str = COOP.id,
        at: int | None = None,
        csr: bytes | None = None,
    ) -> bytes:
        moment = int(self.now_s) if at is None else at
        return build_renewal(key, agent=agent, coop=coop, csr=self.csr if csr is None else csr, at=moment).encode()

    async def refusal(self, body: bytes) -> tuple[int, str]:
        status, answer = await self.ask(body)
        return status, str(json.loads(answer)["error"])


@pytest.fixture
def desk(store: SqliteStore, tmp_path: Path) -> Desk:
    return Desk(store, tmp_path)


async def test_an_enrolled_agent_gets_its_next_certificate(desk: Desk) -> None:
    status, answer = await desk.ask(desk.request())
    assert status == 200
    root = OURS.root_pem.decode()
    found = check_chain(parse_renewed(answer), root_pem=root, agent=AGENT, public_key=desk.public_key)
    assert found == Validity(NOW_S, NOW_S + LIFE_S)


async def test_strangers_and_wrong_signatures_get_nothing(desk: Desk) -> None:
    before = OURS.issued
    for body in (
        desk.request(agent="a-stranger"),
        desk.request(key=OTHER),
        desk.request(coop="other"),
        desk.request().replace(b'"at": 1', b'"at": 2', 1),
    ):
        assert await desk.refusal(body) == (403, UNKNOWN)
    for body, status in ((b"", 400), (b"{}", 400), (b"x" * 2049, 413), (desk.request(csr=b"no request"), 400)):
        found, sentence = await desk.refusal(body)
        assert (found, "\n" in sentence) == (status, False)
    assert OURS.issued == before


async def test_a_revoked_agent_is_refused_from_that_moment(desk: Desk, store: SqliteStore) -> None:
    await add_agent(store, OTHER, replaces=AGENT)
    assert await desk.refusal(desk.request()) == (403, REVOKED)
    assert await desk.refusal(desk.request(key=OTHER)) == (403, UNKNOWN), "only the agent itself learns that"


@pytest.mark.parametrize(("off_s", "way"), [(601, "ahead of"), (-601, "behind"), (365 * 86400, "525600 minutes ahead")])
async def test_a_clock_that_is_off_is_told_by_how_much(desk: Desk, off_s: int, way: str) -> None:
    status, sentence = await desk.refusal(desk.request(at=NOW_S + off_s))
    assert status == 409
    assert way in sentence
    assert (await desk.ask(desk.request(at=NOW_S + (600 if off_s > 0 else -600))))[0] == 200


async def test_a_captured_request_is_answered_once(desk: Desk) -> None:
    body = desk.request()
    assert (await desk.ask(body))[0] == 200
    assert (await desk.refusal(body))[0] == 409
    assert (await desk.refusal(desk.request(at=NOW_S - 1)))[0] == 409, "one made earlier"
    desk.now_s += 1
    assert (await desk.ask(desk.request()))[0] == 200, "a lost answer is asked for anew"
    desk.now_s += 601
    assert (await desk.refusal(body))[0] == 409


async def test_tries_are_limited_and_logged_once_a_minute(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    wrong = desk.request(key=OTHER)
    assert [(await desk.ask(wrong))[0] for _ in range(40)] == [403] * 30 + [429] * 10
    assert (await desk.ask(desk.request()))[0] == 200, "a right one is answered all the same"
    said = [each.getMessage() for each in caplog.records if "refused" in each.getMessage()]
    assert said == ["refused 1 requests to renew, the newest with status 403"]


async def test_a_store_that_fails_says_to_try_again(
    desk: Desk, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> tuple[Agent, ...]:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(store, "agents", broken)
    status, sentence = await desk.refusal(desk.request())
    assert (status, "try again" in sentence) == (503, True)
