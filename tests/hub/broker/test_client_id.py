"""The hub's session at its broker belongs to the hub alone, on this computer as well."""

import asyncio
from pathlib import Path

import pytest

from hub.broker.check.client import CheckClient, HomesPlace
from hub.broker.client_id import hub_client_id
from hub.broker.connection import BrokerLink
from hub.broker.plans import plan_broker
from protocols.wire.topics import up_filters
from tests.hub.broker.test_supervisor import KINDS, running, settings_of, until


def test_it_is_random_kept_and_private(tmp_path: Path) -> None:
    first = hub_client_id(tmp_path / "b", coop="c")
    assert hub_client_id(tmp_path / "b", coop="c") == first
    assert hub_client_id(tmp_path / "other", coop="c") != first
    assert (tmp_path / "b" / "client-id").stat().st_mode & 0o077 == 0
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("held", ["", "hub-c", "hub-other-AAAAAAAAAAAAAAAAAAAAAAAA"])
def test_a_file_without_a_secret_is_replaced(tmp_path: Path, held: str) -> None:
    (tmp_path / "client-id").write_text(held)
    assert len(hub_client_id(tmp_path, coop="c")) > 25


@pytest.mark.parametrize("kind", KINDS)
async def test_a_program_that_knows_the_coop_cannot_take_the_hubs_session(tmp_path: Path, kind: str) -> None:
    plan = plan_broker(settings_of(kind), folder=tmp_path / "b", coop="c", port=0)
    async with running(plan):
        link = BrokerLink(
            client_id=hub_client_id(tmp_path / "b", coop="c"), filters=up_filters("c"), deliver=lambda _: None
        )
        link.start(plan.address)
        await until(lambda: link.is_connected)
        first = link.connections
        place = HomesPlace(plan.address.host, plan.address.port)
        for _ in range(3):
            thief = await asyncio.to_thread(CheckClient.of_home, place, client_id="hub-c", identity=None)
            await asyncio.to_thread(thief.publish, "cw1/c/1/hub-c/up/batch")
            await asyncio.to_thread(thief.close)
        assert link.is_connected
        assert link.connections == first
        await asyncio.to_thread(link.stop)
