"""A proxy between agent and hub over plain HTTP, which reads and rewrites everything: it learns and changes nothing.

Against the enrolment of release 0.2.0, a proxy of this kind read the token, enrolled a key of its own, gave the agent a
hub key of its own, and ground both until people on both sides saw the same six digits.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.setup.enrolment import enrol
from edge_agent.uplink.identity import Identity, own_key
from hub.storage.records import Home, Member
from hub.trust.enrolment import Enrolment
from hub.trust.invitation_keys import mask_key
from protocols.enrolment.answer import EnrolAnswer, parse_answer
from protocols.enrolment.handshake import build_request, seal_answer
from protocols.enrolment.token import EnrolToken, hub_hash_of, token_text
from protocols.errors import IdentityError
from protocols.hub_keys import HubSigner
from protocols.public_keys import agent_name_of
from protocols.timeline import Clock
from protocols.wire.topics import shard_of
from tests.hub.sending_home import COOP, NOW_S, open_store

SECRET = b"hub secret".ljust(32, b".")
HUB_KEY = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
TOKEN = EnrolToken(b"t" * 16, hub_hash_of(HUB_KEY.public_key().public_bytes_raw()))
PROXY_KEY = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
PROXY_PUBLIC = PROXY_KEY.public_key().public_bytes_raw()


class Proxy:
    """Sits between one agent and the hub. It may rewrite the request, the answer, or make either up."""

    def __init__(self, hub: Enrolment) -> None:
        self.hub = hub
        self.seen: list[bytes] = []
        self.rewrite_request: Callable[[bytes], bytes] = lambda body: body
        self.rewrite_answer: Callable[[bytes], bytes] = lambda body: body

    async def carry(self, body: bytes) -> bytes:
        sent = self.rewrite_request(body)
        status, answer = await self.hub(sent)
        self.seen += [body, answer]
        if status != 200:
            raise IdentityError(f"the hub refused ({status}): {json.loads(answer)['error']}")
        return self.rewrite_answer(answer)


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    store = await open_store(tmp_path)
    await store.add_member(Member("m01", "Household 1", "a@b.c", "en", False, 0), Home("h01", "Home", "m01"))
    masked = mask_key(TOKEN.key, token_id=TOKEN.id, secret=SECRET)
    await store.add_invite(TOKEN.id, home_id="h01", expires_at=NOW_S, masked_key=masked)

    async def nobody_waits() -> None:
        return None

    yield Proxy(
        Enrolment(
            store,
            coop=COOP,
            signer=HubSigner.of_one_key(HUB_KEY),
            secret=SECRET,
            broker=lambda: ("127.0.0.1", 1883),
            clock=Clock(real=lambda: float(NOW_S)),
            agents_changed=nobody_waits,
        )
    )
    await store.close()


async def through(proxy: Proxy, folder: Path) -> Identity:
    """Enrol an agent whose only way to the hub is the proxy."""
    request = build_request(own_key(folder), token=TOKEN, coop=COOP.id).encode()
    try:
        answer = await proxy.carry(request)
    except IdentityError as refusal:
        answer, refused = b"", refusal
    else:
        refused = None

    def post(body: bytes) -> bytes:
        assert body == request
        if refused is not None:
            raise refused
        return answer

    return enrol(folder, token_text(TOKEN), coop=COOP.id, post=post)


def octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def document_of(answer: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(octets(json.loads(answer)["document"]))
    return fields


async def test_what_passes_by_holds_neither_the_token_nor_its_key(proxy: Proxy, tmp_path: Path) -> None:
    made = await through(proxy, tmp_path / "data")
    assert made.enrolment.hub_public_key == HUB_KEY.public_key().public_bytes_raw()
    flat = b"".join(proxy.seen).replace(b"-", b"")
    for secret in (TOKEN.secret, TOKEN.key):
        assert text_of(secret).encode() not in b"".join(proxy.seen)
        assert secret.hex().encode() not in flat
    assert token_text(TOKEN).replace("-", "").encode() not in flat


async def test_it_cannot_enrol_a_key_of_its_own(proxy: Proxy, tmp_path: Path) -> None:
    """It knows the id from the request; without the token's key it can make no authentication code."""

    def with_own_key(body: bytes) -> bytes:
        fields = json.loads(body)
        claim = octets(fields["id"]) + PROXY_PUBLIC + sha256(b"").digest() + COOP.id.encode()
        proof = text_of(PROXY_KEY.sign(b"commonwatt/3 enrol proof\x00" + claim))
        return json.dumps(fields | {"public_key": text_of(PROXY_PUBLIC), "proof": proof}).encode()

    proxy.rewrite_request = with_own_key
    with pytest.raises(IdentityError, match=r"refused \(403\): mac: the sender does not know the token"):
        await through(proxy, tmp_path / "data")
    guessed = EnrolToken(b"g" * 16, TOKEN.hub_hash)
    proxy.rewrite_request = lambda _body: build_request(PROXY_KEY, token=guessed, coop=COOP.id).encode()
    with pytest.raises(IdentityError, match=r"refused \(403\): the invitation is unknown"):
        await through(proxy, tmp_path / "other")
    proxy.rewrite_request = lambda body: body
    await through(proxy, tmp_path / "data")


