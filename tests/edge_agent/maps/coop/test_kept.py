"""Which of the co-op's maps a home reads with: new ids at once, others only when the household takes them."""

from pathlib import Path

import pytest

from edge_agent.finding.families import known_families as searched_families
from edge_agent.maps.coop.kept import FILE, TAKEN, give_back, keep_bundle, take_map
from edge_agent.maps.coop.starting import keep_used_maps
from edge_agent.maps.files import INSTALLED, find_map, known_families
from protocols.errors import RequestError
from protocols.wire.map_bundles.content import MAX_BUNDLE_BYTES, MapBundle, ReleasedMap
from tests.protocols.maps.map_text import MAP

SDM = "eastron-sdm630"
SHIPPED = (INSTALLED / f"{SDM}.toml").read_text(encoding="utf-8")
CHANGED = SHIPPED.replace('vendor = "Eastron"', 'vendor = "Released"')


def release(folder: Path, serial: int, **maps: str) -> None:
    texts = {name.replace("_", "-"): text for name, text in maps.items()}
    released = tuple(ReleasedMap(name, texts[name]) for name in sorted(texts))
    keep_bundle(folder, MapBundle("coop", serial, 0, released))


def vendor(folder: Path, family: str, own: Path | None = None) -> str:
    return find_map(family, own, state=folder).map.vendor


def test_a_map_of_a_new_id_is_found_named_and_searched_for(tmp_path: Path) -> None:
    release(tmp_path, 3, example_meter=MAP)
    found = find_map("example-meter", state=tmp_path)
    assert found.coop is not None
    assert (found.coop.serial, found.is_own, found.replaces) == (3, False, False)
    assert "example-meter" in known_families(state=tmp_path)
    maps, broken = searched_families(state=tmp_path)
    assert "example-meter" in {each.id for each in maps}
    assert broken == []
    assert "example-meter" not in known_families(), "the package does not have it"


def test_an_installed_map_stays_in_use_until_the_household_takes_another(tmp_path: Path) -> None:
    release(tmp_path, 3, eastron_sdm630=CHANGED)
    assert vendor(tmp_path, SDM) == "Eastron"
    (line,) = keep_used_maps([SDM], None, tmp_path)
    assert line.startswith(f"the co-op's bundle 3 has another map {SDM} than the one in use, which stays")
    assert take_map(tmp_path, SDM) == 3
    assert vendor(tmp_path, SDM) == "Released"
    assert keep_used_maps([SDM], None, tmp_path) == [f"the map {SDM} is from the co-op's bundle 3"]
    give_back(tmp_path, SDM)
    assert vendor(tmp_path, SDM) == "Eastron"
    with pytest.raises(RequestError, match="was not taken"):
        give_back(tmp_path, SDM)


def test_a_map_in_use_survives_other_versions_and_its_withdrawal(tmp_path: Path) -> None:
    release(tmp_path, 1, example_meter=MAP)
    assert keep_used_maps(["example-meter"], None, tmp_path) == ["the map example-meter is from the co-op's bundle 1"]
    release(tmp_path, 2, example_meter=MAP.replace('vendor = "Example"', 'vendor = "Newer"'))
    assert vendor(tmp_path, "example-meter") == "Example"
    lines = keep_used_maps(["example-meter"], None, tmp_path)
    assert lines[0] == "the map example-meter is from an earlier bundle of the co-op"
    assert "bundle 2 has another map example-meter" in lines[1]
    release(tmp_path, 3)
    assert vendor(tmp_path, "example-meter") == "Example", "withdrawn: the home goes on reading"
    with pytest.raises(RequestError, match="no map 'example-meter' came from the co-op"):
        take_map(tmp_path, "example-meter")


def test_the_households_own_folder_wins(tmp_path: Path) -> None:
    release(tmp_path, 1, example_meter=MAP)
    own = tmp_path / "own"
    own.mkdir()
    (own / "example-meter.toml").write_text(MAP.replace('vendor = "Example"', 'vendor = "Mine"'))
    assert vendor(tmp_path, "example-meter", own) == "Mine"
    assert len(keep_used_maps(["example-meter"], own, tmp_path)) == 1, "its other text in the bundle is told"
    assert not (tmp_path / TAKEN).exists()


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside.toml"
    outside.write_text("kept")
    for name in ("../../outside", "../outside", "/etc/passwd", "."):
        with pytest.raises(RequestError):
            take_map(tmp_path, name)
        with pytest.raises(RequestError):
            give_back(tmp_path, name)
    assert outside.read_text() == "kept"


def test_a_file_that_grew_or_cannot_be_read_counts_as_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_bytes(bytes(MAX_BUNDLE_BYTES + 10))
    (tmp_path / TAKEN).mkdir()
    (tmp_path / TAKEN / "bad.toml").write_bytes(b"\xff\xfe")
    assert vendor(tmp_path, SDM) == "Eastron"
    assert "cannot be used" in caplog.text
