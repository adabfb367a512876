"""Device maps: files, proposals and releases. Triggers forbid changing a row."""

import json
from collections.abc import Sequence
from typing import Final

from hub.storage.errors import StoreError
from hub.storage.maps.records import MapFile, MapProposal, MapRelease
from hub.storage.sql.connection import Connection, Transactions
from protocols.slots import Slot, slot_of

_FILES_SQL: Final = "SELECT digest, map, quality, text, added_by, added_at FROM map_file ORDER BY added_at, rowid"
_PROPOSALS_SQL: Final = """SELECT p.id, p.follows, p.digests, p.proposed_by, p.proposed_at,
coalesce(w.withdrawn_by, '') FROM map_proposal AS p LEFT JOIN map_withdrawal AS w ON w.proposal = p.id ORDER BY p.id"""
_RELEASES_SQL: Final = """SELECT serial, proposal, bronze, bundle, released_by, released_at FROM map_release
ORDER BY serial"""
_PROPOSE_SQL: Final = """INSERT INTO map_proposal (follows, digests, proposed_by, proposed_at) VALUES (?, ?, ?, ?)
RETURNING id"""
_NEWEST_SQL: Final = "SELECT coalesce(max(serial), 0) FROM map_release"
_WINDOWS_SQL: Final = "SELECT released_at, bronze FROM map_release ORDER BY serial"


async def release_windows(db: Connection) -> list[tuple[Slot, Slot | None]]:
    """When a bundle with bronze maps was in force: from its slot up to another, None for until now.

    The slot in which the next one was released is still in it: no agent can have heard of that before.
    """
    rows = [(slot_of(int(at)), int(bronze)) for at, bronze in await db.execute_fetchall(_WINDOWS_SQL)]
    ends: list[Slot | None] = [*(slot + 1 for slot, _ in rows[1:]), None]
    return [(slot, end) for (slot, bronze), end in zip(rows, ends, strict=False) if bronze]


