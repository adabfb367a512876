"""What the store uses of asyncpg, which says nothing of its types: a session with the server, and a few to share."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
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
    def add_log_listener(self, callback: Callable[[object, Any], None]) -> None: ...
    def remove_log_listener(self, callback: Callable[[object, Any], None]) -> None: ...
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


_PASSING: Final = (
    asyncpg.CannotConnectNowError,  # it is starting or stopping
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
_LASTING: Final = (asyncpg.ClientConfigurationError, ssl.SSLError)


def is_away(error: BaseException) -> bool:
    """Whether this passes by itself: the server is not there now. A wrong address or certificate does not."""
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN  # no name server answers; another number says that there is no such host
    if type(error) is ConnectionError:
        return False  # a server that speaks no TLS
    return isinstance(error, (*LOST, *_PASSING)) and not isinstance(error, _LASTING)


SET_UP_S: Final = 10.0
# A server that lost its power or its network says nothing. Over TCP the kernel asks after it: the
# session ends after 25 s without an answer, whether something was on its way or the hub waits for a reply.
_WATCH: Final = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 5),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 25_000),
)


async def connected(dsn: str, settings: dict[str, Any]) -> Session:
    """A session of its own. Raises: one of TROUBLE."""
    session: Session = await asyncpg.connect(dsn, **settings)
    await _set_up(session)
    return session


async def pooled(dsn: str, settings: dict[str, Any], *, most: int) -> Pool:
    """Sessions to share, at most so many. Raises: one of TROUBLE."""
    # No fewest: the pool would log each of its own vain attempts to have them while the server is away.
    pool: Pool = await asyncpg.create_pool(dsn, min_size=0, max_size=most, init=_set_up, reset=_nothing, **settings)
    return pool


async def _set_up(session: Any) -> None:
    try:
        watch(session._transport.get_extra_info("socket"))  # the driver shows it nowhere else
        async with asyncio.timeout(SET_UP_S):
            # A sum of whole numbers is a numeric there, and the store holds no other one.
            await session.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=int, format="text")
    except BaseException:
        session.terminate()
        raise


def watch(connection: Any) -> None:
    """Have the kernel notice that the other end of a TCP connection is gone. Some systems lack one of the options."""
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        for level, name, value in _WATCH:
            if (option := getattr(socket, name, None)) is not None:
                connection.setsockopt(level, option, value)


async def _nothing(_session: Any) -> None:
    """A reader leaves nothing behind in its session that the next one would see."""
