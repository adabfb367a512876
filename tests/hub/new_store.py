"""A new store for a test, copied from one that this process made before: making one runs the whole schema.

Every `commonwatt-hub init` in the tests still makes one whole, as does the contract of agents' keys.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hub.storage.sqlite.store import SqliteStore

_made: dict[int, bytes] = {}


async def open_new_store(path: Path, *, now: Callable[[], float]) -> SqliteStore:
    """The unsigned store at this path; if there is none, a new one whose log began now."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(await _new_at(int(now())))
    return await SqliteStore.open(path, now=now)


async def _new_at(at: int) -> bytes:
    if at not in _made:
        with TemporaryDirectory() as folder:
            kept = Path(folder) / "hub.sqlite"
            await (await SqliteStore.open(kept, now=lambda: float(at), create=True)).close()
            _made[at] = kept.read_bytes()
    return _made[at]
