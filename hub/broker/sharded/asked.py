"""Where a home that asks is sent: to its own broker, or to the node of a cluster that answers and whose turn it is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from hub.broker.sharded.directory import Address, Directory
from hub.broker.sharded.notices import BrokerNotices

TURN_S: Final = 120
"""For so long homes that cannot reach their node of a cluster are sent to the same other one, then to the next."""

REACHED_WITHIN_S: Final = 2.0
REACHED_FOR_S: Final = 10.0


class AskedNotices:
    """Notices for homes that ask. `reaches` is whether anybody answers at an address, as the hub sees it."""

    def __init__(
        self,
        notices: BrokerNotices,
        directory: Directory,
        *,
        now: Callable[[], float],
        reaches: Callable[[Address], Awaitable[bool]],
    ) -> None:
        self._notices, self._directory, self._now, self._reaches = notices, directory, now, reaches

    @property
    def certificate(self) -> str:
        """What vouches for the hub key; empty if the identity key signs itself."""
        return self._notices.certificate

    async def sealed(self, agent: str) -> tuple[str, bytes]:
        """The topic and the sealed notice."""
        choices = self._directory.choices(agent, turn=int(self._now() // TURN_S))
        if len(choices) > 1:
            for address in choices:
                if await self._reaches(address):
                    return self._notices.sealed(agent, address)
        return self._notices.sealed(agent, choices[0])


class Reach:
    """Whether somebody answers at an address; looked at again after a few seconds."""

    def __init__(self) -> None:
        self._found: dict[Address, tuple[float, bool]] = {}

    async def __call__(self, address: Address) -> bool:
        """Try it, or say what was found just before."""
        found = self._found.get(address)
        if found is None or time.monotonic() - found[0] > REACHED_FOR_S:
            found = self._found[address] = (time.monotonic(), await _is_reached(address))
        return found[1]


async def _is_reached(address: Address) -> bool:
    try:
        async with asyncio.timeout(REACHED_WITHIN_S):
            _, writer = await asyncio.open_connection(*address)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
