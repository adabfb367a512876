"""The legal meter, agent.toml, the invitation and consent: asked in plain words, and nothing is overwritten unseen."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.page_settings import PageSettings
from edge_agent.settings import read_settings
from edge_agent.setup.factor_check import check_meter
from edge_agent.setup.files import agent_toml
from edge_agent.setup.household_steps import (
    ask_consent,
    describe_meter,
    pair_home,
    write_configuration,
)
from edge_agent.setup.parts import ReceiptCount
from edge_agent.setup.progress import (
    DeviceChoice,
    MeterChoice,
    MeterReading,
    SetupProgress,
    load_progress,
    save_progress,
)
from edge_agent.setup.walk import check_meter_again, set_up
from protocols.consent.purposes import HEALTH
from protocols.consent.reduction import finest_spans
from protocols.errors import RequestError
from protocols.quantities import Measure
from protocols.slots import slot_of
from tests.edge_agent.setup.scripted import METER, NOW_S, InventedHome, Script, found

SOLAR = DeviceChoice("solar", "huawei-sun2000", "pv", "tcp://192.168.1.9:502", 1, 10_000)
GRID = DeviceChoice("meter", "eastron-sdm630", "grid", "tcp://192.168.1.20:502", 1, 17_250)


@pytest.fixture
def home(tmp_path: Path) -> InventedHome:
    made = InventedHome(tmp_path)
    made.shows("grid", 500, import_wh=1_000_000, export_wh=200_000)
    return made


async def test_the_country_proposes_how_the_legal_meter_counts(home: InventedHome) -> None:
    progress = SetupProgress([GRID])
    script = Script(("Country", "de"), ("net them", ""), ("set off", ""), ("Compare", ""))
    await describe_meter(script, home.parts(), progress)
    assert progress.meter == MeterChoice("DE", "netted", "none")
    script = Script(("Country", "Germany"), ("Country", "-"), ("net them", "s"), ("set off", "60min"), ("Compare", ""))
    await describe_meter(script, home.parts(), progress)
    assert progress.meter == MeterChoice(None, "separate", "60min")
    assert "the two letters of its code" in script.text
    without = SetupProgress([])
    await describe_meter(Script(), home.parts(), without)
    assert without.meter == MeterChoice()


async def test_whoever_does_not_stand_before_the_legal_meter_goes_on(home: InventedHome) -> None:
    progress, asked = SetupProgress([GRID]), (("Country", ""), ("net them", ""), ("set off", ""))
    script = Script(*asked, ("Compare", "y"), ("drawn from the grid", ""))
    await describe_meter(script, home.parts(), progress)
    assert progress.reading is None
    assert "--check-meter` takes the first reading" in script.text
    script = Script(("drawn from the grid", ""))
    assert await check_meter(script, home.parts(), progress)
    assert script.said == ["Nothing is compared."]
    # Without a meter at the grid there is nothing to compare, and nothing is asked.
    await describe_meter(Script(*asked), home.parts(), SetupProgress())


async def test_two_readings_of_the_legal_meter_are_compared(home: InventedHome) -> None:
    progress = SetupProgress([GRID])
    readings = (("drawn from the grid", "abc"), ("drawn from the grid", "7000,5"), ("fed in", ""))
    await describe_meter(
        Script(("Country", ""), ("net them", ""), ("set off", ""), ("Compare", "y"), *readings), home.parts(), progress
    )
    assert progress.reading is not None
    assert (progress.reading.legal_import_wh, progress.reading.device_import_wh) == (7_000_500, 1_000_000)
    home.shows("grid", 500, import_wh=1_002_500)
    script = Script(("drawn from the grid", "7003.0"), ("fed in", ""))
    assert await check_meter(script, home.parts(), progress)
    assert "they agree" in script.text
    script = Script(("drawn from the grid", "7008.0"), ("fed in", ""), ("Multiply all that meter shows by 3", "n"))
    assert not await check_meter(script, home.parts(), progress)
    assert "every phase is measured" in script.text
    with pytest.raises(RequestError, match="no device measures the grid"):
        await check_meter(Script(), home.parts(), SetupProgress())


async def test_a_factor_is_written_with_a_yes_and_the_comparison_begins_again(home: InventedHome) -> None:
    path = home.folder / "agent.toml"
    path.write_text(
        '[page]\nlisten = "off"\n[[device]]\nname = "sun"\nmap = "huawei-sun2000"\nrole = "pv"\nconnect = "tcp://pi"\n'
        "max_power_w = 9000\ntimeout_ms = 900\n"
        '[[device]]\nname = "meter"\nmap = "eastron-sdm630"\nrole = "grid"\nconnect = "tcp://pi:503"\n'
        "max_power_w = 90000\nfactor = 0.5\n"
    )
    home.shows("grid", 100, import_wh=1000)
    assert await check_meter_again(Script(("drawn", "50.0"), ("fed in", "")), home.parts())
    home.shows("grid", 100, import_wh=1100)
    script = Script(("drawn", "50.9"), ("fed in", ""))
    assert await check_meter_again(script, home.parts()), "too early is not wrong"
    assert "come back after 1 kWh" in script.text
    home.shows("grid", 100, import_wh=1200)
    script = Script(("drawn", "58.1"), ("fed in", ""), ("Multiply all that meter shows by 20", "y"))
    assert await check_meter_again(script, home.parts())
    assert "the legal meter counted 8.1 kWh drawn, the device 0.2 kWh" in script.text
    settings = read_settings(path)
    assert [(each.name, int(each.factor), each.timeout_ms) for each in settings.devices] == [
        ("sun", 1, 900), ("meter", 20, None),
    ]  # fmt: skip
    assert settings.page is None
    assert load_progress(home.folder).reading is None
    with pytest.raises(RequestError, match="script is over"):
        await check_meter_again(Script(), home.parts())


async def test_a_legal_meter_that_nets_other_phases_is_said_with_a_yes(home: InventedHome) -> None:
    path = home.folder / "agent.toml"
    path.write_text(
        '[meter]\ncountry = "NL"\nnetting = "15min"\n'
        '[[device]]\nname = "meter"\nmap = "shelly-pro3em"\nrole = "grid"\nconnect = "tcp://pi:503"\n'
        "max_power_w = 90000\n"
    )
    home.shows("grid", 100, import_wh=1000, export_wh=1000)
    assert await check_meter_again(Script(("drawn", "50.0"), ("fed in", "10.0")), home.parts())
    home.shows("grid", 100, import_wh=5500, export_wh=4500)
    again = ("drawn", "53.0"), ("fed in", "12.0")
    script = Script(*again, ('phases = "netted"', "n"))
    assert not await check_meter_again(script, home.parts())
    assert "your legal meter nets the phases, it counts each by itself" in script.text
    assert read_settings(path).legal_meter.phases != "netted"
    assert await check_meter_again(Script(*again, ('phases = "netted"', "y")), home.parts())
    found = read_settings(path).legal_meter
    assert (found.phases, found.netting, found.country) == ("netted", "15min", "NL")
    script = Script(*again)
    assert await check_meter_again(script, home.parts()), "said already, nothing is wrong"
    assert "Your answers say so too" in script.text


async def test_a_countrys_usual_meter_counts_as_said(home: InventedHome) -> None:
    progress = SetupProgress([GRID], MeterChoice("DE"), MeterReading(0, 50_000, 10_000, 1000, 1000))
    home.shows("grid", 100, import_wh=5500, export_wh=4500)
    script = Script(("drawn", "53.0"), ("fed in", "12.0"))
    assert await check_meter(script, home.parts(), progress)
    assert "Your answers say so too" in script.text


async def test_a_blank_folder_gets_a_file_that_the_agent_reads(home: InventedHome) -> None:
    progress = SetupProgress([GRID], MeterChoice("DE", "netted", "none"))
    await write_configuration(Script(("own page be opened", "")), home.parts(), progress)
    settings = read_settings(home.folder / "agent.toml")
    assert [(each.name, each.roles, each.max_power_w) for each in settings.devices] == [("meter", ("grid",), 17_250)]
    assert settings.legal_meter.phases == "netted"
    assert settings.page == PageSettings()
    assert settings.consent == home.folder / "consent.toml"
    script = Script()
    await write_configuration(script, home.parts(), progress)
    assert "says all of this already" in script.text


async def test_a_file_that_is_there_is_replaced_only_after_its_difference_was_shown(home: InventedHome) -> None:
    path = home.folder / "agent.toml"
    before = 'data = "mine"\n[hub]\ncoop = "sonne"\n[page]\nlisten = "off"\n[poll]\ninterval_s = 20\n'
    path.write_text(before)
    progress = SetupProgress([GRID])
    script = Script(("Write", "n"))
    with pytest.raises(RequestError, match="stays as it is"):
        await write_configuration(script, home.parts(), progress)
    assert path.read_text() == before
    assert '+name = "meter"' in script.text
    await write_configuration(Script(("Write", "y")), home.parts(), progress)
    settings = read_settings(path)
    assert (settings.data, settings.coop, settings.page, settings.interval_s) == (
        home.folder / "mine", "sonne", None, 20,
    )  # fmt: skip
    path.write_text("data = \n")
    script = Script(("own page", "o"), ("Write", "y"))
    await write_configuration(script, home.parts(), progress)
    assert "not valid TOML" in script.text


async def test_a_wrong_invitation_is_told_and_asked_again_and_a_file_may_hold_it(home: InventedHome) -> None:
    invitation = home.folder / "invitation.txt"
    invitation.write_text("commonwatt:good\n")
    script = Script(("Paste", "commonwatt:bad"), ("Paste", str(home.folder / "none")), ("Paste", str(invitation)))
    await pair_home(script, home.parts())
    assert home.invitations == ["commonwatt:bad", "commonwatt:good"]
    assert "expected commonwatt:" in script.text
    assert "cannot be read as an invitation" in script.text
    await pair_home(Script(), home.parts())
    home.paired = None
    with pytest.raises(RequestError, match="not paired yet"):
        await pair_home(Script(("Paste", "")), home.parts())


async def test_consent_is_asked_purpose_by_purpose_and_enter_is_no(home: InventedHome) -> None:
    nothing = [
        (f"({code})", "") for code in ("forecast.hood", "forecast.home", "prompt.shift", "peers.view", "grid.flex")
    ]
    await ask_consent(Script(*nothing), home.parts(), SetupProgress([GRID]))
    assert home.consents == []
    some = [(words, "y" if "h" in words else "n") for words, _ in nothing]
    await ask_consent(Script(*some), home.parts(), SetupProgress([GRID, SOLAR]))
    (written,) = home.consents
    assert written.version == 5, "one version for all of them"
    allowed = {each.purpose for each in written.rules} - {"settle.share", HEALTH}
    assert allowed == {"forecast.hood", "forecast.home", "prompt.shift"}
    now = slot_of(NOW_S)
    assert len(finest_spans(written, now)) == 2, "what is being measured now was not asked about"
    assert len(finest_spans(written, now + 1)) > 2
    await ask_consent(Script(("(peers.view)", "y"), ("(grid.flex)", "n")), home.parts(), SetupProgress())
    assert home.consents[-1].version == 6


async def test_a_yes_covers_what_was_named_and_a_device_that_comes_later_is_asked_about(home: InventedHome) -> None:
    ask = [(f"({code})", "") for code in ("forecast.home", "prompt.shift", "peers.view", "grid.flex")]
    await ask_consent(Script(("(forecast.hood)", "y"), *ask), home.parts(), SetupProgress([SOLAR]))
    (hood,) = [each for each in home.consents[-1].rules if each.purpose == "forecast.hood"]
    assert hood.measures == (Measure.PV_PRODUCTION,)
    both = SetupProgress([SOLAR, replace(SOLAR, name="mill", role="wind")])
    await ask_consent(Script(("(forecast.hood)", "n"), *ask), home.parts(), both)
    assert len(home.consents) == 1
    await ask_consent(Script(("(forecast.hood)", "y"), *ask), home.parts(), both)
    (hood,) = [each for each in home.consents[-1].rules if each.purpose == "forecast.hood"]
    assert hood.measures == (Measure.PV_PRODUCTION, Measure.WIND_PRODUCTION)
    await ask_consent(Script(*ask), home.parts(), SetupProgress([SOLAR]))


def test_a_home_whose_legal_meter_nets_the_phases_is_read_often_enough_for_that() -> None:
    assert "interval_s = 10\n" in agent_toml([GRID], MeterChoice("DE", "netted", "none"), {})
    assert "interval_s = 30\n" in agent_toml([GRID], MeterChoice("ES", "separate", "60min"), {})
    assert "interval_s = 60\n" in agent_toml([GRID], MeterChoice("DE", "netted", "none"), {"poll": {"interval_s": 60}})


async def test_the_walk_goes_on_where_it_stopped_and_ends_with_the_first_receipt(home: InventedHome) -> None:
    home.devices = [found(METER)]
    home.receipts = [ReceiptCount(False, 0, 0)]
    devices = [("Makes", ""), ("Another", "192.168.1.20"), ("Which", ""), ("What", ""), ("same", "y"), ("Sign", "s")]
    with pytest.raises(RequestError, match="script is over"):
        await set_up(Script(*devices, ("kW", ""), ("more", ""), ("Country", "")), home.parts())
    assert load_progress(home.folder).done == ["devices"]
    meter = [("Country", ""), ("net them", ""), ("set off", ""), ("Compare", "")]
    with pytest.raises(RequestError, match="not paired yet"):
        await set_up(Script(*meter, ("own page", ""), ("Paste", "")), home.parts())
    assert load_progress(home.folder).done == ["devices", "meter", "files"]
    script = Script(("Paste", "good"), *[("May the co-op", "")] * 5)
    await set_up(script, home.parts(), waits=False)
    assert "meter: 500 W drawn from the grid now" in script.said[-1]
    home.receipts = [ReceiptCount(False, 0, 0), ReceiptCount(True, 1, 0), ReceiptCount(True, 2, 1)]
    script = Script()
    await set_up(script, home.parts())
    assert script.said[0] == "Setup goes on where it stopped."
    assert "sudo systemctl start commonwatt-agent" in script.text
    assert script.said[-1] == "The hub has signed for 1 of 2 messages: everything works."
    assert load_progress(home.folder).next_step is None


async def test_a_folder_that_cannot_be_written_is_told_before_the_first_question(home: InventedHome) -> None:
    (home.folder / "file").write_text("")
    talk = Script()
    with pytest.raises(RequestError, match=r"cannot write .*: it is no folder: choose another"):
        await set_up(talk, replace(home.parts(), config=home.folder / "file" / "agent.toml"))
    assert talk.said == []


async def test_a_folder_that_is_not_there_is_made(home: InventedHome) -> None:
    home.receipts = [ReceiptCount(is_running=False, messages=0, receipted=0)]
    config = home.folder / "new" / "home" / "agent.toml"
    with pytest.raises(RequestError, match="the script is over"):
        await set_up(Script(), replace(home.parts(), config=config))
    assert (config.parent / "setup-progress.json").exists()


@pytest.mark.parametrize(
    ("is_wide", "answer", "listens"),
    [(False, "", "127.0.0.1"), (False, "n", "0.0.0.0"), (True, "", "192.168.1.4"), (True, "t", "127.0.0.1")],
)
async def test_the_homes_page_stays_where_set_up_was_asked(
    home: InventedHome, is_wide: bool, answer: str, listens: str
) -> None:
    """Whoever set the home up from the phone finds its page there after the agent's next start too."""
    parts = replace(home.parts(), is_page_wide=is_wide)
    parts = replace(parts, page_wide="192.168.1.4:8087") if is_wide else parts
    script = Script(("own page be opened", answer))
    await write_configuration(script, parts, SetupProgress([GRID]))
    page = read_settings(home.folder / "agent.toml").page
    assert page is not None
    assert (page.host, page.port) == (listens, 8087)
    assert ("gives the PIN" in script.text) == (listens != "127.0.0.1")


