"""Choosing devices: nothing is searched without a yes, values are compared, and a wrong direction is found."""

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from edge_agent.setup.device_steps import choose_devices
from edge_agent.setup.progress import DeviceChoice, SetupProgress
from edge_agent.setup.sources.places import ask_places
from tests.edge_agent.setup.scripted import INVERTER, METER, OTHER_METER, InventedHome, Script, found

MAKES, ELSE, MORE = ("Makes", ""), ("Another address", "192.168.1.20"), ("Search for more", "")
SAME, SKIP_SIGN = ("say the same", "y"), ("Sign check", "s")


@pytest.fixture
def home(tmp_path: Path) -> InventedHome:
    made = InventedHome(tmp_path, [found(METER)])
    made.shows("grid", 500, import_wh=1_000_000, export_wh=0)
    return made


async def chosen(home: InventedHome, *replies: tuple[str, str]) -> tuple[list[DeviceChoice], Script]:
    progress, script = SetupProgress(), Script(*replies)
    await choose_devices(script, home.parts(), progress)
    assert script.replies == []
    return progress.devices, script


async def test_only_what_the_person_confirms_is_searched(home: InventedHome) -> None:
    home.networks = (IPv4Network("192.168.1.0/24"), IPv4Network("10.0.0.0/24"))
    home.ports = (Path("/dev/ttyUSB0"), Path("/dev/ttyUSB1"))
    await chosen(
        home, ("Makes", "Eastron, SMA "), ("192.168.1.0/24", "n"), ("10.0.0.0/24", "y"), ("ttyUSB0", "n"),
        ("ttyUSB1", "y"), ("Another address", "192.168.1.20:1502, /dev/ttyAMA0, x://"),
        ("Which", "1"), ("What does", ""), SAME, SKIP_SIGN, ("kW", ""), MORE,
    )  # fmt: skip
    (plan,) = home.plans
    assert plan.networks == (IPv4Network("10.0.0.0/24"),)
    assert [each.shown for each in plan.endpoints] == [
        "rtu:///dev/ttyUSB1", "tcp://192.168.1.20:1502", "rtu:///dev/ttyAMA0",
    ]  # fmt: skip
    assert plan.makes == ("Eastron", "SMA")


async def test_without_any_yes_nothing_is_searched_and_it_asks_again(home: InventedHome) -> None:
    home.networks = (IPv4Network("10.0.0.0/24"),)
    devices, script = await chosen(
        home, MAKES, ("10.0.0.0/24", "n"), ("Another address", ""), ("10.0.0.0/24", "y"), ("Another address", ""),
        ("Which", ""), ("What does", ""), SAME, SKIP_SIGN, ("kW", "12,5"), MORE,
    )  # fmt: skip
    assert "nothing to search" in script.text
    assert devices == [DeviceChoice("meter", "eastron-sdm630", "grid", "tcp://192.168.1.20:502", 1, 12_500)]


async def test_values_are_shown_in_words_that_a_display_has(home: InventedHome) -> None:
    _, script = await chosen(home, MAKES, ELSE, ("Which", ""), ("What", ""), SAME, SKIP_SIGN, ("kW", ""), MORE)
    assert "500 W drawn from the grid now, 1000.00 kWh drawn in all, 0.00 kWh fed in in all" in script.text
    assert "somewhere: silent" in script.text


async def test_two_families_that_fit_alike_are_not_chosen_by_enter(home: InventedHome) -> None:
    home.devices = [found(METER, OTHER_METER)]
    with pytest.raises(AssertionError, match="is none of"):
        await chosen(home, MAKES, ELSE, ("Which", ""))
    devices, _ = await chosen(home, MAKES, ELSE, ("Which", "2"), ("What", ""), SAME, SKIP_SIGN, ("kW", ""), MORE)
    assert devices[0].map == "chint-dtsu666"


