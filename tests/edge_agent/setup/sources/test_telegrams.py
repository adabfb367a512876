"""A meter that sends by itself is heard on the line that was named, and becomes the grid's meter."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_agent.finding.search import SearchNote, SearchPlan, Tell
from edge_agent.settings import Endpoint, parse_settings
from edge_agent.setup.device_steps import choose_devices
from edge_agent.setup.files import agent_toml
from edge_agent.setup.live import LiveRole
from edge_agent.setup.progress import DeviceChoice, MeterChoice, SetupProgress
from tests.edge_agent.setup.scripted import METER, InventedHome, Script, found

USB = Path("/dev/ttyUSB0")
TAKEN = [("Which is it", ""), ("say the same", "y"), ("Sign check", "s"), ("kW", "")]


class SendingHome(InventedHome):
    """Only a choice with this map gives values; nothing answers when it is asked."""

    sends = "sml-d0"
    units: tuple[int, ...] = ()

    async def _read(self, choices: Sequence[DeviceChoice]) -> tuple[list[LiveRole], list[str]]:
        self.read.append(list(choices))
        if [each.map for each in choices] not in ([self.sends], ["eastron-sdm630"]):
            return [], ["no telegram within 12 s"]
        return [LiveRole(each.name, "grid", 500, {"import_wh": 1000}) for each in choices], []

    async def _find(self, plan: SearchPlan, tell: Tell) -> list:  # type: ignore[type-arg]
        self.plans.append(plan)
        if self.units and plan.units == self.units:
            return [found(METER)]
        for each in plan.endpoints:
            tell(SearchNote(f"{each.shown}: nothing answers", is_trouble=True, silent=each))
        return []


@pytest.fixture
def home(tmp_path: Path) -> SendingHome:
    return SendingHome(tmp_path, ports=(USB,))


async def test_a_port_that_is_only_listened_to_is_never_asked(home: SendingHome) -> None:
    progress = SetupProgress()
    script = Script(("Makes", ""), (f"Ask devices on {USB}", "l"), ("Another", ""), *TAKEN, ("more", ""))
    await choose_devices(script, home.parts(), progress)
    (chosen,) = progress.devices
    assert (chosen.map, chosen.role, chosen.connect) == ("sml-d0", "grid", f"sml://{USB}")
    assert home.plans == []
    assert [each[0].map for each in home.read[:2]] == ["p1-dsmr", "sml-d0"]
    text = agent_toml(progress.devices, MeterChoice(), {})
    assert parse_settings(text.encode(), name="agent.toml", folder=Path()).devices[0].endpoint.wire == "sml"


async def test_a_line_on_which_nothing_answers_can_be_asked_at_other_unit_ids_or_listened_to(home: SendingHome) -> None:
    progress = SetupProgress()
    script = Script(
        ("Makes", ""), (f"Ask devices on {USB}", "y"), ("Another", ""), ("Unit ids", "x"), ("Unit ids", "l"), *TAKEN,
        ("more", ""),
    )  # fmt: skip
    await choose_devices(script, home.parts(), progress)
    assert progress.devices[0].map == "sml-d0"
    assert "'x' is not a list of unit ids" in script.text

    home.units = (17, 18)
    progress = SetupProgress()
    script = Script(
        ("Makes", ""), (f"Ask devices on {USB}", "y"), ("Another", ""), ("Unit ids", "5"), ("Unit ids", "17-18"),
        ("Which is it", ""), ("What", ""), ("say the same", "y"), ("Sign check", "s"), ("kW", ""), ("more", ""),
    )  # fmt: skip
    await choose_devices(script, home.parts(), progress)
    assert progress.devices[0].map == "eastron-sdm630"
    assert home.plans[-1].endpoints == (Endpoint("rtu", path=str(USB)),)


async def test_a_silent_line_says_what_was_heard_and_is_left(home: SendingHome) -> None:
    home.sends = "nothing"
    progress = SetupProgress()
    script = Script(("Makes", ""), (f"Ask devices on {USB}", "l"), ("Another", ""))
    with pytest.raises(Exception, match="script is over"):
        await choose_devices(script, home.parts(), progress)
    assert "no telegram within 12 s" in script.text
    assert "No device is chosen yet" in script.text


async def test_a_second_grid_meter_is_not_taken(home: SendingHome) -> None:
    held = DeviceChoice("meter", "eastron-sdm630", "grid", "tcp://192.168.1.20:502", 1, 9000)
    progress = SetupProgress(devices=[held])
    script = Script(("Chosen: ", "m"), ("Makes", ""), (f"Ask devices on {USB}", "l"), ("Another", ""), ("Which", ""),
                    ("more", ""))  # fmt: skip
    await choose_devices(script, home.parts(), progress)
    assert progress.devices == [held]
    assert "the meter at the grid is chosen already" in script.text
