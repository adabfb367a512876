"""One home with two agents, in real processes: one at the grid's meter, one at the inverter. What the second one
brings, and what its household takes back there, touches nothing that the first one brings.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from protocols.quantities import Measure
from protocols.slots import SLOT_S, slot_of
from simulator.demo.director import COOP, LIVE_RATE, REST_RATE, Demo

MORNING_S = 9 * 3600
GRID, SUN = int(Measure.GRID_IMPORT), int(Measure.PV_PRODUCTION)


class House(Demo):
    """A home whose inverter gets an agent of its own; its meter is next door, as one device serves one agent only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, seed=1, homes=2, history_days=0, print_line=lambda _text: None)
        self.at_s = self.start_s + MORNING_S
        self.home = "h01"

    @property
    def first_folder(self) -> Path:
        return self.street_folder / "homes" / self.home

    @property
    def second_folder(self) -> Path:
        return self.street_folder / "homes" / f"{self.home}-inverter"

    def share_devices(self) -> None:
        """The grid's meter stays with the first agent; the inverter goes to the second one."""
        head, _, inverter = devices_of(self.first_folder)
        _, meter = devices_of(self.street_folder / "homes" / "h02")
        assert 'role = "grid"' in meter
        assert 'role = "pv"' in inverter
        self.second_folder.mkdir()
        (self.first_folder / "agent.toml").write_text(head + meter)
        (self.second_folder / "agent.toml").write_text(head + inverter)
        for folder in (self.first_folder, self.second_folder):
            (folder / "consent.toml").unlink(missing_ok=True)

    def add_second(self) -> str:
        """Invite and enrol the second agent beside the first; its id."""
        made: Any = self.hub_json(
            "invite", "--email", f"{self.home}@example.org", "--another-agent", "--by", "m01", "--json"
        )
        secret = self.folder / "second.token"
        secret.touch(mode=0o600)
        secret.write_text(made["token"], encoding="ascii")
        config = self.second_folder / "agent.toml"
        self.place.run("edge_agent", "enrol", "--config", str(config), "--coop", COOP, "--token-file", str(secret))
        return str(json.loads((config.parent / "data" / "enrolment.json").read_text())["agent"])

    def start_agent(self, name: str, folder: Path) -> None:
        """Start it, and let time go on to the quarter hour before the first one that it says it will send."""
        options = {"--config": folder / "agent.toml", "--clock": self.clock.path}
        started = self.place.start(name, "edge_agent", "run", options=options)
        said = re.compile(r"(?:the first readings|messages) are sent at (\S+)Z")
        self.programs.wait("the agent's word", lambda: said.search(started.log_path.read_text()) is not None)
        found = said.search(started.log_path.read_text())
        assert found is not None
        self.at_s = int(datetime.fromisoformat(f"{found[1]}+00:00").timestamp()) - SLOT_S

    def restart_agent(self, name: str, folder: Path) -> None:
        running = next(one for one in self.programs.running if one.name == name)
        running.process.terminate()
        running.process.wait(60)
        self.programs.running.remove(running)
        running.log_path.rename(running.log_path.with_suffix(".before"))
        self.start_agent(name, folder)

    def log_of(self, name: str) -> str:
        return next(one for one in self.programs.running if one.name == name).log_path.read_text()

    def pass_slots(self, count: int, *agents: str) -> range:
        """Let quarter hours pass, each until these agents' batches of it have arrived; which slots they were."""
        first = slot_of(self.at_s)
        for _ in range(count):
            self.at_s += SLOT_S
            self.clock.run_until(self.at_s + 240, rate=LIVE_RATE)
            self.programs.wait("every agent's batch", lambda: self.has_arrived(slot_of(self.at_s) - 1, *agents))
        return range(first, first + count)

    def has_arrived(self, slot: int, *agents: str) -> bool:
        through = (self.ask_hub() or {}).get("received_through", {})
        return all(through.get(agent, 0) >= slot for agent in agents)

    def stored(self, measure: int, slots: range) -> dict[int, int]:
        """What was measured, by slot."""
        sql = "SELECT slot, energy_wh FROM reading WHERE measure = ? AND slot >= ? AND slot < ? AND energy_wh >= 0"
        with closing(sqlite3.connect(f"file:{self.place.hub_folder / 'hub.sqlite'}?mode=ro", uri=True)) as db:
            return dict(db.execute(sql, (measure, slots.start, slots.stop)).fetchall())


def devices_of(folder: Path) -> list[str]:
    """A home's agent.toml: what stands before the devices, then each device."""
    return re.split(r"(?m)^(?=\[\[device\]\])", (folder / "agent.toml").read_text())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    try:
        one.clock.run_until(one.at_s, rate=REST_RATE)
        one.start_street("")
        one.make_hub()
        one.start_hub()
        one.share_devices()
        one.enrol()
        yield one
    finally:
        one.close()


@pytest.mark.timeout(240)
def test_a_second_agent_brings_the_sun_and_takes_it_back_and_the_grid_stays(house: House) -> None:
    first = house.agents[house.home]
    house.start_agent("first", house.first_folder)
    before = house.pass_slots(1, first)
    second = house.add_second()
    assert second != first
    rule = '\n[[rule]]\npurpose = "forecast.hood"\nmeasures = ["pv_production"]\nvalid_from = "2026-05-01T00:00Z"\n'
    consent = house.second_folder / "consent.toml"
    given = consent.read_text()
    assert "purpose" not in given.partition("#")[0], "a further agent begins with what membership needs"
    consent.write_text(given.replace("version = 1", "version = 2") + rule)
    house.start_agent("second", house.second_folder)
    both = house.pass_slots(2, first, second)
    sunny = house.stored(SUN, both)
    assert any(wh > 0 for wh in sunny.values()), "the inverter's energy has come"
    consent.write_text(given.replace("version = 1", "version = 3"))
    house.restart_agent("second", house.second_folder)
    assert "without amounts until a rule in consent.toml allows them" in house.log_of("second")
    after = house.pass_slots(2, first, second)
    assert house.stored(SUN, range(after.start + 1, after.stop)) == {}, "nothing of the sun leaves any more"
    assert house.stored(SUN, both) == sunny, "what came before stays"
    whole = range(before.start + 1, after.stop)
    assert sorted(house.stored(GRID, whole)) == list(whole), "the grid's meter was read throughout"
    listed: Any = house.hub_json("agents", "--json")
    assert {row["agent"]: row["brings"] for row in listed if row["home"] == house.home} == {
        first: ["grid_import", "grid_export"],
        second: ["pv_production"],
    }
    verified: Any = house.hub_json("verify", "--json")
    assert verified["ok"], verified["messages"]["findings"]
