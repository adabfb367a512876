"""Notices within seconds that a command shut out an agent or planned a move-out, and tells the running hub."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from hub.storage.contract import MemberStore
from hub.storage.errors import StoreError

log = logging.getLogger(__name__)

WATCH_S: Final = 2.0
"""How often the list of agents is looked at: in real seconds, whatever the hub's clock says."""

_Known = frozenset[tuple[str, int | None]]


class AgentWatch:
    """Calls `changed` after each change in which agents there are, which are shut out, or when memberships end."""

    def __init__(self, store: MemberStore, *, changed: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._changed = changed
        self._known: _Known | None = None

    async def run(self) -> None:
        """Look until cancelled; while the store cannot be read, the next look is the next try."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                if not error.is_said:
                    log.error("agents: %s; looking again", error)
            await asyncio.sleep(WATCH_S)

    async def look(self) -> None:
        """Compare once. A first look only remembers. If `changed` fails, the next look calls it again."""
        found = frozenset((agent.id, agent.revoked_at) for agent in await self._store.agents())
        found |= {(member.id, member.left_at) for member in await self._store.members()}
        if self._known is not None and found != self._known:
            await self._changed()
        self._known = found
