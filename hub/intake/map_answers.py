"""Which agents are sent the board's newest bundle of device maps, and when: asked for, or new since they asked."""

import logging
from collections.abc import Iterable
from typing import Final

from hub.intake.state import Acceptance, AskedMaps
from hub.storage.maps.records import MOST_AHEAD, MapRelease, MapStore
from protocols.wire.map_bundles.parts import encode_part, split_bundle

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 30.0
LOOK_WHEN_ASKED_S: Final = 1.0
SAME_AGAIN_S: Final = 600.0
"""A bundle is hundreds of times as large as the question for it: no agent gets the same one more often."""

PARTS_A_SECOND: Final = 200
"""Receipts share the way to the broker, whose queue is short: the agents beyond get theirs with a later batch."""


class MapAnswers:
    """What each agent holds, as far as it said so since the hub started; the store is asked now and then."""

    def __init__(self, store: MapStore) -> None:
        self._store = store
        self._newest: MapRelease | None = None
        self._looked_at = float("-inf")
        self._held: dict[str, int] = {}
        self._sent: dict[str, tuple[int, float]] = {}
        self._is_warned = False
        self._second: tuple[float, int] = (float("-inf"), 0)

    async def told(self, verdicts: Iterable[object], *, steady_s: float) -> list[tuple[str, str, bytes]]:
        """(agent, kind, payload) of every part that is due now; a question is answered from a fresh look."""
        asked = {v.agent: v.serial for v in verdicts if isinstance(v, AskedMaps)}
        heard = {v.message.agent for v in verdicts if isinstance(v, Acceptance)}
        if not asked and not heard & self._held.keys():
            return []
        if steady_s - self._looked_at >= (LOOK_WHEN_ASKED_S if asked else LOOK_EVERY_S):
            self._newest, self._looked_at = await self._store.newest_map_release(), steady_s
        self._held |= asked
        due = asked.keys() | (heard & self._held.keys())
        parts: list[tuple[str, str, bytes]] = []
        begins, sent = self._second if steady_s - self._second[0] < 1 else (steady_s, 0)
        for agent in sorted(due):
            if sent + len(parts) >= PARTS_A_SECOND:
                break
            parts += self._parts(agent, steady_s)
        self._second = (begins, sent + len(parts))
        return parts

    def _parts(self, agent: str, steady_s: float) -> list[tuple[str, str, bytes]]:
        newest = self._newest
        if newest is None or newest.serial <= self._held[agent]:
            self._warn(agent, 0 if newest is None else newest.serial)
            return []
        serial, at_s = self._sent.get(agent, (0, 0.0))
        if serial == newest.serial and steady_s - at_s < SAME_AGAIN_S:
            return []
        # Until the agent asks once more, it counts as served: a bundle is not sent with every batch.
        self._sent[agent] = (newest.serial, steady_s)
        self._held[agent] = newest.serial
        return [(agent, "maps", encode_part(part)) for part in split_bundle(newest.serial, newest.bundle)]

    def _warn(self, agent: str, newest: int) -> None:
        held = self._held[agent]
        if held > newest + MOST_AHEAD:
            return  # no hub has forgotten so many: what this agent says would only use up the serials
        if held > newest and not self._is_warned:
            self._is_warned = True
            log.warning(
                "agent %s holds bundle %d of device maps and this hub knows up to %d (was it restored?): homes take the"
                " next one only with: commonwatt-hub maps confirm --after %d",
                *(agent, held, newest, held),
            )
