"""Notices within seconds that a command shut out an agent or planned a move-out, and tells the running hub."""

from collections.abc import Awaitable, Callable
from typing import Final

from hub.intake.looking import look_until_cancelled
from hub.storage.contract import MemberStore

WATCH_S: Final = 2.0
"""How often the list of agents is looked at: in real seconds, whatever the hub's clock says."""

_Known = frozenset[tuple[str, int | None]]


class AgentWatch:
    """Calls `changed` after each change in which agents there are, which are shut out, or when memberships end.

    `looks` is told before each look, and what it gives back is told after it, with whether there was news. Others take
    that as word that the agents of before the look are known, so with `looks` the first look calls `changed` too.
    """

    def __init__(
        self,
        store: MemberStore,
        *,
        changed: Callable[[], Awaitable[None]],
        looks: Callable[[], Callable[[bool], None]] | None = None,
        each_s: float = WATCH_S,
    ) -> None:
        self._store = store
        self._changed = changed
        self._looks = looks
        self._each_s = each_s
        self._known: _Known | None = None

    async def run(self) -> None:
        """Look until cancelled; while the store cannot be read, the next look is the next try."""
        await look_until_cancelled(self.look, each_s=self._each_s, at="agents")

    async def look(self) -> None:
        """Compare once. The first only remembers, unless there is `looks`. If `changed` fails, the next calls it."""
        looked = None if self._looks is None else self._looks()
        found = frozenset((agent.id, agent.revoked_at) for agent in await self._store.agents())
        found |= {(member.id, member.left_at) for member in await self._store.members()}
        is_first = self._known is None
        is_news = self._looks is not None if is_first else found != self._known
        if is_news:
            await self._changed()
        self._known = found
        if looked is not None:
            looked(is_news)
