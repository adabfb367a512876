"""A co-op's place on this process's own PostgreSQL server, for each test that asks."""

from collections.abc import AsyncIterator

import pytest

from tests.hub.job_queue.workshop import Workshop
from tests.hub.postgres_server import Databases


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    """A store and a queue on the server, and a clock that the test moves."""
    databases = Databases()
    server, database, address = await databases.fresh()
    held = Workshop(server, database, address)
    yield held
    await held.close()
    await databases.drop()
