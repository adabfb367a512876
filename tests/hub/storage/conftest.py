"""The backends on which every test of the contract runs."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hub.storage.contract import Store
from tests.hub.new_store import open_new_store
from tests.hub.postgres_server import Databases, open_new_postgres
from tests.hub.storage.backends import BACKENDS, OpenBackend


@pytest.fixture
async def databases() -> AsyncIterator[Databases]:
    """Databases for this test on this process's own server."""
    held = Databases()
    yield held
    await held.drop()


@pytest.fixture(params=BACKENDS)
async def open_backend(request: pytest.FixtureRequest, tmp_path: Path, databases: Databases) -> OpenBackend:
    """Opens the store of a folder, the test's own unless it says otherwise; a new one at first."""

    async def opened(*, now: Callable[[], float], folder: Path = tmp_path) -> Store:
        if request.param == "postgres":
            return await open_new_postgres(databases, folder, now=now)
        return await open_new_store(folder / "hub.sqlite", now=now)

    return opened
