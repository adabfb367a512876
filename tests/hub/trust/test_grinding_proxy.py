"""A proxy that ends TLS, substitutes every part of enrolment 3 and grinds keys: it gains nothing and costs no token.

Whatever it does, either the agent keeps nothing, or the hub and the agent hold exactly what they would without it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.setup.enrolment import enrol, find_root
from edge_agent.uplink.identity import Identity, own_key
from edge_agent.uplink.tls.files import certificate_request
from hub.storage.records import Home, Member
from hub.storage.sqlite.store import SqliteStore
from hub.trust.enrolment import Enrolment
from hub.trust.invitation_keys import mask_key
from protocols.enrolment.handshake import build_request
from protocols.enrolment.token import EnrolToken, hub_hash_of, token_text
from protocols.enrolment.trust_root import seal_root
from protocols.errors import IdentityError
from protocols.hub_keys import HubSigner
from protocols.public_keys import agent_name_of
from protocols.timeline import Clock
from tests.coop_authority import TestAuthority
from tests.hub.sending_home import COOP, NOW_S, open_store

SECRET = b"hub secret".ljust(32, b".")
HUB_KEY = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
TOKEN = EnrolToken(b"t" * 16, hub_hash_of(HUB_KEY.public_key().public_bytes_raw()))
OURS, THEIRS = TestAuthority(), TestAuthority("proxy")
SHOWN = seal_root(COOP.id, root_pem=OURS.root_pem.decode(), signer=HubSigner.of_one_key(HUB_KEY)).encode()
PROXY_KEY = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
PROXY = HubSigner.of_one_key(PROXY_KEY)
PROXY_PUBLIC = PROXY_KEY.public_key().public_bytes_raw()
GROUND = 2000


async def nobody_waits() -> None:
    return None


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_store(tmp_path)
    await opened.add_member(Member("m01", "Household 1", "a@b.c", "en", False, 0), Home("h01", "Home", "m01"))
    masked = mask_key(TOKEN.key, token_id=TOKEN.id, secret=SECRET)
    await opened.add_invite(TOKEN.id, home_id="h01", expires_at=NOW_S, masked_key=masked)
    yield opened
    await opened.close()


def desk_of(store: SqliteStore, *, host: str = "hub.example", authority: TestAuthority | None = OURS) -> Enrolment:
    return Enrolment(
        store,
        coop=COOP,
        signer=HubSigner.of_one_key(HUB_KEY),
        secret=SECRET,
        broker=lambda: (host, 8883),
        clock=Clock(real=lambda: float(NOW_S)),
        agents_changed=nobody_waits,
        authority=authority,
        enrol_port=8443,
        real_now=lambda: float(NOW_S),
    )


def octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


async def through(store: SqliteStore, folder: Path, change: Callable[[str, bytes], bytes]) -> Identity:
    """Enrol an agent whose every message passes `change`, which is told which message it is."""
    root = find_root(token_text(TOKEN), coop=COOP.id, fetch=lambda: change("root", SHOWN))
    key = own_key(folder)
    csr = certificate_request(folder, agent=agent_name_of(key.public_key().public_bytes_raw()))
    request = build_request(key, token=TOKEN, coop=COOP.id, csr=csr).encode()
    status, answer = await desk_of(store)(change("request", request))

    def post(body: bytes) -> bytes:
        if status != 200:
            raise IdentityError(f"the hub refused ({status}): {json.loads(answer)['error']}")
        return change("answer", answer)

    with pytest.MonkeyPatch.context() as patched:
        # The request that was sent, as a certificate request is signed anew each time.
        patched.setattr("edge_agent.setup.enrolment.certificate_request", lambda *_, **__: csr)
        return enrol(folder, token_text(TOKEN), coop=COOP.id, post=post, root=root)


def own_request(csr: bytes, *, public: bytes = PROXY_PUBLIC) -> dict[str, str]:
    """The proxy's parts of a request: its key, its certificate request, its proof; it cannot make the mac."""
    claim = TOKEN.id + public + sha256(csr).digest() + COOP.id.encode()
    return {
        "public_key": text_of(public),
        "csr": text_of(csr),
        "proof": text_of(PROXY_KEY.sign(b"commonwatt/3 enrol proof\x00" + claim)),
    }


def resealed(answer: bytes, changes: dict[str, Any]) -> bytes:
    """The hub's answer with a changed document, signed by the proxy; its mac is made with a guessed key."""
    document = json.dumps(json.loads(octets(json.loads(answer)["document"])) | changes).encode()
    signature = text_of(PROXY_KEY.sign(b"commonwatt/3 enrol answer\x00" + document))
    return json.dumps(json.loads(answer) | {"document": text_of(document), "signature": signature}).encode()


