"""The notice of the grid meter: told at the start and every six hours, sealed under its own topic."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.uplink.meter_teller import TELL_EVERY_S, MeterTeller
from edge_agent.uplink.sealing import AgentSigner
from protocols.wire.envelope import open_sealed
from protocols.wire.meter_notices import MeterNotice, decode_meter

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOTICE = MeterNotice("a-1", 0, 1000, "bronze", "separate", "netted", True, "none")


def test_it_is_told_at_once_and_again_after_six_hours() -> None:
    steady = [0.0]
    teller = MeterTeller(AgentSigner("coop", "a-1", KEY), monotonic=lambda: steady[0], now=lambda: 1_780_000_000.5)
    assert teller.due() is None, "nothing to tell before the time is known"
    teller.notice = NOTICE
    told = teller.due()
    assert told is not None
    topic, sealed = told
    assert topic.endswith("/a-1/up/meter")
    found = decode_meter(open_sealed(sealed, topic, KEY.public_key()))
    assert (found.at, found.quality, found.from_slot) == (1_780_000_000, "bronze", 1000)
    assert teller.due() is not None, "it did not reach the broker yet"
    teller.told()
    assert teller.due() is None
    steady[0] = TELL_EVERY_S
    assert teller.due() is not None
