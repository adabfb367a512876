"""Documents the hub signed about its books,; stored rows are also read as raw bytes to detect damage."""

from collections.abc import Sequence

from hub.storage.errors import ConstraintError, StoreConflictError
from hub.storage.records import AttestationRow, EntryRow, RunRow
from hub.storage.sql.connection import Connection, Row, Transactions
from hub.storage.sql.row_log.owner import refuse_foreign

_INSERT_SQL = """INSERT INTO attestation (position, kind, subject, run_key, document, signature)
VALUES (?, ?, ?, ?, ?, ?)"""
_NEWEST_SQL = """SELECT position, kind, subject, run_key FROM attestation WHERE kind = ?
ORDER BY subject DESC, position DESC LIMIT ?"""
_UNSIGNED_SQL = """SELECT run_key, kind, day, rule_hash, input_digest, result_hash, state, x'', made_at, entries
FROM run WHERE NOT EXISTS
    (SELECT 1 FROM attestation WHERE kind = 'day-root' AND attestation.run_key = run.run_key) ORDER BY position"""
# Damaged text may be invalid UTF-8: it is read as bytes and decoded here, because the database driver would raise.
_ENTRIES_SQL = """SELECT position, CAST(unit AS BLOB), CAST(day AS BLOB), CAST(member AS BLOB), CAST(run_key AS BLOB),
canonical, hash FROM entry WHERE position > ? ORDER BY position LIMIT ?"""
_RUNS_SQL = """SELECT position, CAST(run_key AS BLOB), CAST(kind AS BLOB), CAST(day AS BLOB), CAST(rule_hash AS BLOB),
CAST(input_digest AS BLOB), CAST(result_hash AS BLOB), CAST(state AS BLOB), allocation, made_at, entries
FROM run WHERE position > ? ORDER BY position LIMIT ?"""
_ATTESTATIONS_SQL = """SELECT position, CAST(kind AS BLOB), CAST(subject AS BLOB), CAST(run_key AS BLOB), document,
signature FROM attestation WHERE position > ? ORDER BY position LIMIT ?"""


class SqlAttestations(Transactions):
    """The AttestationStore slice."""

    async def attest(self, rows: Sequence[AttestationRow]) -> None:
        """Append in one transaction. Raises: StoreConflictError if the rows do not follow the last stored one."""

        async def work(db: Connection) -> None:
            await insert_attestations(db, rows)

        await self.write(work)

    async def attestations(
        self, kinds: Sequence[str], *, subjects: tuple[str, str] | None = None
    ) -> tuple[AttestationRow, ...]:
        """Rows of these kinds in order; `subjects` includes both ends."""
        first, last = subjects or ("", "~")
        found: list[AttestationRow] = []
        async with self.reading() as db:
            for kind in kinds:
                rows = await db.execute_fetchall(
                    "SELECT position, kind, subject, run_key, document, signature FROM attestation"
                    " WHERE kind = ? AND subject >= ? AND subject <= ?",
                    (kind, first, last),
                )
                found.extend(AttestationRow(*row) for row in rows)
        return tuple(sorted(found, key=lambda row: row.position))

    async def newest_attestations(self, kind: str, *, most: int) -> tuple[AttestationRow, ...]:
        """Rows of the newest subjects, in order, without their documents."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_NEWEST_SQL, (kind, most))
        return tuple(
            sorted(
                (AttestationRow(row[0], row[1], row[2], row[3], b"", b"") for row in rows), key=lambda row: row.position
            )
        )

    async def last_attestation(self) -> AttestationRow | None:
        """The newest row, which the next one must follow."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT position, kind, subject, run_key, document, signature FROM attestation"
                " ORDER BY position DESC LIMIT 1"
            )
        return next((AttestationRow(*row) for row in rows), None)

    async def require_own(self) -> None:
        """Raises: StoreConflictError if another hub than the one that opened the store has signed what is in it."""
        async with self.reading() as db:
            await refuse_foreign(db, self._signer, place=self.place)

    async def unsigned_runs(self) -> tuple[RunRow, ...]:
        """Runs of every kind without a day root, in booking order, without their allocation records."""
        async with self.reading() as db:
            return tuple(RunRow(*row) for row in await db.execute_fetchall(_UNSIGNED_SQL))

    async def journal_entries(self, *, after: int, limit: int) -> tuple[EntryRow, ...]:
        """Ledger rows by position, damaged or not."""
        rows = await self._journal(_ENTRIES_SQL, after, limit)
        return tuple(
            EntryRow(row[0], _text(row[1]), _text(row[2]), _text(row[3]), _text(row[4]), row[5], row[6]) for row in rows
        )

    async def journal_runs(self, *, after: int, limit: int) -> tuple[tuple[int, RunRow], ...]:
        """(position, run) of every kind of run, damaged or not."""
        rows = await self._journal(_RUNS_SQL, after, limit)
        return tuple((row[0], _run(row)) for row in rows)

    async def journal_attestations(self, *, after: int, limit: int) -> tuple[AttestationRow, ...]:
        """Attestations by position, damaged or not."""
        rows = await self._journal(_ATTESTATIONS_SQL, after, limit)
        return tuple(
            AttestationRow(row[0], _text(row[1]), _text(row[2]), _text(row[3]), row[4], row[5]) for row in rows
        )

    async def _journal(self, sql: str, after: int, limit: int) -> list[Row]:
        async with self.reading() as db:
            return list(await db.execute_fetchall(sql, (after, limit)))


async def insert_attestations(db: Connection, rows: Sequence[AttestationRow]) -> None:
    """Append inside the caller's transaction.

    Raises: StoreConflictError if the rows do not follow the last stored one or a run already has a root.
    """
    ((last,),) = await db.execute_fetchall("SELECT coalesce(max(position), 0) FROM attestation")
    if [row.position for row in rows] != list(range(last + 1, last + 1 + len(rows))):
        raise StoreConflictError(f"the next attestation is number {last + 1}: another document was signed meanwhile")
    values = [(row.position, row.kind, row.subject, row.run_key, row.document, row.signature) for row in rows]
    try:
        await db.executemany(_INSERT_SQL, values)
    except ConstraintError as error:
        if not error.is_taken:
            raise
        raise StoreConflictError("a run already has a root: it was signed in the meantime") from None


def _run(row: Row) -> RunRow:
    key, kind, day, rule_hash, input_digest, result_hash, state = (_text(cell) for cell in row[1:8])
    return RunRow(key, kind, day, rule_hash, input_digest, result_hash, state, row[8], row[9], row[10])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")
