"""Writes hub/storage/postgres/definitions.json from a schema that this program has just made: run it after a new step.

python -m tests.hub.storage.postgres.definitions
"""

import asyncio
import json
from pathlib import Path

from hub.storage.postgres.connections import connect
from hub.storage.postgres.row_log.view import held_definitions
from tests.house.source_tree import ROOT
from tests.hub.postgres_server import the_server

FILE: Path = ROOT / "hub/storage/postgres/definitions.json"


async def made_definitions() -> dict[str, str]:
    """Those of a schema that was made just now."""
    server, _ = await the_server()
    session = await connect(server.admin("made"))
    try:
        return await held_definitions(session)
    finally:
        session.terminate()


if __name__ == "__main__":
    FILE.write_text(json.dumps(asyncio.run(made_definitions()), indent=0, sort_keys=True) + "\n", encoding="utf-8")
