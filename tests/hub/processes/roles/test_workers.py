"""Real intake processes share a street: one is killed, one is paused beyond its leases, one joins (I1, I2, I3)."""

import asyncio
import signal
from pathlib import Path

from tests.hub.processes.roles.many import Street, kill, many_hub, signal_all
from tests.hub.sending_home import SendingHome

HOMES = 12
MESSAGES = 25


async def test_every_batch_is_stored_once_and_in_order_while_workers_come_and_go(tmp_path: Path) -> None:
    homes = [SendingHome(f"h{number:02d}") for number in range(HOMES)]
    async with many_hub(tmp_path, homes, slots=MESSAGES) as hub:
        first, second = await asyncio.gather(hub.start("intake"), hub.start("intake"))
        street = Street(hub, homes, messages=MESSAGES)
        await street.send_until(lambda: street.receipted >= 60)
        await kill(first)
        await street.send_until(lambda: street.receipted >= 120)
        await signal_all(second, signal.SIGSTOP)
        await hub.start("intake")
        await street.send_until(lambda: street.receipted >= 220)  # by the third alone: the second's leases are over
        await signal_all(second, signal.SIGCONT)
        await street.send_until(lambda: street.is_done)
        await street.stop()
        assert await hub.stored() == {home.agent: list(range(1, MESSAGES + 1)) for home in homes}
