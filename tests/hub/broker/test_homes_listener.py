"""The listener for homes: who gets in, what each may read and write, and how revoking reaches a connected agent."""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.broker.access_keeper import AccessKeeper
from hub.broker.access_rules import CHECK_IDS, CHECK_NEIGHBOUR, KnownAgents
from hub.broker.check.client import CheckClient, HomesPlace
from hub.broker.check.roles import RoleResult, check_broker, roles_of
from hub.broker.client_id import hub_client_id
from hub.broker.connection import BrokerLink, Delivery
from hub.broker.mosquitto_files import find_mosquitto
from hub.broker.plans import BrokerError, free_port, plan_broker
from hub.broker.supervisor import BrokerProcess
from protocols.wire.topics import down_filter, downlink_topic, up_filters, uplink_topic
from tests.hub.broker.coop_certificates import SERVER, CoopCertificates
from tests.hub.broker.test_supervisor import children_of, settings_of, until

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here")
COOP = "c"
X, Y = "a-x", "a-y"
RELOADED_S = 60


class Served:
    """A running Mosquitto for homes, with its keeper and what the hub got."""

    def __init__(self, folder: Path, process: BrokerProcess, coop: CoopCertificates) -> None:
        self.folder, self.process, self.coop = folder, process, coop
        self.keeper = AccessKeeper(process, coop=COOP)
        homes = process.plan.homes
        assert homes is not None
        self.place = HomesPlace("127.0.0.1", homes.port, coop.root_file)
        self.arrived: list[Delivery] = []

    async def agent(self, name: str, *, claims: str | None = None, file: str = "") -> CheckClient:
        identity = self.coop.identity(name, file=file)
        return await asyncio.to_thread(CheckClient.of_home, self.place, client_id=claims or name, identity=identity)

    async def check(self) -> tuple[RoleResult, ...]:
        strangers = CoopCertificates(self.folder / "elsewhere")
        identities = {name: self.coop.identity(name) for name in CHECK_IDS}
        identities["expired"] = self.coop.identity("check-member", days=(-30, -1), file="expired")
        identities["foreign"] = strangers.identity("check-member")
        return await asyncio.to_thread(
            check_broker,
            self.place,
            self.process.plan.address,
            coop=COOP,
            roles=roles_of(identities),
            neighbour=identities[CHECK_NEIGHBOUR],
        )


@asynccontextmanager
async def serving(folder: Path, allowed: Sequence[str] = ()) -> AsyncIterator[Served]:
    coop = CoopCertificates(folder / "authority")
    plan = plan_broker(
        settings_of("mosquitto"), folder=folder / "b", coop=COOP, port=0, homes=coop.listener(free_port("127.0.0.1"))
    )
    process = BrokerProcess(plan)
    task = asyncio.create_task(process.run())
    served = Served(folder, process, coop)
    link = BrokerLink(
        client_id=hub_client_id(folder / "b", coop=COOP), filters=up_filters(COOP), deliver=served.arrived.extend
    )
    try:
        await asyncio.wait_for(process.ready.wait(), 20)
        await served.keeper.update(KnownAgents(frozenset(allowed)))
        link.start(plan.address)
        await until(lambda: link.is_connected)
        yield served
    finally:
        await asyncio.to_thread(link.stop)
        task.cancel()
        await asyncio.wait({task})


async def publishes(client: CheckClient, agent: str, *, kind: str = "batch") -> bool:
    return await asyncio.to_thread(client.publish, uplink_topic(COOP, agent, kind=kind))


async def test_the_whole_matrix_has_no_foreign_message(tmp_path: Path) -> None:
    async with serving(tmp_path, [X]) as served:
        results = await served.check()
        assert {each.role: each.leaks for each in results if each.leaks} == {}
        assert len(results) == 7
        got_in = {each.role for each in results if each.entered}
        assert got_in == {"member", "revoked", "not enrolled"}, "only good certificates get as far as the access rules"
        assert all(each.filters >= 20 and each.publishes >= 10 for each in results if each.role != "TLS 1.2")
        assert served.arrived == [], "the hub takes nothing that a check sends"


@pytest.mark.parametrize(
    ("line", "leak"),
    [
        ("topic read cw1/#\n", "read cw1/c/"),
        ("topic write cw1/c/+/check-neighbour/up/consent\n", "could publish on cw1/c/"),
        ("topic write cw1/c/+/+/down/refused\n", "could publish a will for another agent"),
    ],
)
async def test_a_line_too_much_is_found(tmp_path: Path, line: str, leak: str) -> None:
    async with serving(tmp_path) as served:
        rules = tmp_path / "b" / "access"
        rules.write_text(rules.read_text().replace("user check-member\n", f"user check-member\n{line}"))
        served.process.reload()
        await until_reloaded(served, line)
        found = {each.role: each.leaks for each in await served.check() if each.leaks}
        assert set(found) == {"member"}
        assert any(each.startswith(leak) for each in found["member"])


