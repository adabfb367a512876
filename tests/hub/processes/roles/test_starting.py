"""A role process without its database server waits for it; what waiting does not mend ends it in one line."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from hub.folder.elsewhere.store_settings import ADDRESS_NAME
from hub.storage.postgres.connections import connect
from tests.hub.postgres_server import crash, start_again
from tests.hub.processes.roles.many import STARTS_WITHIN_S, ManyHub, many_hub


def run(hub: ManyHub) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hub", "run", "--data", str(hub.folder), "--role", "worker"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=STARTS_WITHIN_S)


async def line(child: asyncio.subprocess.Process) -> str:
    assert child.stdout is not None
    return (await asyncio.wait_for(child.stdout.readline(), STARTS_WITHIN_S)).decode()


@pytest.mark.campaign
async def test_a_process_waits_for_its_server_and_is_ended_by_a_wrong_one(tmp_path: Path) -> None:
    async with many_hub(tmp_path, [], slots=1) as hub:
        crash(hub.server)
        command = ["run", "--data", str(hub.folder), "--clock", str(hub.clock), "--role", "worker"]
        child = await asyncio.create_subprocess_exec(*(sys.executable, "-m", "hub", *command), stdout=subprocess.PIPE)
        hub.started.append(child)
        assert "cannot open the store" in (said := await line(child))
        assert said.endswith("; waiting until it is there\n")
        hub.server = start_again(hub.server)
        assert (await line(child)).startswith("role worker: at work")
        await hub.stop()

        admin = await connect(hub.server.admin("energy"))
        held = await admin.fetchval("SELECT max(number) FROM migration")
        await admin.execute(f"UPDATE migration SET number = {held + 1000} WHERE number = {held}")
        admin.terminate()
        refused = await asyncio.to_thread(run, hub)
        assert refused.returncode != 0
        assert len(refused.stderr.splitlines()) == 1, refused.stderr
        assert "migration" in refused.stderr or "schema" in refused.stderr

        address = hub.folder / ADDRESS_NAME
        address.write_text(address.read_text().replace("street_hub:", "street_hub:wrong"))
        refused = await asyncio.to_thread(run, hub)
        assert refused.returncode != 0
        assert len(refused.stderr.splitlines()) == 1, refused.stderr
        assert "password authentication failed" in refused.stderr
