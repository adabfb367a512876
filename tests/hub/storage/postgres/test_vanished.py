"""A server that vanishes without a word: the hub waits for it no longer than it has to, and goes on when it is back."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub.storage.errors import StoreError
from hub.storage.jobs.records import Job
from hub.storage.postgres import connections
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.store import PostgresStore
from tests.hub.postgres_server import Databases


class Way:
    """A way over TCP to a server's socket. While it is cut, it takes what is sent and passes nothing on."""

    def __init__(self, sockets: Path) -> None:
        self._socket = sockets / ".s.PGSQL.5432"
        self.is_cut = False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._socket)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, back))
                both.create_task(self._pass(there, writer))
        except* OSError:
            pass  # one end was dropped, and the other one is dropped below
        finally:
            writer.close()
            back.close()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if not self.is_cut:
                target.write(data)
        target.close()


@asynccontextmanager
async def over_tcp(databases: Databases) -> AsyncIterator[tuple[Way, StoreAddress]]:
    server, name, address = await databases.fresh()
    way = Way(server.sockets)
    async with await asyncio.start_server(way.carry, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        login = urlsplit(address.dsn).netloc.rpartition("@")[0]
        yield way, StoreAddress(f"postgresql://{login}@127.0.0.1:{port}/{name}", address.schema)


async def test_a_server_that_answers_no_more_ends_a_statement_and_the_store_goes_on(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STATEMENT_S", 4.0)
    async with over_tcp(databases) as (way, address), asyncio.timeout(120):
        store = await PostgresStore.open(address, now=lambda: 1_800_000_000.0)
        await store.put_job(Job("a", 1, None, ""))
        assert [job.name for job in await store.jobs()] == ["a"]
        way.is_cut = True
        for attempt in (store.put_job(Job("b", 2, None, "")), store.jobs()):
            with pytest.raises(StoreError, match="no answer in time") as refused:
                await attempt
            assert len(str(refused.value).splitlines()) == 1
        way.is_cut = False
        await store.put_job(Job("c", 3, None, ""))
        assert [job.name for job in await store.jobs()] == ["a", "c"]
        await store.close()


async def test_the_kernel_asks_after_a_server_on_another_computer(databases: Databases) -> None:
    async with over_tcp(databases) as (_, address):
        session: Any = await connections.connect(address)
        connection = session._transport.get_extra_info("socket")
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        asked = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        options = [connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in asked]
        assert options == [10, 5, 3, 25_000]
        session.terminate()
