"""Reads every row of the message table once, in the order in which it was stored, and opens none of them.

Up to an agent's checkpoint, its rows must give the hash of then; a row behind it must not claim an earlier number.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from hub.console.progress import ReportProgress
from hub.storage.audit_records import StoredRows
from hub.verify.homes.chain import FIRST_LINK, next_row_link
from hub.verify.homes.checkpoints import AgentCheckpoint

PAGE: Final = 2_000
BEFORE_ALL: Final = -(2**63)
WHAT: Final = "old messages compared"


class OldMessages:
    """What the rows gave. `compared` counts those up to a checkpoint, `chains` is each agent's chain as one hash."""

    def __init__(self) -> None:
        self.compared = 0
        self.chains: dict[str, str] = {}
        self.differing: set[str] = set()


async def read_old_messages(
    store: StoredRows, checkpoints: Mapping[str, AgentCheckpoint], *, expected: int | None, report: ReportProgress
) -> OldMessages:
    """Which agents' rows are not those of their checkpoints. Raises: StoreError if a row cannot be read."""
    found, after, seen = OldMessages(), BEFORE_ALL, 0
    links = dict.fromkeys(checkpoints, FIRST_LINK)
    places = {agent: (checkpoint.epoch, checkpoint.seq) for agent, checkpoint in checkpoints.items()}
    until = {agent: checkpoint.position for agent, checkpoint in checkpoints.items()}
    lines = {agent: hashlib.sha256() for agent in checkpoints}
    while page := await store.message_rows(after=after, limit=PAGE):
        after = page[-1].position
        seen += len(page)
        for row in page:
            agent = row.agent
            if agent not in until:
                continue
            lines[agent].update(f"{row.epoch} {row.seq} {row.hash.hex()}\n".encode())
            if row.position <= until[agent]:
                found.compared += 1
                links[agent] = next_row_link(links[agent], row)
            elif (row.epoch, row.seq) <= places[agent]:
                found.differing.add(agent)
        report(WHAT, seen, expected)
    found.differing |= {agent for agent, checkpoint in checkpoints.items() if links[agent].hex() != checkpoint.link}
    found.chains = {agent: each.hexdigest() for agent, each in lines.items()}
    return found
