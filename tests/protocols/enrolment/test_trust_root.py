"""The root certificate that a hub shows: only the hub of the token can vouch for one, whoever carries it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.enrolment.token import EnrolToken, hub_hash_of
from protocols.enrolment.trust_root import MAX_ROOT_BYTES, open_root, seal_root
from protocols.hub_keys import HubSigner
from protocols.wire.refusal_reasons import WireError
from tests.coop_authority import TestAuthority
from tests.protocols.wire.wire_samples import HUB_KEY

COOP = "sunny-street"
TOKEN = EnrolToken(bytes(range(16)), hub_hash_of(HUB_KEY.public_key().public_bytes_raw()))
OURS, FOREIGN = (TestAuthority(name).root_pem.decode() for name in ("ours", "foreign"))
SHOWN = seal_root(COOP, root_pem=OURS, signer=HubSigner.of_one_key(HUB_KEY))
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
STRANGERS_KEY = base64.urlsafe_b64encode(STRANGER.public_key().public_bytes_raw()).decode().rstrip("=")


def test_the_root_reads_back() -> None:
    assert open_root(SHOWN, token=TOKEN, coop=COOP) == OURS
    assert open_root(SHOWN.encode(), token=TOKEN, coop=COOP) == OURS


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"root": FOREIGN}, "the hub did not sign it"),
        ({"coop": "other-street"}, "the hub did not sign it"),
        ({"signature": "A" * 86}, "the hub did not sign it"),
        ({"hub_public_key": STRANGERS_KEY}, "not the one in the token"),
        (
            json.loads(seal_root(COOP, root_pem=FOREIGN, signer=HubSigner.of_one_key(STRANGER))),
            "not the one in the token",
        ),
    ],
)
def test_nobody_else_can_put_a_root_in_its_place(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(WireError, match=words):
        open_root(json.dumps(json.loads(SHOWN) | changes), token=TOKEN, coop=COOP)


def test_the_hub_of_another_co_op_is_named() -> None:
    with pytest.raises(ValueError, match="the hub belongs to co-op 'sunny-street', expected 'mond'"):
        open_root(SHOWN, token=TOKEN, coop="mond")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        json.dumps(json.loads(SHOWN) | {"version": 2}),
        json.dumps(json.loads(SHOWN) | {"more": 1}),
        SHOWN.ljust(MAX_ROOT_BYTES + 1),
    ],
)
def test_what_is_no_such_document_gets_one_line(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        open_root(text, token=TOKEN, coop=COOP)
    assert "\n" not in str(caught.value)


def test_a_hub_does_not_show_what_no_agent_would_take() -> None:
    with pytest.raises(ValueError, match="root: not in PEM form"):
        seal_root(COOP, root_pem="x", signer=HubSigner.of_one_key(HUB_KEY))
