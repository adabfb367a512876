"""What the store uses of asyncpg, which says nothing of its types: a session with the server, and a few to share."""

from collections.abc import Awaitable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import asyncpg


class Cursor(Protocol):
    """Rows of one statement, piece by piece."""

    async def fetch(self, count: int) -> Sequence[Sequence[Any]]: ...


class Kind(Protocol):
    """A type of the server's."""

    name: str


class Prepared(Protocol):
    """A statement that the server has understood."""

    def get_parameters(self) -> Sequence[Kind]: ...


class Session(Protocol):
    """A session with the server."""

    async def execute(self, sql: str, *values: Any) -> str: ...
    async def fetch(self, sql: str, *values: Any) -> Sequence[Sequence[Any]]: ...
    async def fetchval(self, sql: str, *values: Any) -> Any: ...
    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None: ...
    async def copy_records_to_table(
        self, table: str, *, records: Iterable[Sequence[Any]], columns: list[str], schema_name: str | None = None
    ) -> str: ...
    async def prepare(self, sql: str) -> Prepared: ...
    def cursor(self, sql: str) -> Awaitable[Cursor]: ...
    def transaction(self) -> AbstractAsyncContextManager[Any]: ...
    def terminate(self) -> None: ...
    def is_closed(self) -> bool: ...


class Pool(Protocol):
    """A few sessions that are used in turn."""

    def acquire(self, *, timeout: float) -> AbstractAsyncContextManager[Session]: ...
    def terminate(self) -> None: ...


LOST: Final = (
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.TargetServerAttributeNotMatched,  # it takes no writes
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
)
"""The server cannot be reached, or the session with it has ended."""
TROUBLE: Final = (asyncpg.PostgresError, *LOST)


async def connected(dsn: str, settings: dict[str, Any]) -> Session:
    """A session of its own. Raises: one of TROUBLE."""
    session: Session = await asyncpg.connect(dsn, **settings)
    await _set_up(session)
    return session


async def pooled(dsn: str, settings: dict[str, Any], *, most: int) -> Pool:
    """Sessions to share, at most so many. Raises: one of TROUBLE."""
    pool: Pool = await asyncpg.create_pool(dsn, min_size=1, max_size=most, init=_set_up, reset=_nothing, **settings)
    return pool


async def _set_up(session: Any) -> None:
    # A sum of whole numbers is a numeric there, and the store holds no other one.
    await session.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=int, format="text")


async def _nothing(_session: Any) -> None:
    """A reader leaves nothing behind in its session that the next one would see."""
