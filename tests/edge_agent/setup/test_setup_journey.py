"""`commonwatt-agent setup` at a pseudo-terminal: from a blank folder with five families to the hub's first receipt."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.settings import read_settings
from hub.__main__ import main as hub_main
from hub.broker.plans import free_port
from protocols.consent.text import parse_consent
from protocols.enrolment.invitation_text import InvitationText, write_invitation
from protocols.timeline import Timeline
from simulator.commands.device import home_of_family
from simulator.devices.image import DeviceImage
from simulator.devices.modbus_server import SimulatedLink
from simulator.world.families import find_map
from simulator.world.street import Street
from tests.edge_agent.setup.person import ROOT, Person
from tests.hub.intake.test_hub_killed import running_hub

MOST_TYPING_S = 180
TCP_FAMILIES = ("eastron-sdm630", "huawei-sun2000", "sunspec-inverter", "shelly-pro3em")
NOON_S = 1_781_000_000 // 86400 * 86400 + 11 * 3600
"""A June day: the panels produce."""


class DevicesOfAHome:
    """Five simulated devices: four at TCP addresses, one on a serial bus."""

    def __init__(self, folder: Path) -> None:
        self.bus = folder / "bus"
        self.ports: dict[str, int] = {}
        self._links: list[SimulatedLink] = []
        self._street = Street(seed=7, homes=12, first_day=NOON_S // 86400)

    def _link(self, family: str, unit: int) -> SimulatedLink:
        home, found = home_of_family(self._street, find_map(family, None).varied(None))
        image = DeviceImage(
            replace(found, unit=unit, families=(family,)), home, physics=self._street.physics(home.id), seed=7
        )
        link = SimulatedLink([image], lambda: float(NOON_S))
        self._links.append(link)
        return link

    async def start(self) -> None:
        for family in TCP_FAMILIES:
            self.ports[family] = await self._link(family, 1).serve_tcp(0)
        self._link("eastron-sdm630", 1).serve_rtu(self.bus)

    async def stop(self) -> None:
        for link in self._links:
            await link.close()

    def address(self, family: str) -> str:
        return f"tcp://127.0.0.1:{self.ports[family]}"


@pytest.fixture
async def devices(tmp_path: Path) -> AsyncIterator[DevicesOfAHome]:
    home = DevicesOfAHome(tmp_path)
    await home.start()
    yield home
    await home.stop()


@contextlib.asynccontextmanager
async def person() -> AsyncIterator[Person]:
    someone = Person()
    try:
        yield someone
    finally:
        await someone.leave()


@contextlib.asynccontextmanager
async def running_agent(config: Path) -> AsyncIterator[None]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge_agent", "run", "--config", str(config)), cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip
    try:
        yield
    finally:
        child.terminate()
        assert await asyncio.wait_for(child.wait(), 60) == 0


async def invitation(folder: Path, clock: Path, capsys: pytest.CaptureFixture[str]) -> str:
    clock.write_text(Timeline(time.time(), time.time(), 1.0, None).text())
    where = ["--data", str(folder)]
    assert await asyncio.to_thread(hub_main, ["init", "--name", "S", "--coop", "street", "--tz", "UTC", *where]) == 0
    capsys.readouterr()
    invite = ["invite", "--member", "A", "--email", "a@b.c", "--json", *where, "--clock", str(clock)]
    assert await asyncio.to_thread(hub_main, invite) == 0
    return str(json.loads(capsys.readouterr().out)["token"])


REPLIES = {
    "Makes written on": "SDM630, Huawei",
    "Search the network": "n",
    "Ask devices on": "n",
    "Which is it?": "1",
    "Make written on it?": "SDM630",  # a loaded machine may have answered too late to be recognised
    "What does it measure?": "",
    "Does your display or app say the same?": "y",
    "Sign check": "s",
    "in kW": "",
    "Search for more?": "",
    "Country of your home": "DE",
    "does your legal meter net them": "",
    "set off against each other": "",
    "Compare with the legal meter": "",
    "own page be opened": "",
}


async def test_from_a_blank_folder_with_five_families_to_the_first_receipt(
    devices: DevicesOfAHome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub, clock, home = tmp_path / "hub", tmp_path / "clock.json", tmp_path / "home"
    home.mkdir()
    config = home / "agent.toml"
    token = await invitation(hub, clock, capsys)
    addresses = ", ".join([*(devices.address(family) for family in TCP_FAMILIES), str(devices.bus)])
    async with running_hub(hub, clock=clock, broker_port=free_port("127.0.0.1")) as (_, url), person() as someone:
        await someone.start("setup", "--config", str(config))
        await someone.converse(REPLIES, until="Another address")
        await someone.answer("[Enter: none]", addresses, pasted=True)
        await someone.converse(REPLIES, until="Paste your co-op's invitation")
        assert "Found 5 devices." in someone.seen

        # Somebody walks away, and goes on later where they were; a wrong invitation costs nothing.
        await someone.leave()
        await someone.start("setup", "--config", str(config))
        await someone.until("Setup goes on where it stopped.\n\nStep 4 of 6: your co-op")
        await someone.answer("[Enter: later]", token[:-3], pasted=True)
        invited = write_invitation(InvitationText(url, "street", token))
        await someone.answer("[Enter: later]", invited, pasted=True)
        await someone.answer("(forecast.hood)", "y")
        await someone.converse({"May the co-op": ""}, until="Allowed from the next quarter hour on: forecast.hood.")
        await someone.until("Now start the agent in another terminal: ")
        async with running_agent(config):
            await someone.until("everything works.")
            assert await someone.ended() == 0

    print(f"typed {someone.typed_chars} keys ({someone.typing_s:.0f} s), pasted {someone.pasted_chars} characters")
    assert someone.typing_s <= MOST_TYPING_S
    settings = read_settings(config)
    assert {(each.map, each.roles) for each in settings.devices} == {
        ("eastron-sdm630", ("grid",)),
        ("eastron-sdm630", ("load",)),
        ("huawei-sun2000", ("pv",)),
        ("huawei-sun2000", ("battery",)),
        ("sunspec-inverter", ("pv",)),
        ("shelly-pro3em", ("load",)),
    }
    assert (settings.legal_meter.country, settings.legal_meter.phases) == ("DE", "netted")
    assert next(each for each in settings.devices if each.endpoint.path).endpoint.baud == 9600
    consent = parse_consent((home / "consent.toml").read_text())
    assert {each.purpose for each in consent.rules} == {"settle.share", "device.health", "forecast.hood"}
    progress = home / "setup-progress.json"
    assert progress.stat().st_mode & 0o077 == 0
    assert token not in progress.read_text()