class SqlDeviceMaps(Transactions):
    """The MapStore slice."""

    async def add_map_file(self, new: MapFile) -> None:
        """Keep a checked map; one that is there changes nothing. Raises: StoreError for anyone off the board."""

        async def work(db: Connection) -> None:
            await _require_board(db, new.added_by)
            if list(await db.execute_fetchall("SELECT 1 FROM map_file WHERE digest = ?", (new.digest,))):
                return
            row = (new.digest, new.map, new.quality, new.text, new.added_by, new.added_at)
            # If power fails before the commit, the map is not there and can be added again.
            await db.execute("INSERT INTO map_file VALUES (?, ?, ?, ?, ?, ?)", row)

        await self.write(work)

    async def map_files(self) -> tuple[MapFile, ...]:
        """Every map that was ever added, oldest first."""
        async with self.reading() as db:
            return tuple(MapFile(*row) for row in await db.execute_fetchall(_FILES_SQL))

    async def propose_maps(self, digests: Sequence[str], *, by: str, at: int) -> int:
        """Store a proposal and return its number. Raises: StoreError for anyone off the board or a map not added."""

        async def work(db: Connection) -> int:
            await _require_board(db, by)
            known = {str(row[0]) for row in await db.execute_fetchall("SELECT digest FROM map_file")}
            if missing := [each for each in digests if each not in known]:
                raise StoreError(f"no map with the digest {missing[0][:16]} was added")
            ((newest,),) = await db.execute_fetchall(_NEWEST_SQL)
            # If power fails before the commit, there is no proposal, and nobody was told of one.
            ((number,),) = await db.execute_fetchall(_PROPOSE_SQL, (newest, json.dumps(list(digests)), by, at))
            return int(number)

        return await self.write(work)

    async def map_proposals(self) -> tuple[MapProposal, ...]:
        """Every proposal, oldest first."""
        async with self.reading() as db:
            return tuple(_proposal(tuple(row)) for row in await db.execute_fetchall(_PROPOSALS_SQL))

    async def withdraw_maps(self, proposal: int, *, by: str, at: int) -> None:
        """Take a proposal back; it can never be released afterwards.

        Raises: StoreError unless its proposer does, or a member of the board if the proposer left the board.
        """

        async def work(db: Connection) -> None:
            wanted = await _wanted(db, proposal)
            _require_waiting(wanted)
            sql = "SELECT 1 FROM map_release WHERE proposal = ?"
            if list(await db.execute_fetchall(sql, (proposal,))):
                raise StoreError(f"proposal {proposal} is released: take its maps back with maps withdraw ID")
            await _require_board(db, by)
            proposer = wanted.proposed_by
            held = list(await db.execute_fetchall("SELECT is_board FROM member WHERE id = ?", (proposer,)))
            if by != proposer and held and held[0][0]:
                raise StoreError(
                    f"{proposer} made proposal {proposal} and is on the board: only {proposer} withdraws it"
                )
            # If power fails before the commit, the proposal waits as before.
            await db.execute("INSERT INTO map_withdrawal VALUES (?, ?, ?)", (proposal, by, at))

        await self.write(work)

    async def release_maps(self, release: MapRelease) -> None:
        """Put a release into force.

        Raises: StoreError unless it is a second member of the board's and nothing was released since the proposal.
        """

        async def work(db: Connection) -> None:
            wanted = await _wanted(db, release.proposal)
            _require_waiting(wanted)
            ((newest,),) = await db.execute_fetchall(_NEWEST_SQL)
            await _require_board(db, release.released_by)
            await _require_board(db, wanted.proposed_by)
            if release.released_by == wanted.proposed_by:
                raise StoreError(
                    f"{wanted.proposed_by} made proposal {wanted.id}: another member of the board confirms it"
                )
            if newest != wanted.follows or release.serial <= newest:
                raise StoreError(f"proposal {wanted.id} is stale: bundle {newest} was released since; propose it again")
            row = (
                *(release.serial, release.proposal, release.bronze, release.bundle),
                *(release.released_by, release.released_at),
            )
            # If power fails before the commit, the proposal waits as before, and no home was told.
            await db.execute("INSERT INTO map_release VALUES (?, ?, ?, ?, ?, ?)", row)

        await self.write(work)

    async def newest_map_release(self) -> MapRelease | None:
        """The release in force; None before the first."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(f"{_RELEASES_SQL} DESC LIMIT 1")
        return next((MapRelease(*row) for row in rows), None)

    async def map_releases(self) -> tuple[MapRelease, ...]:
        """Every release, oldest first: the last one is in force."""
        async with self.reading() as db:
            return tuple(MapRelease(*row) for row in await db.execute_fetchall(_RELEASES_SQL))


async def _wanted(db: Connection, proposal: int) -> MapProposal:
    rows = [_proposal(tuple(row)) for row in await db.execute_fetchall(_PROPOSALS_SQL)]
    wanted = next((each for each in rows if each.id == proposal), None)
    if wanted is None:
        raise StoreError(f"there is no proposal {proposal}: commonwatt-hub maps list shows them")
    return wanted


def _require_waiting(wanted: MapProposal) -> None:
    if wanted.withdrawn_by:
        raise StoreError(f"{wanted.withdrawn_by} withdrew proposal {wanted.id}: make a new one")


def _proposal(row: tuple[int | str, ...]) -> MapProposal:
    number, follows, digests, by, at, withdrawn_by = row
    return MapProposal(int(number), int(follows), tuple(json.loads(str(digests))), str(by), int(at), str(withdrawn_by))


async def _require_board(db: Connection, member: str) -> None:
    rows = list(await db.execute_fetchall("SELECT is_board FROM member WHERE id = ?", (member,)))
    if not rows or not rows[0][0]:
        raise StoreError(f"{member[:40]!r} is not on the board: two members of the board release maps")
