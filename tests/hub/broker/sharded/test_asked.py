"""Where a home that asks is sent: among the nodes of a cluster to one that answers, and not for ever to the same."""

import asyncio

import pytest

from hub.broker.sharded.asked import TURN_S, AskedNotices, Reach
from hub.broker.sharded.directory import Directory, HomesAddress
from hub.broker.sharded.notices import BrokerNotices
from protocols.enrolment.broker_notices import decode_broker
from protocols.hub_keys import HubSigner
from protocols.timeline import Clock
from protocols.wire.envelope import open_sealed
from protocols.wire.topics import shard_of
from tests.hub.broker.sharded.test_links import AGENTS, COOP
from tests.hub.broker.sharded.test_notices import KEY, NOW_S

NODES = [HomesAddress(frozenset(range(n, 64, 3)), f"n{n + 1}", 8883) for n in range(3)]
CLUSTER = Directory("hub.example", NODES, is_cluster=True)
NOTICES = BrokerNotices(CLUSTER, coop=COOP, signer=HubSigner.of_one_key(KEY), clock=Clock(real=lambda: NOW_S))
OF_SECOND = next(each for each in AGENTS if shard_of(each) % 3 == 1)


async def sent_to(agent: str, *, up: str, turn: int = 0) -> str:
    async def reaches(address: tuple[str, int]) -> bool:
        return address[0] in up.split()

    asked = AskedNotices(NOTICES, CLUSTER, now=lambda: float(turn * TURN_S), reaches=reaches)
    topic, sealed = await asked.sealed(agent)
    return decode_broker(open_sealed(sealed, topic, KEY.public_key())).host


@pytest.mark.parametrize(("up", "expected"), [("n1 n2 n3", "n2"), ("n1 n3", "n3"), ("n1", "n1"), ("", "n2")])
async def test_a_home_is_sent_to_a_node_that_answers(up: str, expected: str) -> None:
    assert await sent_to(OF_SECOND, up=up) == expected


async def test_a_node_that_a_home_alone_cannot_reach_is_not_the_answer_for_ever() -> None:
    assert {await sent_to(OF_SECOND, up="n1 n2 n3", turn=turn) for turn in range(3)} == {"n1", "n2", "n3"}


async def test_one_broker_is_the_answer_without_a_look() -> None:
    async def reaches(_address: tuple[str, int]) -> bool:
        raise AssertionError("nobody looks")

    only = Directory("hub.example", [HomesAddress(frozenset(range(64)), "hub.example", 8883)])
    notices = BrokerNotices(only, coop=COOP, signer=HubSigner.of_one_key(KEY), clock=Clock(real=lambda: NOW_S))
    topic, sealed = await AskedNotices(notices, only, now=lambda: 0.0, reaches=reaches).sealed(OF_SECOND)
    assert decode_broker(open_sealed(sealed, topic, KEY.public_key())).host == "hub.example"


async def test_an_address_answers_or_does_not() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    address = ("127.0.0.1", server.sockets[0].getsockname()[1])
    assert await Reach()(address)
    server.close()
    await server.wait_closed()
    assert not await Reach()(address)