async def test_a_first_reading_that_waits_may_get_its_second_when_set_up_goes_on(home: InventedHome) -> None:
    progress = SetupProgress([GRID], done=["devices", "meter", "files"])
    assert await check_meter(Script(("drawn", "50.0"), ("fed in", "")), home.parts(), progress)
    save_progress(home.folder, progress)
    home.shows("grid", 500, import_wh=1_002_000, export_wh=200_000)
    script = Script(("Compare now", "y"), ("drawn", "52.0"), ("fed in", ""), ("Paste", ""))
    with pytest.raises(RequestError, match="not paired yet"):
        await set_up(script, home.parts())
    assert "they agree" in script.text


async def test_a_running_agent_keeps_its_devices(home: InventedHome) -> None:
    home.receipts = [ReceiptCount(True, 5, 5)]
    with pytest.raises(RequestError, match="stop it first"):
        await set_up(Script(), home.parts())


async def test_every_key_of_every_device_is_kept(home: InventedHome) -> None:
    """A second set-up over a finished home begins with its devices, and changes nothing that nobody asked for."""
    path = home.folder / "agent.toml"
    path.write_text(
        '[meter]\ncountry = "DE"\nphases = "separate"\n'
        '[[device]] # by hand\nname = "sun"\nmap = "huawei-sun2000"\nrole = ["pv", "battery"]\nconnect = "tcp://pi"\n'
        'unit = 3\nsign = "inverted"\ntimeout_ms = 900\ninvert = true\nfactor = 0.1\nmax_power_w = 9000\n'
        '[[device]]\nname = "meter"\nmap = "mqtt-meter"\nrole = "grid"\nconnect = "mqtt://pi"\nmax_power_w = 9000\n'
        'max_age_s = 60\ntopics = { import = "a/b", export = { topic = "c", field = "d.e", unit = "Wh" } }\n'
    )
    before, home.receipts = read_settings(path), [ReceiptCount(False, 0, 0)]
    script = Script(("Chosen: sun (huawei-sun2000, pv and battery), meter", "k"), ("Country", ""), ("net them", ""),
                    ("set off", ""), ("Compare", "n"), ("own page", ""), ("Write", "y"), ("Paste", ""))  # fmt: skip
    with pytest.raises(RequestError, match="not paired yet"):
        await set_up(script, home.parts())
    assert read_settings(path).devices == before.devices
    assert (read_settings(path).legal_meter.phases, read_settings(path).legal_meter.country) == ("separate", "DE")
    assert "comments" in script.text
    assert load_progress(home.folder).devices[0].kept == {"sign": "inverted", "timeout_ms": 900}


