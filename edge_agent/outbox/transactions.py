"""The outbox's open file: one transaction at a time, all or nothing, and reads that see only what is committed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite

from edge_agent.outbox.messages import OutboxError


class OutboxFile:
    """The connection and its turn-taking. What is stored is the business of `Outbox`."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._db = connection
        self._turn = asyncio.Lock()
        self._files: tuple[str, ...] = ()
        self._looks: list[object] = []

    def watch_file(self, path: Path) -> None:
        """Say where the file is, to see without opening it whether any program has written to it."""
        self._files = (str(path), f"{path}-wal")

    def _is_as_before(self) -> bool:
        """Whether nobody wrote to the file before the last two looks, nor since.

        Two: a time stamp is the same for all that is written within a few milliseconds.
        """
        if not self._files:
            return False
        look: list[tuple[int, int, int]] = []
        for path in self._files:
            try:
                found = os.stat(path)  # noqa: PTH116 - twice every few seconds, all day
            except OSError:
                continue
            look.append((found.st_mtime_ns, found.st_size, found.st_ino))
        self._looks = [*self._looks[-2:], look]
        return len(self._looks) == 3 and self._looks[0] == self._looks[1] == look

    async def close(self) -> None:
        """Close the file."""
        await self._db.close()

    def _forget_sizes(self) -> None:
        """Called when a transaction did not come to its end."""

    async def _one(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Row | None:
        rows = await self._all(sql, parameters)
        return rows[0] if rows else None

    async def _all(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """Committed rows: this connection would also see another task's open transaction half done."""
        async with self._turn:
            return await self._rows_in_transaction(sql, parameters)

    async def _rows_in_transaction(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """Rows as the open transaction sees them."""
        try:
            return list(await self._db.execute_fetchall(sql, parameters))
        except sqlite3.Error as cause:
            raise OutboxError(f"the outbox cannot be read: {cause}") from None

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        async with self._turn:
            try:
                try:
                    await self._db.execute("BEGIN IMMEDIATE")
                    yield
                    await self._db.commit()
                except BaseException:
                    self._forget_sizes()
                    # Runs after everything still queued, and does nothing if no transaction is open.
                    await self._db.rollback()
                    raise
            except sqlite3.Error as cause:
                raise OutboxError(f"the outbox cannot be written: {cause}: is the disk full?") from None