def substitutions(folder: Path) -> dict[str, tuple[str, Callable[[bytes], bytes]]]:
    """What the proxy puts in place of which message."""
    csr = certificate_request(folder / "proxy", agent="a-proxy")
    theirs = THEIRS.root_pem.decode()
    certificate = THEIRS.issue_agent(csr, agent="a-proxy", now_s=NOW_S).decode()

    def with_fields(changes: dict[str, Any]) -> Callable[[bytes], bytes]:
        return lambda body: json.dumps(json.loads(body) | changes).encode()

    def document(changes: dict[str, Any]) -> Callable[[bytes], bytes]:
        return lambda body: resealed(body, changes)

    return {
        "root of its own": ("root", with_fields({"root": theirs})),
        "root under its own key": (
            "root",
            lambda _body: seal_root(COOP.id, root_pem=theirs, signer=PROXY).encode(),
        ),
        "key of its own": ("request", with_fields(own_request(csr))),
        "csr of its own": ("request", with_fields({"csr": text_of(csr)})),
        "no csr": ("request", with_fields({"csr": ""})),
        "older version": ("request", with_fields({"version": 2})),
        "hub key": ("answer", document({"hub_public_key": text_of(PROXY_PUBLIC)})),
        "root in the answer": ("answer", document({"root": theirs, "certificate": certificate})),
        "certificate": ("answer", document({"certificate": certificate})),
        "broker": ("answer", document({"broker_host": "proxy.example"})),
        "port": ("answer", document({"enrol_port": 1})),
        "no TLS": ("answer", document({"broker_tls": False, "root": "", "certificate": "", "enrol_port": 0})),
        "consent": ("answer", document({"consent": 'home = "h01"\nversion = 9\n'})),
    }


NAMES = (
    *("root of its own", "root under its own key", "key of its own", "csr of its own", "no csr", "older version"),
    *("hub key", "root in the answer", "certificate", "broker", "port", "no TLS", "consent"),
)


@pytest.mark.parametrize("name", NAMES)
async def test_each_substitution_is_refused_and_the_token_still_enrols_the_agent(
    store: SqliteStore, tmp_path: Path, name: str
) -> None:
    table = substitutions(tmp_path)
    assert tuple(table) == NAMES
    which, put = table[name]
    data = tmp_path / "data"
    with pytest.raises(IdentityError) as caught:
        await through(store, data, lambda message, body: put(body) if message == which else body)
    assert "\n" not in str(caught.value)
    assert not (data / "enrolment.json").exists()
    assert [agent.id for agent in await store.agents() if agent.public_key == PROXY_PUBLIC] == []
    made = await through(store, data, lambda _message, body: body)
    assert made.enrolment.hub_public_key == HUB_KEY.public_key().public_bytes_raw()
    assert made.enrolment.root == OURS.root_pem.decode()
    assert [agent.id for agent in await store.agents()] == [made.enrolment.agent]


async def test_grinding_keys_finds_none_that_the_token_takes(store: SqliteStore, tmp_path: Path) -> None:
    """With 20 bits to match, as six digits were, 2 x 895 keys sufficed; the token holds 80 bits of one key."""
    closest = 0
    for number in range(GROUND):
        key = Ed25519PrivateKey.from_private_bytes(sha256(number.to_bytes(4)).digest())
        found = hub_hash_of(key.public_key().public_bytes_raw())
        differs = int.from_bytes(found) ^ int.from_bytes(TOKEN.hub_hash)
        closest = max(closest, 80 - differs.bit_length())
        assert found != TOKEN.hub_hash
    assert closest < 40, "and the best of them is far away"
    with pytest.raises(IdentityError, match="its hub key is not the one in the token"):
        find_root(
            token_text(TOKEN),
            coop=COOP.id,
            fetch=lambda: seal_root(COOP.id, root_pem=THEIRS.root_pem.decode(), signer=PROXY).encode(),
        )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_changed_byte_of_the_shown_root_is_taken(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(SHOWN) - 1))
    changed = SHOWN[:at] + bytes([data.draw(st.integers(0, 255))]) + SHOWN[at + 1 :]
    root = None
    with suppress(IdentityError):
        root = find_root(token_text(TOKEN), coop=COOP.id, fetch=lambda: changed)
    assert root in (None, OURS.root_pem.decode())


async def test_a_request_without_a_certificate_request_does_not_cost_the_token(store: SqliteStore) -> None:
    bare = build_request(PROXY_KEY, token=TOKEN, coop=COOP.id).encode()
    status, answer = await desk_of(store)(bare)
    assert status == 400
    assert json.loads(answer)["error"] == "csr: this hub gives certificates: enrol over https at port 8443"
    damaged = build_request(PROXY_KEY, token=TOKEN, coop=COOP.id, csr=b"damaged").encode()
    assert (await desk_of(store)(damaged))[0] == 400
    assert await store.agents() == ()


async def test_without_an_authority_only_this_computer_is_served(store: SqliteStore) -> None:
    bare = build_request(PROXY_KEY, token=TOKEN, coop=COOP.id).encode()
    status, answer = await desk_of(store, authority=None)(bare)
    assert status == 503
    assert "the board must set [public] in hub.toml" in json.loads(answer)["error"]
    assert await store.agents() == ()
    assert (await desk_of(store, authority=None, host="127.0.0.1")(bare))[0] == 200