async def test_numbers_that_differ_lead_to_the_next_family_or_nothing(home: InventedHome) -> None:
    home.devices = [found(METER, OTHER_METER)]
    devices, _ = await chosen(
        home, MAKES, ELSE, ("Which", "1"), ("What", ""), ("say the same", "n"), ("What differs", "o"),
        ("Which", "1"), ("What", ""), SAME, SKIP_SIGN, ("kW", ""), MORE,
    )  # fmt: skip
    assert devices[0].map == "chint-dtsu666"
    home.devices = [found(METER), found(INVERTER, port=503)]
    home.shows("pv", 100, production_wh=1)
    devices, script = await chosen(
        home, MAKES, ELSE, ("Which", "1"), ("What", ""), ("say the same", "n"), ("What differs", "o"),
        ("Which", ""), ("What", "pv"), SAME, ("kW", ""), MORE,
    )  # fmt: skip
    assert [each.map for each in devices] == ["huawei-sun2000"]
    assert "left out" in script.text


async def test_only_the_direction_differs(home: InventedHome) -> None:
    devices, script = await chosen(
        home, MAKES, ELSE, ("Which", ""), ("What", ""), ("say the same", "n"), ("What differs", "d"),
        SAME, SKIP_SIGN, ("kW", ""), MORE,
    )  # fmt: skip
    assert devices[0].invert
    assert "500 W fed into the grid now" in script.text


async def test_the_kettle_shows_a_meter_that_is_turned(home: InventedHome) -> None:
    class Kettle(InventedHome):
        async def _read(self, choices):  # type: ignore[no-untyped-def]
            shown = await super()._read(choices)
            self.shows("grid", -1500, import_wh=1)
            return shown

    turned = Kettle(home.folder, home.devices, home.live)
    devices, script = await chosen(
        turned, MAKES, ELSE, ("Which", ""), ("What", ""), SAME, ("Sign check", ""), ("Turn", ""), ("kW", ""), MORE
    )
    assert devices[0].invert
    assert "from 500 W to -1500 W: it falls" in script.text


async def test_the_kettle_that_the_meter_does_not_see_is_told_and_asked_again(home: InventedHome) -> None:
    devices, script = await chosen(
        home, MAKES, ELSE, ("Which", ""), ("What", ""), SAME, ("Sign check", ""), SKIP_SIGN, ("kW", ""), MORE
    )
    assert "it stays near 500 W" in script.text
    assert not devices[0].invert


async def test_an_inverter_gives_one_device_for_each_role_with_the_nameplate_as_its_most(home: InventedHome) -> None:
    home.devices = [found(INVERTER)]
    home.shows("pv", 3000, rated_w=8000, production_wh=5)
    home.shows("battery", -200, charge_wh=1, discharge_wh=1)
    devices, _ = await chosen(
        home, MAKES, ELSE, ("Which", ""), ("What", ""), SAME, SKIP_SIGN,
        ("its nameplate says 8000 W", ""), ("kW", "5"), ("kW", "0"), ("kW", "x"), ("kW", "20"), MORE,
    )  # fmt: skip
    assert [(each.name, each.role, each.max_power_w) for each in devices] == [
        ("solar", "pv", 8800), ("battery", "battery", 5000), ("meter", "grid", 20_000),
    ]  # fmt: skip


@pytest.mark.parametrize(("rated_w", "most_w"), [(5000, 10_000), (10_000, 11_000)])
async def test_before_the_inverter_its_nameplate_raises_the_proposal_and_never_lowers_it(
    home: InventedHome, rated_w: int, most_w: int
) -> None:
    home.devices = [found(INVERTER)]
    del home.live["grid"]
    home.shows("pv", 3000, rated_w=rated_w, is_before=True, production_wh=5)
    devices, _ = await chosen(home, MAKES, ELSE, ("Which", ""), ("What", ""), SAME, ("kW", ""), MORE)
    assert [(each.role, each.max_power_w) for each in devices] == [("pv", most_w)]