async def until_reloaded(served: Served, line: str) -> None:
    """Wait until the broker goes by this line; a check before that would find no leak."""
    member = await served.agent("check-member", file="probe")
    topic = line.split()[2].replace("+", "1").replace("#", "x")
    try:
        async with asyncio.timeout(RELOADED_S):
            if "write" in line:
                while not await asyncio.to_thread(member.publish, topic):
                    await asyncio.sleep(0.02)
            else:
                await asyncio.to_thread(member.listen, ("cw1/#",))
                hub = await asyncio.to_thread(CheckClient.of_hub, served.process.plan.address)
                while not member.heard:
                    await asyncio.to_thread(hub.publish, downlink_topic(COOP, Y, kind="time"))
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(hub.close)
    except TimeoutError:
        pytest.fail(f"told to reload, the broker does not go by {line.strip()!r} within {RELOADED_S} s")
    await asyncio.to_thread(member.close)


async def test_enrolling_drops_nobody_and_counts_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, [X]) as served:
        old = await served.agent(X)
        new = await served.agent(Y)
        assert not await publishes(new, Y), "not enrolled yet"
        for _ in range(5):
            await served.keeper.update(KnownAgents(frozenset({X})))
            await served.keeper.update(KnownAgents(frozenset({X, Y})))
            assert await publishes(new, Y), "the rules hold when update returns"
            assert await publishes(old, X)
        assert (old.lost, new.lost) == (0, 0)
        await until(lambda: len(served.arrived) == 10)


async def test_a_connected_agent_that_is_revoked_is_out_and_stays_out(tmp_path: Path) -> None:
    async with serving(tmp_path, [X, Y]) as served:
        stolen, other = await served.agent(X), await served.agent(Y)
        await asyncio.to_thread(stolen.listen, (down_filter(COOP, X),))
        assert await publishes(stolen, X)
        after = KnownAgents(frozenset({Y}), frozenset({X}))
        assert await served.keeper.update(after) == {X}
        await until(lambda: not stolen.is_connected)
        assert await served.keeper.update(after) == frozenset(), "each is ended once"
        again = await served.agent(X)
        assert not await publishes(again, X)
        await asyncio.to_thread(again.listen, (down_filter(COOP, X), "#"))
        hub = await asyncio.to_thread(CheckClient.of_hub, served.process.plan.address)
        for kind in ("receipt", "prompt", "revoked"):
            assert await asyncio.to_thread(hub.publish, downlink_topic(COOP, X, kind=kind))
        await until(lambda: bool(again.heard))
        assert {heard.topic for heard in again.heard} == {downlink_topic(COOP, X, kind="revoked")}
        assert other.lost == 0
        assert await publishes(other, Y)
        await asyncio.to_thread(hub.close)


async def test_an_agents_session_needs_its_certificate(tmp_path: Path) -> None:
    async with serving(tmp_path, [X, Y]) as served:
        own = await served.agent(X)
        for _ in range(3):
            thief = await served.agent(Y, claims=X)
            assert thief.is_connected
            assert not await publishes(thief, X), "it is known by its certificate, whatever id it claims"
            assert await publishes(thief, Y)
            await asyncio.to_thread(thief.close)
        assert own.lost == 0
        assert await publishes(own, X)


async def test_neither_a_servers_certificate_nor_the_hubs_name_gives_rights(tmp_path: Path) -> None:
    async with serving(tmp_path, [X]) as served:
        server = await asyncio.to_thread(
            CheckClient.of_home, served.place, client_id=X, identity=served.coop.identity(X, usage=SERVER, file="s")
        )
        assert not server.is_connected


async def test_receipts_resume_after_the_broker_is_killed(tmp_path: Path) -> None:
    async with serving(tmp_path, [X]) as served:
        await served.keeper.update(KnownAgents(frozenset({X, Y})))
        pid = served.process.pid
        assert pid is not None
        for child in await asyncio.to_thread(children_of, pid):
            os.kill(child, signal.SIGKILL)
        await until(lambda: served.process.restarts == 1 and served.process.ready.is_set())
        agent = await served.agent(Y)
        assert await publishes(agent, Y), "the rules in force before are in force again"
        # A message that comes before the hub is connected again is lost in the crash; agents send it again.
        async with asyncio.timeout(20):
            while not served.arrived:
                assert await publishes(agent, Y)
                await asyncio.sleep(0.05)


async def test_renewed_certificates_are_used_without_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path, [X]) as served:
        own = await served.agent(X)
        before = await asyncio.to_thread(served_certificate, served.place)
        served.coop.identity("hub", usage=SERVER, file="server")
        async with asyncio.timeout(20):
            while await asyncio.to_thread(served_certificate, served.place) == before:
                await asyncio.sleep(0.02)
        assert own.lost == 0
        assert await publishes(own, X)


def served_certificate(place: HomesPlace) -> str:
    return ssl.get_server_certificate((place.host, place.port))


def test_homes_elsewhere_need_mosquitto(tmp_path: Path) -> None:
    coop = CoopCertificates(tmp_path / "authority")
    with pytest.raises(BrokerError, match=r"\[public\] in hub.toml needs mosquitto"):
        plan_broker(settings_of("iotcore"), folder=tmp_path / "b", coop=COOP, port=0, homes=coop.listener(1))
