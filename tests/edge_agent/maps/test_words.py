"""What a household is told of its maps: quality in plain words, and that a map is a file of its own."""

from pathlib import Path

from edge_agent.maps.files import find_map, known_families
from edge_agent.maps.words import QUALITY, list_record, map_lines, map_notes, show_record
from edge_agent.settings import parse_settings
from tests.protocols.maps.map_text import MAP

DEVICE = '[[device]]\nname="{0}"\nmap="{1}"\nrole="{2}"\nconnect="tcp://127.0.0.1:502"\nunit={3}\nmax_power_w=9000\n'


def test_the_quality_of_each_device_is_said_in_one_line_and_a_broken_map_too(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "example-meter.toml").write_text(MAP, encoding="utf-8")
    text = "".join(
        DEVICE.format(*row)
        for row in (("a", "huawei-sun2000", "pv", 1), ("b", "example-meter", "grid", 2), ("c", "gone", "load", 3))
    )
    settings = parse_settings(f'maps = "own"\n{text}'.encode(), name="agent.toml", folder=tmp_path)
    notes = map_notes(settings.devices, settings.maps)
    assert [note.line for note in notes[:2]] == [
        f"a: map huawei-sun2000: silver: {QUALITY['silver']}",
        f"b: map example-meter, from your own own/example-meter.toml: bronze: {QUALITY['bronze']}",
    ]
    assert notes[2].line.startswith("c: map: no family 'gone': `commonwatt-agent map list` shows all ")
    assert [(note.record.get("quality"), note.record.get("own")) for note in notes] == [
        ("silver", False), ("bronze", True), (None, None),
    ]  # fmt: skip


def test_variants_are_named_until_one_is_chosen(tmp_path: Path) -> None:
    variant = '\n[[variants]]\nname = "old"\ntitle = "Before 2.0"\nfirmware = "1.x"\nquality = "bronze"\n'
    (tmp_path / "example-meter.toml").write_text(MAP + variant, encoding="utf-8")
    device = DEVICE.format("m", "example-meter", "grid", 1)
    lines = []
    for more in ("", 'variant = "old"\n'):
        settings = parse_settings((device + more).encode(), name="agent.toml", folder=tmp_path)
        lines += [note.line for note in map_notes(settings.devices, tmp_path)]
    assert lines[0].endswith("; if it is another variant (old), say so: `commonwatt-agent map show example-meter`")
    assert lines[1].startswith("m: map example-meter, variant old, from your own ")
    assert lines[1].endswith(QUALITY["bronze"])
    assert "variant old: Before 2.0 (firmware 1.x)" in map_lines(find_map("example-meter", tmp_path))


def test_a_map_used_instead_of_an_installed_one_says_so(tmp_path: Path) -> None:
    shipped = find_map("shelly-pro3em").path.read_text(encoding="utf-8")
    (tmp_path / "shelly-pro3em.toml").write_text(shipped, encoding="utf-8")
    settings = parse_settings(DEVICE.format("m", "shelly-pro3em", "grid", 1).encode(), name="a", folder=tmp_path)
    (note,) = map_notes(settings.devices, tmp_path)
    assert "(used instead of the installed map): silver: " in note.line
    assert note.record["replaces_installed"] is True


def test_every_installed_map_can_be_shown_with_its_sources_and_caveats() -> None:
    for family in known_families():
        found = find_map(family)
        lines = map_lines(found)
        assert any(line.startswith(f"quality: {found.map.quality}: ") for line in lines)
        assert sum(line.startswith("source: ") for line in lines) == len(found.map.sources)
        assert sum(line.startswith("role ") for line in lines) == len(found.map.roles)
        assert show_record(found)["id"] == list_record(found)["id"] == family
