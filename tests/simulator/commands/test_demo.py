"""The demonstration's options are refused in one line before anything is started."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from hub.folder.first_settings import settings_text
from hub.storage.records import Coop
from protocols.toml_text import read_toml
from simulator.__main__ import main
from simulator.demo.director import Demo
from simulator.demo.hubs.place import HubPlace


@pytest.mark.parametrize("place", ["full", "file", "file/below"])
def test_a_folder_that_cannot_be_used_is_one_line(
    tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "file").touch()
    report = str(tmp_path / "report.json")
    with pytest.raises(SystemExit) as caught:
        main(["demo", "--once", "--report", report, "--data", str(tmp_path / place)])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"commonwatt-sim: demo: --data {tmp_path / place} ")
    assert line.endswith(": give a new folder")
    assert {each.name for each in tmp_path.iterdir()} == {"file", "full"}


@pytest.mark.parametrize(("option", "value"), [("--homes", "41"), ("--days", "61"), ("--homes", "0"), ("--rate", "-1")])
def test_an_option_out_of_its_range_says_its_limit(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", option, value])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"commonwatt-sim demo: argument {option}: expected a ")


@pytest.mark.parametrize("counts_apart", [False, True])
def test_the_street_of_a_demonstration_can_count_each_phase(
    tmp_path: Path, counts_apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The street gets the switch, and the co-op's first rule then lets derived energy count."""
    started: list[tuple[str, ...]] = []

    def start(_: HubPlace, name: str, *command: str, options: Mapping[str, object]) -> None:
        if name == "street":
            (tmp_path / "street").mkdir()
            (tmp_path / "street" / "street.json").write_text(
                '{"site": {"latitude": 1, "longitude": 2}, "weather_url": ""}'
            )
        started.append((name, *command))

    monkeypatch.setattr(HubPlace, "start", start)
    demo = Demo(tmp_path, 1, homes=2, history_days=1, print_line=print, counts_apart=counts_apart)
    monkeypatch.setattr(demo.programs, "start", lambda *_, **__: None)
    monkeypatch.setattr(demo.programs, "wait", lambda *_, **__: None)
    demo.start_street("")
    demo.place.hub_folder.mkdir()
    coop = Coop("lindenweg", "Lindenweg Energy", demo.tz, "EUR")
    (demo.place.hub_folder / "hub.toml").write_text(settings_text(coop))
    demo.start_hub()
    demo.close()
    assert ("--counts-apart" in started[0]) == counts_apart
    rules = read_toml((demo.place.hub_folder / "hub.toml").read_bytes())["rules"]
    assert (rules["derived_wh"], rules["derived_percent"]) == ((50, 10) if counts_apart else (0, 0))
