"""Shuts out the agents of homes whose members have moved out, once late readings had time to come."""

import logging
from typing import Final

from hub.storage.life_records import LifeStore

log = logging.getLogger(__name__)

LATE_READINGS_S: Final = 14 * 86_400
"""How long after the last day an agent may still send readings of the membership; later ones are refused at once."""


class LeaversJob:
    """Runs every night. A second run for the same time changes nothing."""

    def __init__(self, store: LifeStore) -> None:
        self._store = store

    async def __call__(self, due_s: int) -> None:
        """Shut out the agents of memberships that ended LATE_READINGS_S before."""
        for agent in await self._store.revoke_ended(before=due_s - LATE_READINGS_S):
            log.info("agent %s was shut out: the membership of its home has ended", agent)
