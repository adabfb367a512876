"""Settlement runs and the append-only ledger; triggers forbid changing a row."""

# ruff: noqa: S608 - only constant column lists and question marks are put into SQL here; values are bound.

from collections.abc import Sequence

from hub.storage.errors import StaleInputsError, StoreConflictError, StoreError
from hub.storage.records import AttestationRow, BookRows, Coop, EntryRow, RunRow, SettledThrough
from hub.storage.rule_records import RunEntries
from hub.storage.sql.attestations import insert_attestations
from hub.storage.sql.connection import Connection, Row, Transactions

_RUN = "run_key, kind, day, rule_hash, input_digest, result_hash, state, allocation, made_at, entries"
_ENTRY = "position, unit, day, member, run_key, canonical, hash"
_SHARES = "kind NOT LIKE 'fund:%'"  # settlement runs only: fund runs are in the same table
_HEAD = _RUN.replace("allocation", "x''")
_RUNS_SQL = f"""SELECT {_HEAD} FROM run INDEXED BY run_head
WHERE day >= ? AND day <= ? AND {_SHARES} ORDER BY position"""
# The inner SELECT uses only the index, which contains no documents: rows of other kinds are never loaded.
_FUNDS_SQL = f"""SELECT {_RUN} FROM run WHERE run_key IN
    (SELECT run_key FROM run INDEXED BY run_head WHERE kind IN ({{kinds}})) ORDER BY position"""
_ATTESTATION = "position, kind, subject, run_key, document, signature"
_LAST_SQL = f"SELECT {_ATTESTATION} FROM attestation ORDER BY position DESC LIMIT 1"
_DECISIONS_SQL = f"""SELECT {_ATTESTATION} FROM attestation
WHERE kind IN ({{kinds}}) AND subject >= ? AND subject <= ? ORDER BY position"""
_LEDGER_SQL = "SELECT position, hash FROM entry ORDER BY position DESC LIMIT 1"
_LOG_SQL = "SELECT position, hash FROM row_log_head"
_ACCESS_SQL = "SELECT coalesce(max(position), 0) FROM access_log"
_THROUGH_SQL = """INSERT INTO settled_through VALUES (?, ?, ?, ?) ON CONFLICT (day) DO UPDATE SET
    message_position = excluded.message_position, members_digest = excluded.members_digest,
    decision = excluded.decision
    WHERE excluded.message_position >= settled_through.message_position"""
# Backwards from the day's newest entry: a day's runs are few, and most have one.
_BOOKED_SQL = """SELECT day, run_key, entries, (SELECT position FROM entry
    WHERE entry.day = run.day AND entry.run_key = run.run_key ORDER BY position DESC LIMIT 1)
FROM run INDEXED BY run_head WHERE day >= ? AND day <= ? AND entries > 0 ORDER BY position"""
EMPTY_HEAD = (0, bytes(32))
_EVERY = ("", "~")


