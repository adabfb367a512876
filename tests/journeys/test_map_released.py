"""Real hub and agent: the board releases a bronze map, a home reads its meter with it, and the board takes it back.

The home's energy counts for settlement while that very file is released; it goes on measuring with it afterwards.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.maps.coop.kept import FILE, TAKEN, read_bundle
from edge_agent.maps.files import INSTALLED
from hub.__main__ import main
from hub.broker.plans import free_port
from hub.folder.opening import open_store
from protocols.timeline import Clock
from tests.edge_agent.modbus_stand import Stand, meter_words
from tests.hub.intake.test_hub_killed import running_hub
from tests.journeys.test_home_over_tls import Place, running_agent
from tests.journeys.test_hub_key_rotated import receipted

FAMILY = "street-meter"
CLOCK = Clock(real=time.time)
BRONZE = (
    (INSTALLED / "eastron-sdm630.toml")
    .read_text(encoding="utf-8")
    .replace('id = "eastron-sdm630"', f'id = "{FAMILY}"')
    .replace('quality = "silver"', 'quality = "bronze"')
)


class Coop:
    """A hub's folder with its board's commands, and one home."""

    def __init__(self, folder: Path, *, meter_port: int, capsys: pytest.CaptureFixture[str]) -> None:
        self.place = Place(folder, meter_port=meter_port)
        self.config, self.data = self.place.home / "agent.toml", self.place.home / "data"
        self._capsys = capsys

    async def hub(self, *words: str) -> str:
        """A command of the board on the running hub."""
        self._capsys.readouterr()
        arguments = [*words, "--data", str(self.place.hub)]
        code = await asyncio.to_thread(main, arguments)
        assert code == 0, (words, self._capsys.readouterr())
        return self._capsys.readouterr().out

    async def held(self, serial: int) -> None:
        """Wait until the agent has kept this bundle."""
        async with asyncio.timeout(120):
            while (bundle := read_bundle(self.data)) is None or bundle.serial != serial:
                await asyncio.sleep(0.2)

    async def told(self, quality: str) -> int:
        """Wait until the hub has this word of the home's meter; how many meters then wait for the board."""
        async with asyncio.timeout(120):
            while True:
                store = await open_store(self.place.hub, clock=CLOCK)
                try:
                    meters = await store.told_meters()
                    if meters and meters[-1].quality == quality:
                        return len(await store.unproven_meters())
                finally:
                    await store.close()
                await asyncio.sleep(0.5)

    async def send(self) -> None:
        """Quarter hours end until the home has receipts for more than before."""
        before, _ = receipted(self.place)
        async with asyncio.timeout(120):
            while True:
                self.place.slots += 1
                self.place.show_time()
                await asyncio.sleep(0.5)
                messages, waiting = receipted(self.place)
                if messages > before and not waiting:
                    return


@pytest.fixture
async def coop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Coop]:
    stand = Stand(meter_words(10_000))
    await stand.start()
    yield Coop(tmp_path, meter_port=stand.port, capsys=capsys)
    await stand.stop()


async def test_from_the_boards_evening_to_a_home_and_back(
    coop: Coop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.commands.operation.init.can_ask", lambda: False)
    await coop.hub("init", "--name", "S", "--coop", "street", "--tz", "UTC")
    settings = coop.place.hub / "hub.toml"
    settings.write_text(settings.read_text().replace('kind = "auto"', 'kind = "iotcore"\nallow_other_users = true'))
    clock = ("--clock", str(coop.place.clock))
    invite = ("invite", "--member", "A", "--email", "a@b.example", "--board", "--json", *clock)
    token = json.loads(await coop.hub(*invite))["token"]
    await coop.hub("invite", "--member", "B", "--email", "b@b.example", "--board", "--by", "m01", *clock)
    map_file = tmp_path / f"{FAMILY}.toml"
    map_file.write_text(BRONZE)
    device = coop.config.read_text()

    async with running_hub(coop.place.hub, clock=coop.place.clock, broker_port=free_port("127.0.0.1")) as (_, pages):
        coop.config.write_text(f'[hub]\nurl = "{pages}"\ncoop = "street"\n[page]\nlisten = "off"\n{device}')
        enrolled = await asyncio.to_thread(coop.place.agent, "enrol", text=f"{token}\n")
        assert enrolled.returncode == 0, enrolled.stderr
        for words in (
            ("add", str(map_file), "--by", "m01"),
            ("release", FAMILY, "--by", "m01"),
            ("confirm", "--proposal", "1", "--by", "m02"),
        ):
            await coop.hub("maps", *words, *clock)
        async with running_agent(coop.place):
            await coop.held(1)
            assert await coop.told("silver") == 0, "the home reads with the installed map as before"
        coop.config.write_text(coop.config.read_text().replace("eastron-sdm630", FAMILY))
        async with running_agent(coop.place) as log:
            assert await coop.told("released") == 0, "a bronze map of the board's counts"
            await coop.send()
            assert "the map street-meter is from the co-op's bundle 1" in log.read_text()
        assert (coop.data / TAKEN / f"{FAMILY}.toml").read_text() == BRONZE
        await coop.hub("maps", "withdraw", FAMILY, "--by", "m02", *clock)
        await coop.hub("maps", "confirm", "--proposal", "2", "--by", "m01", *clock)
        async with running_agent(coop.place) as log:
            await coop.held(2)
            assert await coop.told("bronze") == 1, "what comes from now on waits for the board"
            await coop.send()
            assert "has taken back the map street-meter: it stays in use" in log.read_text()
    assert (coop.data / FILE).is_file()
    assert "0 wrong" in await coop.hub("verify", "--only", "rows", *clock)