async def test_a_file_that_cannot_be_used_is_said_and_nothing_is_taken_from_it(home: InventedHome) -> None:
    (home.folder / "agent.toml").write_text("[[device]]\nnmae = 1\n")
    home.receipts = [ReceiptCount(False, 0, 0)]
    script = Script()
    with pytest.raises(RequestError, match="script is over"):
        await set_up(script, home.parts())
    assert "What is there cannot be used" in script.text
    assert "nmae" in script.text


async def test_consent_says_which_values_how_fine_and_who_sees_them(home: InventedHome) -> None:
    script = Script(*[("May the co-op", "")] * 5)
    await ask_consent(script, home.parts(), SetupProgress([GRID, DeviceChoice("s", "m", "pv", "tcp://pi", 1, 9)]))
    assert (
        "peers.view gets what you draw from the grid, what you feed into the grid, what your panels produce: one value"
        " an hour; seen by the co-op's hub and its members."
    ) in script.text
    assert "battery" not in script.text
    assert "until you take it back" in script.text


async def test_what_setup_does_not_ask_for_stays_in_the_file(home: InventedHome) -> None:
    path = home.folder / "agent.toml"
    (home.folder / "own").mkdir()
    proxies = [(1502, "meter"), (1503, "meter")]
    path.write_text(
        'maps = "own"\n[page]\nlisten = "off"\nnames = ["pi.example.org"]\n[outbox]\nkeep_days = 3\n'
        + "".join(f'[[proxy]]\ndevice = "{name}"\nlisten = "127.0.0.1:{port}"\n' for port, name in proxies)
        + '[[device]]\nname = "old"\n'
    )
    await write_configuration(Script(("Write", "y")), home.parts(), SetupProgress([GRID]))
    settings = read_settings(path)
    assert settings.maps == home.folder / "own"
    assert [(each.port, each.device) for each in settings.proxies] == proxies
    assert (settings.page, settings.keep_days, settings.interval_s) == (None, 3, 30)
    assert [each.name for each in settings.devices] == ["meter"]