class SqlBooks(Transactions):
    """The BookStore slice."""

    async def book_run(
        self,
        run: RunRow,
        *,
        entries: Sequence[EntryRow],
        attestations: Sequence[AttestationRow] = (),
        through: SettledThrough | None = None,
    ) -> bool:
        """Book everything in one transaction. If run_key is already booked, return False and write nothing.

        Raises: StoreConflictError if entries or attestations do not follow the last ones: read the heads and retry.
        StaleInputsError if the day's current run used a newer message than the one in `through`: read the day again.
        """
        if any(entry.run_key != run.run_key for entry in entries):
            raise ValueError("an entry belongs to another run")

        async def work(db: Connection) -> bool:
            if list(await db.execute_fetchall("SELECT 1 FROM run WHERE run_key = ?", (run.run_key,))):
                return False
            if through is not None:
                await _check_not_older(db, through)
            rows = list(await db.execute_fetchall("SELECT coalesce(max(position), 0) FROM entry"))
            next_position = int(rows[0][0]) + 1
            if [entry.position for entry in entries] != list(range(next_position, next_position + len(entries))):
                raise StoreConflictError(
                    f"the ledger's next position is {next_position}: another run was booked in the meantime"
                )
            await db.execute(f"INSERT INTO run ({_RUN}) VALUES ({_places(10)})", _run_values(run))
            await db.executemany(
                f"INSERT INTO entry ({_ENTRY}) VALUES ({_places(7)})", [_entry_values(entry) for entry in entries]
            )
            await insert_attestations(db, attestations)
            if through is not None:
                await db.execute(_THROUGH_SQL, _through_values(through))
            return True

        return await self.write(work)

    async def runs(self, *, days: tuple[str, str] | None = None, allocations: bool = True) -> tuple[RunRow, ...]:
        """Settlement runs in booking order; `days` limits them to these local days, both ends included."""
        first, last = days or _EVERY
        columns = _RUN if allocations else _HEAD
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                f"SELECT {columns} FROM run WHERE day >= ? AND day <= ? AND {_SHARES} ORDER BY position", (first, last)
            )
        return tuple(RunRow(*row) for row in rows)

    async def run_record(self, run_key: str) -> bytes:
        """The packed record of one run of any kind; empty bytes if there is no such run."""
        async with self.reading() as db:
            rows = await db.execute_fetchall("SELECT allocation FROM run WHERE run_key = ?", (run_key,))
        return next((bytes(row[0]) for row in rows), b"")

    async def fund_runs(
        self, *, days: tuple[str, str] | None = None, kinds: Sequence[str] | None = None, records: bool = True
    ) -> tuple[RunRow, ...]:
        """Runs of the co-op's funds in booking order, with their records or without; `days` includes both ends."""
        first, last = days or _EVERY
        columns = _RUN if records else _HEAD
        wanted = "" if kinds is None else f" AND kind IN ({_places(len(kinds))})"
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                f"SELECT {columns} FROM run WHERE run_key IN (SELECT run_key FROM run INDEXED BY run_head"
                f" WHERE day >= ? AND day <= ? AND NOT {_SHARES}{wanted}) ORDER BY position",
                (first, last, *(kinds or ())),
            )
        return tuple(RunRow(*row) for row in rows)

    async def book_rows(
        self,
        *,
        decisions: Sequence[str] = (),
        funds: Sequence[str] = (),
        days: tuple[str, str] | None = None,
        subjects: tuple[str, str] | None = None,
    ) -> BookRows:
        """Read everything in one transaction. Raises: StoreError if the store has no co-op yet."""

        async def work(db: Connection) -> tuple[list[Row], ...]:
            return (
                await _rows(db, "SELECT id, name, tz, currency FROM coop"),
                await _rows(db, _LAST_SQL),
                await _rows(db, _LEDGER_SQL),
                await _rows(db, _LOG_SQL),
                await _rows(db, _ACCESS_SQL),
                await _rows(db, _RUNS_SQL, *(days or _EVERY)),
                await _rows(db, _FUNDS_SQL.format(kinds=_places(len(funds))), *funds) if funds else [],
                await _rows(db, _DECISIONS_SQL.format(kinds=_places(len(decisions))), *decisions, *(subjects or _EVERY))
                if decisions
                else [],
            )

        coops, last, ledger, log, access, runs, fund_runs, decided = await self.read(work)
        if not coops:
            raise StoreError(f"{self.place}: the store has no co-op; create one with: commonwatt-hub init")
        return BookRows(
            coop=Coop(*coops[0]),
            last_attestation=next((AttestationRow(*row) for row in last), None),
            ledger=(int(ledger[0][0]), bytes(ledger[0][1])) if ledger else EMPTY_HEAD,
            log=(int(log[0][0]), bytes(log[0][1])) if log else EMPTY_HEAD,
            access_line=int(access[0][0]),
            runs=tuple(RunRow(*row) for row in runs),
            fund_runs=tuple(RunRow(*row) for row in fund_runs),
            decisions=tuple(AttestationRow(*row) for row in decided),
        )

    async def entries_of_run(self, run_key: str) -> tuple[EntryRow, ...]:
        """All entries a run booked, in order."""
        return await self._entries(
            "day = (SELECT day FROM run WHERE run_key = ?1) AND run_key = ?1 ORDER BY position", (run_key,)
        )

    async def booked_runs(self, *, days: tuple[str, str]) -> tuple[RunEntries, ...]:
        """The runs that booked something on these local days, both included; no entry is read but the last of each."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_BOOKED_SQL, days)
        return tuple(RunEntries(*row) for row in rows)

    async def last_settled_day(self) -> str | None:
        """The latest local day for which a settlement run was booked, or None."""
        async with self.reading() as db:
            rows = list(await db.execute_fetchall(f"SELECT max(day) FROM run WHERE {_SHARES}"))
        return None if rows[0][0] is None else str(rows[0][0])

    async def settled_through(self, *, days: tuple[str, str]) -> dict[str, SettledThrough]:
        """The inputs that the current runs of these days used; `days` includes both ends."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT day, message_position, members_digest, decision FROM settled_through"
                " WHERE day >= ? AND day <= ?",
                days,
            )
        return {str(row[0]): SettledThrough(*row) for row in rows}

    async def set_settled_through(self, through: SettledThrough) -> None:
        """Note that the day's current run still holds for these messages and memberships; ignore older ones."""

        async def work(db: Connection) -> None:
            await db.execute(_THROUGH_SQL, _through_values(through))

        await self.write(work)

    async def entries(self, *, after_position: int, limit: int) -> tuple[EntryRow, ...]:
        """Entries in order, for reading the whole ledger piece by piece."""
        return await self._entries("position > ? ORDER BY position LIMIT ?", (after_position, limit))

    async def entries_of_day(self, day: str) -> tuple[EntryRow, ...]:
        """All entries of one local day, in order."""
        return await self._entries("day = ? ORDER BY position", (day,))

    async def entries_of_days(self, *, days: tuple[str, str]) -> tuple[EntryRow, ...]:
        """All entries of these local days in order, both ends included."""
        return await self._entries("day >= ? AND day <= ? ORDER BY position", days)

    async def entries_of_member(self, member: str, *, days: tuple[str, str]) -> tuple[EntryRow, ...]:
        """A member's own entries; `days` includes both ends."""
        return await self._entries("member = ? AND day >= ? AND day <= ? ORDER BY day, position", (member, *days))

    async def entries_before(self, day: str, *, position: int, most: int) -> tuple[EntryRow, ...]:
        """The day's `most` newest entries up to this position, the newest first."""
        return await self._entries("day = ? AND position <= ? ORDER BY position DESC LIMIT ?", (day, position, most))

    async def ledger_head(self) -> tuple[int, bytes]:
        """(position, hash) of the last entry; (0, 32 zero bytes) if there is none."""
        last = await self._entries("position > 0 ORDER BY position DESC LIMIT 1", ())
        return (last[0].position, last[0].hash) if last else EMPTY_HEAD

    async def _entries(self, where: str, values: tuple[object, ...]) -> tuple[EntryRow, ...]:
        async with self.reading() as db:
            rows = await db.execute_fetchall(f"SELECT {_ENTRY} FROM entry WHERE {where}", values)
        return tuple(EntryRow(*row) for row in rows)


async def _rows(db: Connection, sql: str, *values: object) -> list[Row]:
    return await db.execute_fetchall(sql, values)


async def _check_not_older(db: Connection, through: SettledThrough) -> None:
    sql = "SELECT 1 FROM settled_through WHERE day = ? AND message_position > ?"
    if list(await db.execute_fetchall(sql, (through.day, through.message_position))):
        raise StaleInputsError(f"{through.day} was settled from newer readings in the meantime: start again")


def _places(count: int) -> str:
    return ", ".join("?" * count)


def _run_values(run: RunRow) -> tuple[object, ...]:
    return (
        run.run_key,
        run.kind,
        run.day,
        run.rule_hash,
        run.input_digest,
        run.result_hash,
        run.state,
        run.allocation,
        run.made_at,
        run.entries,
    )


def _through_values(through: SettledThrough) -> tuple[object, ...]:
    return (through.day, through.message_position, through.members_digest, through.decision)


def _entry_values(entry: EntryRow) -> tuple[object, ...]:
    return (entry.position, entry.unit, entry.day, entry.member, entry.run_key, entry.canonical, entry.hash)
