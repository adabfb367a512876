"""How workers share the 64 shards of agents: what one of them writes at its turn. Pure; the store runs it in a commit.

Commits of a co-op take turns, so each turn sees all that was written before it. A shard changes hands only with a
higher token, and every later commit of who had it before is refused: that holds whatever any clock says.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from hub.storage.shared.records import Lease, LeaseTable
from protocols.wire.topics import SHARDS

LEASE_MS: Final = 10_000
"""So long after its last turn nobody takes a worker's shards."""

_PREFIX: Final = "shard "


@dataclass(frozen=True, slots=True)
class Turn:
    """What a worker writes, what it then holds (the token of each shard), and which of that is more than its share."""

    written: tuple[Lease, ...]
    held: Mapping[int, int]
    surplus: frozenset[int]


def lease_name(shard: int) -> str:
    """The name of a shard's lease.

    >>> lease_name(7)
    'shard 07'
    """
    return f"{_PREFIX}{shard:02d}"


def shards_in(names: Collection[str]) -> frozenset[int]:
    """The shards whose leases have these names."""
    return frozenset(int(name.removeprefix(_PREFIX)) for name in names if name.startswith(_PREFIX))


def fair_share(table: LeaseTable, *, me: str) -> int:
    """How many shards this worker may have: as many as each living one, rounded up; none if it wants none."""
    living = [each for each in table.processes if each.wants_shards and table.now_ms - each.heard_ms < LEASE_MS]
    if not any(each.id == me for each in living):
        return 0
    return -(-SHARDS // len(living))


def next_turn(table: LeaseTable, *, me: str, held: Mapping[int, int], given_back: Collection[int] = ()) -> Turn:
    """Renew what is still held of `held`, give back what the worker has ceased to do, and take what is free, if fewer
    than its share are left.

    What stands under its name with another token is of an earlier life, or of a turn without an answer: it is taken
    with a new token.
    """
    share = fair_share(table, me=me)
    until_ms = table.now_ms + LEASE_MS
    kept: dict[int, int] = {}
    returned: list[Lease] = []
    for shard, token in held.items():
        row = table.leases.get(lease_name(shard))
        if row is None or (row.holder, row.token) != (me, token):
            continue
        if shard in given_back:
            returned.append(Lease(row.name, "", token, 0))
        else:
            kept[shard] = token
    gone = {row.name for row in returned}
    taken: dict[int, int] = {}
    for shard in range(SHARDS):
        row = table.leases.get(lease_name(shard))
        if len(kept) + len(taken) >= share:
            break
        if shard not in kept and lease_name(shard) not in gone and _is_free(row, me=me, now_ms=table.now_ms):
            taken[shard] = 1 if row is None else row.token + 1
    now_held = {**kept, **taken}
    renewed = [Lease(lease_name(shard), me, token, until_ms) for shard, token in sorted(now_held.items())]
    return Turn((*renewed, *returned), now_held, frozenset(sorted(kept)[share:]))


def _is_free(row: Lease | None, *, me: str, now_ms: int) -> bool:
    return row is None or row.holder in ("", me) or row.until_ms <= now_ms
