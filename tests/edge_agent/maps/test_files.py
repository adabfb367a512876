"""Where the map of a family comes from: the household's own folder wins, and only what is named is read."""

from pathlib import Path

import pytest

from edge_agent.devices.assembly import make_fleet
from edge_agent.maps.files import INSTALLED, find_map, known_families, read_map
from edge_agent.settings import parse_settings
from protocols.errors import SettingsError
from protocols.maps.model import MapError
from tests.protocols.maps.map_text import MAP

DEVICE = '[[device]]\nname="m"\nmap="{}"\nrole="grid"\nconnect="tcp://127.0.0.1:502"\nmax_power_w=9000\n'


def fleet(folder: Path, family: str = "example-meter") -> str:
    settings = parse_settings(('maps = "own"\n' + DEVICE.format(family)).encode(), name="agent.toml", folder=folder)
    ((_, devices),) = make_fleet(settings)
    return devices[0].device_map.vendor


def own_folder(tmp_path: Path, text: str = MAP, name: str = "example-meter") -> Path:
    (tmp_path / "own").mkdir(exist_ok=True)
    (tmp_path / "own" / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path / "own"


def test_a_map_of_ones_own_is_found_relative_to_agent_toml(tmp_path: Path) -> None:
    own = own_folder(tmp_path)
    assert fleet(tmp_path) == "Example"
    found = find_map("example-meter", own)
    assert (found.is_own, found.replaces, found.path) == (True, False, own / "example-meter.toml")
    assert "example-meter" in known_families(own)
    assert fleet(tmp_path, "eastron-sdm630") == "Eastron", "the installed ones stay there"


def test_the_folder_wins_over_an_installed_map_of_the_same_id(tmp_path: Path) -> None:
    shipped = (INSTALLED / "eastron-sdm630.toml").read_text(encoding="utf-8")
    own = own_folder(tmp_path, shipped.replace('vendor = "Eastron"', 'vendor = "Mine"'), "eastron-sdm630")
    assert fleet(tmp_path, "eastron-sdm630") == "Mine"
    assert find_map("eastron-sdm630", own).replaces


def test_a_broken_map_that_nobody_names_is_not_read(tmp_path: Path) -> None:
    own_folder(tmp_path, "nonsense", "broken")
    own_folder(tmp_path)
    assert fleet(tmp_path) == "Example"


@pytest.mark.parametrize(
    ("family", "text", "message"),
    [
        ("nobody", None, "agent.toml: device 'm': map: no family 'nobody': `commonwatt-agent map list` shows all"),
        ("broken", "x = [", "agent.toml: device 'm': map: broken.toml: not valid TOML"),
        ("other", MAP, "map: other.toml: id: expected 'other' like the file's name, found 'example-meter'"),
    ],
)
def test_a_map_that_cannot_be_used_is_one_line(tmp_path: Path, family: str, text: str | None, message: str) -> None:
    own_folder(tmp_path)
    if text is not None:
        own_folder(tmp_path, text, family)
    with pytest.raises(SettingsError, match=message) as refusal:
        fleet(tmp_path, family)
    assert "\n" not in str(refusal.value)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"map: maps: .*own is not a folder"):
        fleet(tmp_path)


def test_a_file_of_another_encoding_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_bytes(b"vendor = '\xff'")
    with pytest.raises(MapError, match=r"m\.toml: not UTF-8"):
        read_map(tmp_path / "m.toml")
    with pytest.raises(MapError, match="cannot be read: No such file"):
        read_map(tmp_path / "none.toml")
