"""Which of the co-op's maps a home reads with: new ids at once, others only when the household takes them."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.devices.assembly import make_fleet
from edge_agent.finding.families import known_families as searched_families
from edge_agent.maps.coop import kept
from edge_agent.maps.coop.kept import (
    FILE,
    NEXT_PROOF,
    PROOF,
    TAKEN,
    KeptBundle,
    give_back,
    keep_bundle,
    read_kept,
    take_map,
)
from edge_agent.maps.coop.sealed import MAX_FILE_BYTES, SealedBundle, encode_kept
from edge_agent.maps.coop.starting import keep_used_maps
from edge_agent.maps.files import INSTALLED, find_map, known_families
from edge_agent.settings import read_settings
from protocols.durable_files import write_durably
from protocols.errors import RequestError, SettingsError
from protocols.maps.model import MapError
from protocols.wire.map_bundles.content import MapBundle, ReleasedMap
from tests.edge_agent.maps.coop.signed import enrolled, sealed_bundle
from tests.protocols.maps.proof.test_lint import SOUND as MAP

SDM = "eastron-sdm630"
SHIPPED = (INSTALLED / f"{SDM}.toml").read_text(encoding="utf-8")
CHANGED = SHIPPED.replace('vendor = "Eastron"', 'vendor = "Released"')


def release(folder: Path, serial: int, **maps: str) -> None:
    texts = {name.replace("_", "-"): text for name, text in maps.items()}
    released = tuple(ReleasedMap(name, texts[name]) for name in sorted(texts))
    enrolled(folder)
    keep_bundle(folder, sealed_bundle(MapBundle("coop", serial, 0, released)))


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


def test_a_file_that_was_changed_is_refused_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A well-formed bundle that the hub did not sign, another co-op's, a cut one and one that grew: none counts."""
    release(tmp_path, 3, example_meter=MAP)
    good = (tmp_path / FILE).read_bytes()
    bundle = MapBundle("coop", 4, 0, (ReleasedMap("example-meter", MAP.replace('"Example"', '"Changed"')),))
    stranger = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    for content in (
        encode_kept(sealed_bundle(bundle, key=stranger)),
        encode_kept(sealed_bundle(replace(bundle, coop="other"))),
        encode_kept(SealedBundle("a-1", (), ())),
        bytes(flipped),
        good[:-3],
        bytes(MAX_FILE_BYTES + 10),
    ):
        caplog.clear()
        (tmp_path / FILE).write_bytes(content)
        assert read_kept(tmp_path) == KeptBundle()
        (line,) = [each.getMessage() for each in caplog.records]
        assert "coop-maps.cbor: was changed or damaged (" in line
        with pytest.raises(MapError, match="no family 'example-meter'"):
            find_map("example-meter", state=tmp_path)
    (tmp_path / FILE).write_bytes(good)
    assert vendor(tmp_path, "example-meter") == "Example"
    enrolled(tmp_path, identity=stranger)
    assert read_kept(tmp_path) == KeptBundle(), "the home is with another co-op now"


def test_a_taken_map_that_was_changed_is_read_with_by_no_device(tmp_path: Path) -> None:
    """Not with the changed text, and not with another one in its place: both could give wrong values."""
    release(tmp_path, 3, eastron_sdm630=CHANGED)
    take_map(tmp_path, SDM)
    path = tmp_path / TAKEN / f"{SDM}.toml"
    path.write_text(CHANGED.replace("Released", "Changed"))
    for damage in (lambda: None, lambda: path.with_suffix(PROOF).write_bytes(b"x"), lambda: path.write_bytes(b"\xff")):
        damage()
        with pytest.raises(MapError, match=rf"{SDM}\.toml: was changed .* `commonwatt-agent map take {SDM}`"):
            find_map(SDM, state=tmp_path)
        assert any("was changed or damaged" in each for each in searched_families(state=tmp_path)[1])
        assert vendor(tmp_path, "eastron-sdm72d-m") == "Eastron", "another device is read as before"
    assert take_map(tmp_path, SDM) == 3
    assert vendor(tmp_path, SDM) == "Released"
    give_back(tmp_path, SDM)
    assert list((tmp_path / TAKEN).iterdir()) == []


def test_one_changed_map_leaves_its_device_out_and_the_others_are_measured(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    release(state, 3, eastron_sdm630=CHANGED)
    take_map(state, SDM)
    (state / TAKEN / f"{SDM}.toml").write_text("changed")
    meter, inverter = (
        f'[[device]]\nname = "{role}"\nmap = "{family}"\nrole = "{role}"\n'
        f'connect = "tcp://pi:{port}"\nmax_power_w = 9000\n'
        for role, family, port in (("grid", SDM, 502), ("pv", "huawei-sun2000", 503))
    )
    path, lines = tmp_path / "agent.toml", list[str]()
    path.write_text(f'data = "state"\n{meter}{inverter}')
    ((_, devices),) = make_fleet(read_settings(path), leave_out=lines.append)
    assert [each.settings.name for each in devices] == ["pv"]
    (line,) = lines
    assert "left out: " in line
    assert "device 'grid': map: " in line
    assert "was changed or damaged" in line
    with pytest.raises(SettingsError, match="was changed or damaged"):
        make_fleet(read_settings(path))
    path.write_text(f'data = "state"\n{meter}')
    with pytest.raises(SettingsError, match="was changed or damaged"):
        make_fleet(read_settings(path), leave_out=lines.append)


@pytest.mark.parametrize("written", [1, 2])
def test_power_that_fails_while_a_map_is_taken_leaves_one_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    release(tmp_path, 3, eastron_sdm630=CHANGED)
    take_map(tmp_path, SDM)
    release(tmp_path, 4, eastron_sdm630=CHANGED.replace("Released", "Newer"))
    left = [written]

    def failing(path: Path, content: bytes, *, replace: bool = False) -> None:
        if not left[0]:
            raise OSError("power failed")
        left[0] -= 1
        write_durably(path, content, replace=replace)

    def moved(path: Path, target: Path) -> Path:
        if path.name.endswith(NEXT_PROOF):
            raise OSError("power failed")
        return path.rename(target)

    monkeypatch.setattr(kept, "write_durably", failing)
    monkeypatch.setattr(Path, "replace", moved)
    with pytest.raises(OSError, match="power failed"):
        take_map(tmp_path, SDM)
    monkeypatch.undo()
    assert vendor(tmp_path, SDM) == ("Released", "Newer")[written - 1]
    take_map(tmp_path, SDM)
    assert vendor(tmp_path, SDM) == "Newer"
    give_back(tmp_path, SDM)
    assert list((tmp_path / TAKEN).iterdir()) == []


def test_a_map_that_an_earlier_agent_took_gets_the_signed_bundle_beside_it(tmp_path: Path) -> None:
    release(tmp_path, 3, eastron_sdm630=CHANGED)
    (tmp_path / TAKEN).mkdir()
    path = tmp_path / TAKEN / f"{SDM}.toml"
    path.write_text(CHANGED)
    assert vendor(tmp_path, SDM) == "Released"
    assert keep_used_maps([SDM], None, tmp_path) == [f"the map {SDM} is from the co-op's bundle 3"]
    assert path.with_suffix(PROOF).exists()
    release(tmp_path, 4)
    assert vendor(tmp_path, SDM) == "Released", "its own signed bundle proves it"
    path.with_suffix(PROOF).unlink()
    keep_used_maps([SDM], None, tmp_path)
    assert not path.with_suffix(PROOF).exists(), "of no bundle that is there"