async def test_what_gives_no_value_is_left_out_and_panels_that_take_power_are_turned(home: InventedHome) -> None:
    home.devices = [found(INVERTER)]
    del home.live["grid"]
    home.shows("pv", -3000, production_wh=5)
    devices, script = await chosen(
        home, MAKES, ELSE, ("Which", ""), ("What", ""), SAME, ("take 3000 W instead of giving", "y"), ("kW", ""), MORE
    )
    assert [(each.role, each.invert) for each in devices] == [("pv", True)]
    assert "battery: no values now" in script.text


async def test_a_second_meter_is_an_appliance_and_gets_a_name_of_its_own(home: InventedHome) -> None:
    home.devices = [found(METER), found(METER, port=503), found(METER, port=504)]
    home.shows("load", 100, import_wh=1)
    devices, _ = await chosen(
        home, MAKES, ELSE, ("Which", ""), ("What", ""), SAME, SKIP_SIGN, ("kW", ""),
        ("Which", ""), ("What", ""), SAME, ("kW", ""),
        ("Which", ""), ("What", ""), SAME, ("kW", ""), MORE,
    )  # fmt: skip
    assert [(each.name, each.role) for each in devices] == [("meter", "grid"), ("load", "load"), ("load-2", "load")]


async def test_a_device_that_is_not_recognised_is_asked_again_with_its_make(home: InventedHome) -> None:
    home.devices, home.known_only_with_make = [found()], True
    devices, _ = await chosen(
        home, MAKES, ELSE, ("Make written on it", "Eastron"), ("Which", ""), ("What", ""), SAME, SKIP_SIGN, ("kW", ""),
        MORE,
    )  # fmt: skip
    assert devices[0].map == "eastron-sdm630"
    assert home.plans[1].makes == ("Eastron",)


async def test_a_make_that_no_map_knows_is_told_at_once(home: InventedHome) -> None:
    home.unknown_makes = {"Esatron": "no known family is of the make 'Esatron': did you mean Eastron?"}
    answers = (ELSE, ("Which", ""), ("What", ""), SAME, SKIP_SIGN, ("kW", ""), MORE)
    _, script = await chosen(home, ("Makes", "Esatron, Huawei"), ("written so", "n"), ("Makes", "Eastron"), *answers)
    assert "did you mean Eastron?" in script.text
    assert home.plans[-1].makes == ("Eastron",)
    await chosen(home, ("Makes", "Esatron"), ("written so", "y"), *answers)
    home.devices, home.known_only_with_make = [found()], True
    makes = (("Make written on it", "Esatron"), ("Make written on it", "Eastron"))
    devices, _ = await chosen(home, MAKES, ELSE, *makes, *answers[1:])
    assert [each.map for each in devices] == ["eastron-sdm630"]


async def test_one_meter_is_not_both_the_grid_and_the_panels(home: InventedHome) -> None:
    """Its counters are one set: read in both roles, the same energy would be drawn and produced."""
    every = replace(METER, alike=(("grid", "pv"), ("grid", "load"), ("pv", "load")))
    home.devices = [found(every)]
    with pytest.raises(AssertionError, match="is none of"):
        await chosen(home, MAKES, ELSE, ("Which", ""), ("What does it measure", "grid,pv"))
    turbine = replace(INVERTER, roles=("pv", "wind", "battery"), alike=(("pv", "wind"),))
    home.devices = [found(turbine)]
    home.shows("pv", 100, production_wh=1)
    home.shows("battery", 100, charge_wh=1, discharge_wh=1)
    devices, script = await chosen(
        home, MAKES, ELSE, ("Which", ""), ("What does", "pv,wind"), ("What does", "pv,battery"), SAME,
        ("kW", ""), ("kW", ""), MORE,
    )  # fmt: skip
    assert [each.role for each in devices] == ["pv", "battery"]
    assert "one set of counters for solar panels and wind turbine" in script.text


