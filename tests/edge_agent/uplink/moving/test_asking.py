"""Asking the hub where the broker is: only what the hub signed for this agent is taken, and only while it is needed."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.uplink.hub_keys import KnownHubKeys
from edge_agent.uplink.moving.asking import LOOK_FIRST_S, AskingParts, ask_once, keep_asking
from edge_agent.uplink.moving.looking import LOOK_MAX_S
from edge_agent.uplink.moving.place import BrokerPlace
from protocols.enrolment.broker_notices import BrokerNotice, build_place, encode_broker, parse_question
from protocols.errors import IdentityError
from protocols.hub_keys import HubKeyCertificate, seal_certificate
from protocols.wire.envelope import seal
from protocols.wire.topics import downlink_topic

COOP, AGENT, NOW_S = "c", "a-1", 1_790_000_000
ENROLLED, OTHER = ("hub.example", 8883), ("b2.example", 8883)
IDENTITY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HUB = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))


def certificate() -> str:
    public_key = HUB.public_key().public_bytes_raw()
    return seal_certificate(HubKeyCertificate(COOP, 1, public_key, NOW_S, NOW_S + 86400, NOW_S), IDENTITY)


def answer(key: Ed25519PrivateKey, *, agent: str = AGENT, kind: str = "broker", vouched: str = "") -> bytes:
    sealed = seal(key, downlink_topic(COOP, agent, kind=kind), encode_broker(BrokerNotice(AGENT, NOW_S, *OTHER)))
    return build_place(sealed, hub_certificate=vouched).encode()


def asking(folder: Path, post: Callable[[bytes], bytes]) -> AskingParts:
    place = BrokerPlace(ENROLLED, agent=AGENT, folder=folder, now=lambda: float(NOW_S))
    identity = IDENTITY.public_key().public_bytes_raw()
    keys = KnownHubKeys(folder, coop=COOP, identity=identity, first="", now=lambda: float(NOW_S))
    return AskingParts(place, keys, COOP, AGENT, post, is_out_of_reach=lambda: True, random=lambda: 0.5)


@pytest.mark.parametrize("vouched", ["", certificate()])
async def test_what_the_hub_signed_is_taken(tmp_path: Path, vouched: str) -> None:
    asked: list[bytes] = []

    def post(body: bytes) -> bytes:
        asked.append(body)
        return answer(HUB if vouched else IDENTITY, vouched=vouched)

    parts = asking(tmp_path, post)
    assert await ask_once(parts) is None
    assert parts.place.address == OTHER
    assert [parse_question(each) for each in asked] == [AGENT]


@pytest.mark.parametrize(
    "shown",
    [
        answer(STRANGER),
        answer(HUB),
        answer(STRANGER, vouched=certificate()),
        answer(IDENTITY, agent="a-2"),
        answer(IDENTITY, kind="maps"),
        answer(IDENTITY, vouched="{}"),
        answer(IDENTITY)[:-20],
        b"",
        b"x" * 100_000,
    ],
)
async def test_anything_else_is_said_and_changes_nothing(tmp_path: Path, shown: bytes) -> None:
    parts = asking(tmp_path, lambda _: shown)
    assert "not taken" in str(await ask_once(parts))
    assert parts.place.address == ENROLLED


async def test_a_hub_that_is_off_or_older_is_no_trouble_of_its_own(tmp_path: Path) -> None:
    def post(_: bytes) -> bytes:
        raise IdentityError("the hub refused (404): this address is not here")

    assert await ask_once(asking(tmp_path, post)) is None


async def test_it_is_asked_only_while_out_of_reach_and_less_and_less_often(tmp_path: Path) -> None:
    connected, asked, pauses = [True, False, False, False, True, False, *[False] * 20], list[int](), list[float]()

    async def pause(seconds: float) -> None:
        if len(pauses) == len(connected):
            raise asyncio.CancelledError
        pauses.append(seconds)

    def post(_: bytes) -> bytes:
        asked.append(len(pauses))
        return answer(IDENTITY)

    parts = asking(tmp_path, post)
    is_out_of_reach = lambda: not connected[len(pauses) - 1]  # noqa: E731
    made = AskingParts(
        parts.place, parts.hub_keys, COOP, AGENT, post, is_out_of_reach=is_out_of_reach, random=lambda: 0.5, pause=pause
    )
    with pytest.raises(asyncio.CancelledError):
        await keep_asking(made)
    assert asked[:4] == [2, 3, 4, 6], "not while it is connected"
    assert pauses[:6] == [LOOK_FIRST_S * times for times in (1, 1, 2, 4, 8, 1)]
    assert max(pauses) == LOOK_MAX_S