def resigned(answer: bytes, **changes: object) -> bytes:
    """The hub's answer with a changed document, signed with the proxy's key; the code is one for another key."""
    document = json.dumps(document_of(answer) | changes).encode()
    forged = {"version": 3, "document": text_of(document), "mac": json.loads(answer)["mac"]}
    signature = text_of(PROXY_KEY.sign(b"commonwatt/3 enrol answer\x00" + document))
    return json.dumps(forged | {"signature": signature}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"hub_public_key": text_of(PROXY_PUBLIC)},
        {"broker_host": "broker.example"},
        {"broker_port": 1},
        {"consent": 'home = "h01"\nversion = 9\noff = []\n'},
        {"agent_public_key": text_of(PROXY_PUBLIC)},
        {"home": "h02"},
        {},
    ],
)
async def test_it_cannot_change_the_answer(proxy: Proxy, tmp_path: Path, changes: dict[str, object]) -> None:
    proxy.rewrite_answer = lambda answer: resigned(answer, **changes)
    with pytest.raises(IdentityError, match="does not come from the hub that made the token") as caught:
        await through(proxy, tmp_path / "data")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data" / "enrolment.json").exists()
    proxy.rewrite_answer = lambda answer: answer
    made = await through(proxy, tmp_path / "data")
    assert made.enrolment.hub_public_key == HUB_KEY.public_key().public_bytes_raw(), "nothing was lost by it"


async def test_even_with_the_tokens_key_it_cannot_be_the_hub(proxy: Proxy, tmp_path: Path) -> None:
    """Whoever read the token over somebody's shoulder still has not the hub's key, whose hash the token holds."""

    def as_own_hub(answer: bytes) -> bytes:
        fields = document_of(answer)
        extra = {"agent_public_key", "request"}
        content = parse_answer(json.dumps({k: v for k, v in fields.items() if k not in extra} | {"version": 3}))
        name = agent_name_of(octets(fields["agent_public_key"]))
        content = replace(content, hub_public_key=PROXY_PUBLIC, agent=name, shard=shard_of(name))
        assert isinstance(content, EnrolAnswer)
        return seal_answer(
            content,
            agent_public_key=octets(fields["agent_public_key"]),
            request=proxy.seen[-2],
            token_key=TOKEN.key,
            hub_key=PROXY_KEY,
        ).encode()

    proxy.rewrite_answer = as_own_hub
    with pytest.raises(IdentityError, match="its hub key is not the one in the token"):
        await through(proxy, tmp_path / "data")
