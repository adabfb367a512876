"""The lint of a map: all that is wrong is said, one line each, and a sound map has nothing wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.maps.proof.lint import find_faults
from tests.one_rule import held_by_each
from tests.protocols.maps.map_text import MAP, WHOLE
from tests.protocols.maps.shipped import map_text, map_texts

SOUND = MAP.replace(
    "[[tables]]", '[[identify]]\nchecks = [{ function = 3, address = 20, type = "uint16" }]\n\n[[tables]]'
)
SOUND = SOUND.replace('name = "energy",', 'name = "energy", poll = "fast",').replace(
    'name = "back",', 'name = "back", poll = "fast",'
)
VARIANT = '\n[[variants]]\nname = "v"\ntitle = "V"\npoints = [{ name = "power", address = 60 }]\n'


@held_by_each(map_texts)
def test_every_shipped_map_is_without_fault(text: str) -> None:
    assert find_faults(text, name="shipped.toml") == []


def test_a_sound_map_and_a_sound_variant_have_no_fault() -> None:
    assert find_faults(SOUND, name="m.toml") == []
    assert find_faults(SOUND + VARIANT, name="m.toml") == []


def test_every_wrong_key_is_named_and_not_only_the_first() -> None:
    wrong = {
        "version = 1": "version = 0", "vendor": "vndor", 'unit = "W"': 'unit = "watt"', "scale = 0.01": "scale = 0",
        'poll = "fast"': 'pol = "fast"', "port = 502": "port = 0", 'power = "power"': 'powr = "power"',
        "bridge = 5": 'bridge = "x"', 'phases = "netted"': 'phases = "net"', 'type = "int16"': 'type = "int17"',
    }  # fmt: skip
    text = SOUND
    for old, new in wrong.items():
        text = text.replace(old, new)
    said = find_faults(text, name="m.toml")
    for fault in (
        "m.toml: unknown key 'vndor', did you mean 'vendor'?",
        "m.toml: version: expected a whole number 1..9999, found 0",
        "m.toml: vendor: missing, expected text",
        "m.toml transport tcp: port: expected a whole number 1..65535, found 0",
        "m.toml blocks: bridge: expected 'never', 'any' or 0..125 registers, found 'x'",
        "m.toml metering: phases: expected one of netted, separate, single, unknown, legal, found 'net'",
        "m.toml tables[0] points[0] 'power': unknown key 'pol', did you mean 'poll'?",
        "m.toml tables[0] points[1] 'energy': scale: expected a number other than 0, found 0",
        "m.toml tables[0] points[2] 'back': scale: expected a number other than 0, found 0",
        "m.toml roles grid: unknown key 'powr', did you mean 'power'?",
    ):
        assert fault in said
    assert any("points[0] 'power': type: unknown type 'int17'" in each for each in said)
    assert any("points[0] 'power': unit: expected one of W" in each for each in said)
    assert len(said) == len(set(said))


def test_a_key_shared_by_a_table_is_found_wrong_once_for_each_point_and_hides_nothing() -> None:
    text = SOUND.replace("function = 3\nsource", "function = 7\nsource").replace('unit = "enum"', 'unit = "enumm"')
    said = find_faults(text, name="m.toml")
    assert sum("function: expected a whole number 3..4, found 7" in each for each in said) == 5
    assert any("points[3] 'status': unit: expected one of" in each for each in said)


def test_parts_that_do_not_fit_together_are_all_named() -> None:
    text = SOUND.replace("first = 30, last = 31", "first = 2, last = 3").replace("address = 4,", "address = 99,")
    text = text.replace('import = "energy"', 'import = "power"')
    said = find_faults(text, name="m.toml")
    assert any("point 'energy': register 2: touches a register that must not be read" in each for each in said)
    assert any("point 'back': cannot be read in one request" in each for each in said)
    assert any("roles.grid: import: expected the name of an energy counter, found 'power'" in each for each in said)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[[identify]]", "[[derived]]", "derived[0]: unknown key 'checks'"),
        ("type = \"uint16\" }]\n", 'type = "uint16" }, { function = 4, address = 900, type = "uint16" }]\n',
         "identify[0]: register 900 is read by no point"),
        ('name = "energy", poll = "fast"', 'name = "energy"', "point 'energy': poll: expected \"fast\""),
    ],
)  # fmt: skip
def test_what_would_make_a_device_badly_read_is_named(old: str, new: str, fault: str) -> None:
    said = find_faults(SOUND.replace(old, new, 1), name="m.toml")
    assert any(fault in each for each in said), said


def test_a_map_without_a_rule_to_recognise_it_says_so() -> None:
    assert any(each.startswith("m.toml: identify: missing") for each in find_faults(MAP, name="m.toml"))


def test_variants_are_looked_at_each_by_itself() -> None:
    two = VARIANT.replace("address = 60", "adress = 60") + VARIANT.replace('"v"', '"w"').replace("title", "titel")
    said = find_faults(SOUND + two, name="m.toml")
    assert "m.toml variant 'v' tables[0] points[0] 'power': unknown key 'adress', did you mean 'address'?" in said
    assert "m.toml variants[1] 'w': unknown key 'titel', did you mean 'title'?" in said
    assert "m.toml variants[1] 'w': title: missing, expected text" in said
    unfit = find_faults(SOUND + VARIANT.replace("address = 60", "address = 200"), name="m.toml")
    assert unfit[0] == "m.toml variant 'v': point 'power': register 200: not inside one readable area"


def test_text_that_is_no_toml_is_one_fault() -> None:
    assert find_faults("points = [", name="m.toml")[0].startswith("m.toml: not valid TOML")


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_maps_get_lines_and_never_a_traceback(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from((SOUND + VARIANT, WHOLE)))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(st.sampled_from(("", "x", "[]", "5", "{}", '"', "\n", "true"))) + text[end:]
    for fault in find_faults(text, name="m.toml"):
        assert fault.startswith("m.toml")
        assert "\n" not in fault


def test_a_wrong_sunspec_point_is_one_finding_beside_others() -> None:
    text = map_text("sunspec-inverter")
    wrong = text.replace('point = "DCW"', 'point = "Nonsense"', 1).replace('point = "Hz"', 'point = "Hertz"', 1)
    faults = list(find_faults(wrong, name="m.toml"))
    assert [each.partition(": point: ")[2] for each in faults] == [
        "model 101 has no point 'Hertz'",
        "model 101 has no point 'Nonsense'",
    ], faults
