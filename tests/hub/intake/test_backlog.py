"""A backlog behind a real broker: every batch is stored and receipted, none is dropped, no agent waits in vain."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.connection import SENDING, WINDOW, BrokerAddress, BrokerLink, Delivery
from hub.broker.link.socket_loop import PACKETS_AT_ONCE
from hub.broker.plans import plan_broker
from hub.intake.receiver import Intake
from hub.intake.state import UNKNOWN
from protocols.slots import start_of
from protocols.timeline import Clock
from protocols.wire.topics import up_filters
from tests.hub.broker.agents_at_broker import AgentAtBroker, street_home
from tests.hub.broker.test_supervisor import KINDS, agent_of, running, settings_of, until
from tests.hub.sending_home import COOP, FIRST_SLOT, open_store

AGENTS = 25
BATCHES = 90
IN_FLIGHT = 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [BATCHES, IN_FLIGHT])
async def test_a_backlog_is_taken_whole_and_at_once(tmp_path: Path, kind: str, window: int) -> None:
    """More than the hub has in flight was sent while it was away; some agents send far more at a time than they may."""
    homes = [street_home(number) for number in range(1, AGENTS + 1)]
    store = await open_store(tmp_path, homes)
    plan = plan_broker(settings_of(kind), folder=tmp_path / "broker", coop=COOP.id, port=0)
    box: list[Intake] = []
    async with running(plan):
        await _subscribe(plan.address)
        lines = [
            AgentAtBroker(home, [home.batch(FIRST_SLOT + n) for n in range(BATCHES)], window=window) for home in homes
        ]
        async with asyncio.timeout(120), asyncio.TaskGroup() as street:
            for line in lines:
                street.create_task(line.run(plan.address.port))
            await until(lambda: all(line.sent >= min(window, BATCHES) for line in lines))
            # It is there when the first message is.
            link = BrokerLink(client_id="hub-street", filters=up_filters(COOP.id), deliver=_handing_to(box))
            clock = Clock(real=lambda: float(start_of(FIRST_SLOT + BATCHES + 1)))
            key = Ed25519PrivateKey.generate()
            box.append(Intake(store, coop=COOP.id, key=key, clock=clock, broker=link))
            link.start(plan.address)
            serving = asyncio.create_task(box[0].run())
            await asyncio.gather(*(line.done.wait() for line in lines))
        serving.cancel()
        carried = link.counts
        await asyncio.to_thread(link.stop)
    assert [line.through for line in lines] == [BATCHES] * AGENTS
    assert await store.message_count() == AGENTS * BATCHES
    assert {each.agent for each in await store.refusals()} <= {UNKNOWN}, "only what asked for the subscription"
    assert (carried.dropped, carried.left_unread) == (0, 0)
    assert sum(line.time_outs for line in lines) == 0
    assert carried.most_unacknowledged <= WINDOW + SENDING + PACKETS_AT_ONCE
    assert carried.sent < AGENTS * BATCHES, "receipts are cumulative"
    await store.close()


async def _subscribe(address: BrokerAddress) -> None:
    """What the broker keeps for the hub from now on is a backlog."""
    link = BrokerLink(client_id="hub-street", filters=up_filters(COOP.id), deliver=_nobody)
    link.start(address)
    topic = f"cw1/{COOP.id}/1/a-probe/up/batch"
    probe = BrokerLink(client_id="a-probe", filters=[f"cw1/{COOP.id}/1/a-probe/down/+"], deliver=_nobody)
    probe.start(agent_of(address))
    while link.counts.most_unacknowledged == 0:
        probe.publish(topic, b"is the hub subscribed?")
        await asyncio.sleep(0.05)  # asked again until the broker has the subscription
    await asyncio.to_thread(probe.stop)
    await asyncio.to_thread(link.stop)


def _handing_to(box: list[Intake]) -> Callable[[list[Delivery]], None]:
    def deliver(deliveries: list[Delivery]) -> None:
        box[0].offer(deliveries)

    return deliver


def _nobody(_: list[Delivery]) -> None:
    """Nothing is read yet."""
