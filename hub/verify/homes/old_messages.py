"""Reads every row of the message table once, in the order in which it was stored, and opens none of them.

Up to an agent's checkpoint, its rows must give the hash of then; a row behind it must not claim an earlier number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hub.console.progress import ReportProgress
from hub.storage.audit_records import StoredRows
from hub.verify.homes.chain import FIRST_LINK, next_row_link
from hub.verify.homes.checkpoints import AgentCheckpoint

PAGE: Final = 2_000
BEFORE_ALL: Final = -(2**63)
WHAT: Final = "old messages compared"


class OldMessages:
    """What the rows gave; `compared` counts those up to a checkpoint."""

    def __init__(self) -> None:
        self.compared = 0
        self.differing: set[str] = set()


@dataclass(slots=True)
class _Followed:
    """One agent's checkpoint, and the hash over its rows so far."""

    until: int
    place: tuple[int, int]
    link: bytes = FIRST_LINK
    is_behind_it: bool = True
    """Whether all later rows have later numbers."""


async def read_old_messages(
    store: StoredRows, checkpoints: Mapping[str, AgentCheckpoint], *, expected: int | None, report: ReportProgress
) -> OldMessages:
    """Which agents' rows are not those of their checkpoints. Raises: StoreError if a row cannot be read."""
    found, after, seen = OldMessages(), BEFORE_ALL, 0
    followed = {
        agent.encode(): _Followed(checkpoint.position, (checkpoint.epoch, checkpoint.seq))
        for agent, checkpoint in checkpoints.items()
    }
    while page := await store.message_rows(after=after, limit=PAGE):
        after = page[-1][0]
        seen += len(page)
        for row in page:
            agent = followed.get(row[1])
            if agent is None:
                continue
            if row[0] <= agent.until:
                found.compared += 1
                agent.link = next_row_link(agent.link, row)
            elif (row[2], row[3]) <= agent.place:
                agent.is_behind_it = False
        report(WHAT, seen, expected)
    for name, checkpoint in checkpoints.items():
        agent = followed[name.encode()]
        if not agent.is_behind_it or agent.link.hex() != checkpoint.link:
            found.differing.add(name)
    return found
