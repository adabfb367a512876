"""The real agent process with its page: what it measures is shown, and 'send nothing' holds over a restart."""

import asyncio
import re
from pathlib import Path

from edge_agent.home_store.view import kept_slots, read_quarters
from protocols.quantities import Measure
from protocols.slots import start_of
from tests.edge_agent.agent_process import FIRST, AgentHome, agent_home
from tests.edge_agent.hand_clock import until
from tests.edge_agent.modbus_stand import Stand, meter_words
from tests.edge_agent.page.page_home import get, post
from tests.edge_agent.stub_hub import free_port


async def shown(port: int, path: str) -> str:
    status, _, body = await get(port, path)
    assert status == 200, body
    return body


async def switch(port: int, do: str) -> None:
    found = re.search('name="token" value="([0-9a-f]+)"', await shown(port, "/left"))
    assert found is not None
    status, headers, _ = await post(
        port, "/left/sending", f"do={do}&token={found[1]}", f"Origin: http://localhost:{port}"
    )
    assert (status, headers["location"]) == (303, "/left")


async def quarter(home: AgentHome, at: int) -> None:
    """Move to the boundary FIRST + at, and wait until the quarter hour before is in the home's own history."""
    home.stand.words = meter_words(10_000 + at * 125, power_w=500)
    home.set_time(start_of(FIRST + at), rate=60, hold_at_s=start_of(FIRST + at) + 240)
    data = home.folder / "data"
    await until(lambda: FIRST + at - 1 in kept_slots(data), 60, "the quarter hour in the history")


async def test_a_home_looks_stops_sending_restarts_and_sends_again(tmp_path: Path) -> None:
    stand = Stand(meter_words(10_000, power_w=500))
    async with agent_home(tmp_path, stand) as home:
        port = free_port()
        home.config.write_text(home.config.read_text().replace('"off"', f'"127.0.0.1:{port}"'))
        home.start()
        await until(lambda: stand.requests, 60, "the first reading")
        await quarter(home, 1)
        await until(lambda: len(home.hub.batches) == 1, 60, "the first batch")
        assert "from the grid now" in await shown(port, "/")
        assert "answers" in await shown(port, "/devices")
        await switch(port, "stop")
        await quarter(home, 2)
        assert "<h1>Nothing is sent</h1>" in await shown(port, "/left")
        assert "NOTHING IS SENT since" in (await asyncio.to_thread(home.call, "status")).stdout

        assert await asyncio.to_thread(home.stop) == 0
        home.start()
        await quarter(home, 3)
        assert len(home.hub.batches) == 1, "nothing has left since, over a restart"
        await switch(port, "resume")
        await until(lambda: len(home.hub.batches) == 3, 60, "everything that waited")

        energies = [
            q.values[Measure.GRID_IMPORT].energy_wh for q in read_quarters(tmp_path / "data", range(FIRST, FIRST + 3))
        ]
        assert energies == [125, 125, 125]
        pin = await asyncio.to_thread(home.call, "page", "pin")
        assert re.match(r"\d{4} \d{4}\n", pin.stdout)
        assert await asyncio.to_thread(home.stop) == 0
        assert "Traceback" not in home.log.read_text()
