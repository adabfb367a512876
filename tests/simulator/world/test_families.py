"""Maps for the simulator: installed ones by id, one's own from a folder or file, and every mistake in one line."""

from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.errors import SimulatorError
from simulator.world.families import STREET_FAMILIES, family_map, find_map, shipped_families
from tests.protocols.maps.map_text import MAP


def test_every_installed_map_is_served_among_them_those_of_a_street() -> None:
    assert set(STREET_FAMILIES) < set(shipped_families())
    assert [family_map(family).id for family in STREET_FAMILIES] == list(STREET_FAMILIES)


def test_a_map_of_ones_own_comes_from_a_folder_or_a_file_and_wins(tmp_path: Path) -> None:
    file = tmp_path / "example-meter.toml"
    file.write_text(MAP, encoding="utf-8")
    assert find_map("example-meter", tmp_path).vendor == find_map("example-meter", file).vendor == "Example"
    assert find_map("eastron-sdm630", tmp_path) is family_map("eastron-sdm630"), "the installed ones stay there"
    (tmp_path / "eastron-sdm630.toml").write_text(MAP.replace("example-meter", "eastron-sdm630"), encoding="utf-8")
    assert find_map("eastron-sdm630", tmp_path).vendor == "Example"


@pytest.mark.parametrize(
    ("family", "text", "message"),
    [
        ("example-meter", None, "no device family 'example-meter': choose one of "),
        ("other", MAP, "other.toml: it describes 'example-meter', expected 'other'"),
        ("example-meter", "x = [", "example-meter.toml: not valid TOML"),
        ("example-meter", MAP.replace("scale = 0.01", "scale = 0"), "'energy': scale: expected a number other than 0"),
    ],
)
def test_a_map_that_cannot_be_served_is_one_line(
    tmp_path: Path, family: str, text: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / f"{family}.toml").write_text(text, encoding="utf-8")
    assert main(["device", family, "--maps", str(tmp_path)]) != 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_a_folder_or_variant_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SimulatorError, match="cannot be read: No such file"):
        find_map("example-meter", tmp_path / "none")
    assert main(["device", "shelly-pro3em", "--variant", "none"]) == 1
    assert "shelly-pro3em: variant: expected" in capsys.readouterr().err
