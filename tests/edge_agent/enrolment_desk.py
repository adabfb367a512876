"""A hub's answers to enrolment requests, for tests of the agent."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.__main__ import main
from protocols.consent.rules import default_consent
from protocols.consent.text import consent_toml
from protocols.enrolment.answer import EnrolAnswer
from protocols.enrolment.handshake import parse_request, seal_answer
from protocols.enrolment.token import EnrolToken, hub_hash_of, token_text
from protocols.public_keys import agent_name_of
from protocols.wire.topics import shard_of

HUB_KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
TOKEN = EnrolToken(bytes(range(16)), hub_hash_of(HUB_KEY.public_key().public_bytes_raw()))


def sealed_reply(
    body: bytes,
    *,
    coop: str = "sonne",
    hub_key: Ed25519PrivateKey = HUB_KEY,
    token_key: bytes = TOKEN.key,
    broker_host: str = "127.0.0.1",
) -> bytes:
    """What a hub with this key answers to this request."""
    agent_key = parse_request(body).public_key
    name = agent_name_of(agent_key)
    answer = EnrolAnswer(
        *(coop, "h01", name, shard_of(name), hub_key.public_key().public_bytes_raw(), broker_host, 1883, "UTC"),
        consent=consent_toml(default_consent("h01")),
    )
    sealed = seal_answer(answer, agent_public_key=agent_key, request=body, token_key=token_key, hub_key=hub_key)
    return sealed.encode()


CONFIG = """data = "data"
consent = "consent.toml"
[hub]
url = "http://127.0.0.1:8400"
coop = "sonne"
[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:1"
max_power_w = 15000
"""
"""A home with one meter, which nobody reads."""


def enrol_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enrol a home in this folder by the command, with a hub that answers as it should."""
    monkeypatch.setattr("edge_agent.setup.hub_site.post_to", lambda _url, **_: sealed_reply)
    (folder / "agent.toml").write_text(CONFIG)
    (folder / "token").write_text(token_text(TOKEN))
    arguments = ["--config", str(folder / "agent.toml"), "--token-file", str(folder / "token")]
    assert main(["enrol", *arguments]) == 0
