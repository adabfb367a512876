"""Bundles as a hub seals them for one agent, and the enrolment that says whose signature counts."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.maps.coop.kept import ENROLMENT
from edge_agent.maps.coop.sealed import SealedBundle
from protocols.consent.rules import default_consent
from protocols.consent.text import consent_toml
from protocols.enrolment.answer import EnrolAnswer, build_answer
from protocols.wire.envelope import seal
from protocols.wire.map_bundles.content import MapBundle, encode_bundle
from protocols.wire.map_bundles.parts import encode_part, split_bundle
from protocols.wire.topics import downlink_topic, shard_of

HUB_KEY = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
COOP, AGENT = "coop", "a-1"
DOWN = downlink_topic(COOP, AGENT, kind="maps")


def enrolled(folder: Path, *, identity: Ed25519PrivateKey = HUB_KEY) -> None:
    """The home is enrolled with the co-op of this identity key."""
    answer = EnrolAnswer(
        coop=COOP,
        home="h01",
        agent=AGENT,
        shard=shard_of(AGENT),
        hub_public_key=identity.public_key().public_bytes_raw(),
        broker_host="127.0.0.1",
        broker_port=1883,
        tz="UTC",
        consent=consent_toml(default_consent("h01")),
    )
    (folder / ENROLMENT).write_text(build_answer(answer))


def sealed_bundle(
    bundle: MapBundle, *, key: Ed25519PrivateKey = HUB_KEY, certificates: tuple[str, ...] = ()
) -> SealedBundle:
    """The bundle as this hub key seals it for the agent."""
    parts = split_bundle(bundle.serial, encode_bundle(bundle))
    return SealedBundle(AGENT, certificates, tuple(seal(key, DOWN, encode_part(part)) for part in parts))