async def test_a_browser_names_no_file_of_this_computer(home: InventedHome) -> None:
    """What opens as a serial port from the page is one: opening a watchdog or somebody's file does harm by itself."""
    parts = replace(home.parts(), may_name_files=False, is_serial_device=lambda path: path == "/dev/ttyUSB0")
    script = Script(
        ("Another", "/etc/passwd ascii:///dev/watchdog p1:///dev/mem tls+tcp://pi?certificate=/etc/shadow"),
        ("Another", "/dev/ttyUSB0 unit 7"),
    )
    places = await ask_places(script, parts)
    assert [(each.path, places.units_at[each]) for each in places.endpoints] == [("/dev/ttyUSB0", (7,))]
    assert script.text.count("not a serial port of this computer, left out") == 3
    assert "names a file of this computer" in script.text
    typed = await ask_places(Script(("Another", "/dev/anything")), home.parts())
    assert [each.path for each in typed.endpoints] == ["/dev/anything"], "in the terminal they are the household's"


async def test_with_no_device_it_asks_again_and_a_device_without_values_can_be_read_again(home: InventedHome) -> None:
    home.live.clear()
    progress, script = SetupProgress(), Script(
        MAKES, ELSE, ("Which", ""), ("What", ""), ("Nothing to compare", "r"), ("Nothing to compare", "o"), ELSE,
        ("Which", "s"), ("Another", ""),
    )  # fmt: skip
    with pytest.raises(Exception, match="script is over"):
        await choose_devices(script, home.parts(), progress)
    assert "No device is chosen yet" in script.text


async def test_watts_given_for_kilowatts_are_not_taken(home: InventedHome) -> None:
    devices, script = await chosen(
        home, MAKES, ELSE, ("Which", ""), ("What", ""), SAME, SKIP_SIGN, ("kW", "8500"), ("kW", "8.5"), MORE,
    )  # fmt: skip
    assert "is this a number of watts?" in script.text
    assert devices[0].max_power_w == 8_500


async def test_what_a_device_measures_may_be_written_in_capitals(home: InventedHome) -> None:
    devices, _ = await chosen(
        home, MAKES, ELSE, ("Which", ""), ("What", "GRID"), SAME, SKIP_SIGN, ("kW", ""), MORE
    )  # fmt: skip
    assert devices[0].role == "grid"


async def test_what_was_chosen_before_a_stop_is_kept_added_to_or_forgotten(home: InventedHome) -> None:
    held = DeviceChoice("solar", "huawei-sun2000", "pv", "tcp://192.168.1.9:502", 1, 10_000)
    progress, script = SetupProgress(devices=[held]), Script(("k = keep these", ""))
    await choose_devices(script, home.parts(), progress)
    assert (progress.devices, script.replies, home.plans) == ([held], [], [])
    script = Script(("Chosen: ", "m"), MAKES, ELSE, ("Which", ""), ("What", ""), SAME, SKIP_SIGN, ("kW", ""), MORE)
    await choose_devices(script, home.parts(), progress)
    assert [each.name for each in progress.devices] == ["solar", "meter"]
    script = Script(("Chosen: ", "f"), MAKES, ELSE, ("Which", ""), ("What", ""), SAME, SKIP_SIGN, ("kW", ""), MORE)
    await choose_devices(script, home.parts(), progress)
    assert [each.name for each in progress.devices] == ["meter"]


async def test_a_device_that_is_found_again_is_not_chosen_twice(home: InventedHome) -> None:
    devices, script = await chosen(
        home, MAKES, ELSE, ("Which", ""), ("What", ""), SAME, SKIP_SIGN, ("kW", ""),
        ("Search for more", "y"), ELSE, MORE,
    )  # fmt: skip
    assert [each.name for each in devices] == ["meter"]
    assert "already chosen" in script.text


async def test_one_of_the_chosen_devices_can_be_removed(home: InventedHome) -> None:
    held = [DeviceChoice(name, "huawei-sun2000", "pv", "tcp://pi", 1, 10_000) for name in ("old", "new")]
    progress, script = SetupProgress(devices=held), Script(("Chosen: ", "r"), ("Which one", "old"), ("Chosen: ", ""))
    await choose_devices(script, home.parts(), progress)
    assert [each.name for each in progress.devices] == ["new"]
