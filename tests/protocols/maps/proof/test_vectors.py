"""Golden vectors: what does not agree with the map is named, and a quality is claimed only with its evidence."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap, MapError
from protocols.maps.proof.vectors import decode_vector, find_disagreements, load_vectors, settled_names
from tests.protocols.maps.map_text import MAP, make_text

ENERGY = {
    "point": "energy", "function": 3, "address": 2, "type": "uint32", "word_order": "HL", "scale": "0.01",
    "unit": "kWh", "positive": "none",
}  # fmt: skip
BACK = {**ENERGY, "point": "back", "address": 4, "type": "int32"}
POWER = {
    "point": "power",
    "function": 3,
    "address": 0,
    "type": "int16",
    "scale": "1",
    "unit": "W",
    "positive": "import",
}
VECTORS = [
    {"point": "power", "registers": ["0xFF38"], "expected": "-200", "note": "exporting"},
    {"point": "energy", "registers": ["0x0001", "0x86A0"], "expected": "1000"},
    {"point": "energy", "registers": ["0xFFFF", "0xFFFF"], "expected": None},
    {"point": "back", "variant": None, "registers": ["0xFFFF", "0xFF9C"], "expected": "1.00"},
]
SILVER = MAP.replace('quality = "bronze"', 'quality = "silver"').replace('this test"]', 'this test", "and again"]')


def written(**changes: Any) -> str:
    settled = {"grid": {"import": ENERGY, "export": BACK, "power": POWER}}
    return json.dumps({"family": "example-meter", "settled": settled, "vectors": VECTORS, **changes})


def findings(text: str, device_map: DeviceMap | None = None) -> list[str]:
    chosen = device_map or load_map(SILVER, name="example.toml")
    return list(find_disagreements(chosen, load_vectors(text, name="example.json")))


def test_a_silver_map_with_vectors_for_all_that_money_rests_on_has_no_findings() -> None:
    assert findings(written()) == []
    assert settled_names(load_map(SILVER, name="example.toml")) == ("energy", "back", "power")


@pytest.mark.parametrize(
    ("key", "entry", "finding"),
    [
        ("import", {**ENERGY, "address": 3}, "settled: grid: import: address: the map has 2, the vectors have 3"),
        ("import", {**ENERGY, "scale": "0.1"}, "scale: the map has 0.01, the vectors have '0.1'"),
        ("import", {**ENERGY, "word_order": "LH"}, "word_order: the map has 'HL', the vectors have 'LH'"),
        ("power", {**POWER, "positive": "export"}, "positive: the map has 'import', the vectors have 'export'"),
        ("import", {**ENERGY, "colour": 1}, "unknown key 'colour'"),
        ("import", {key: value for key, value in ENERGY.items() if key != "type"}, "type: missing"),
        ("import", BACK, "point: the map has 'energy', found 'back'"),
        ("import", "energy", "expected a table, or a list of them"),
        ("production", ENERGY, "settled: grid: production: the role has no such key"),
    ],
)
def test_a_settled_register_that_differs_is_named(key: str, entry: object, finding: str) -> None:
    settled = {"grid": {"import": ENERGY, "export": BACK, "power": POWER, key: entry}}
    assert any(finding in each for each in findings(written(settled=settled)))


def test_a_role_or_a_counter_that_is_not_written_down_is_missing() -> None:
    assert "settled: grid: missing, expected its counters and power as the document gives them" in findings(
        written(settled={})
    )
    assert findings(written(settled={"grid": {"import": ENERGY, "power": POWER}})) == [
        "settled: grid: export: missing, expected 'back' as the document gives it"
    ]
    assert "settled: load: the map has no such role" in findings(
        written(settled={"grid": {"import": ENERGY, "export": BACK, "power": POWER}, "load": {}})
    )


@pytest.mark.parametrize(
    ("vector", "finding"),
    [
        ({"point": "power", "registers": ["0x00C8"], "expected": "-200"}, "decodes to 200, expected -200"),
        ({"point": "power", "registers": ["0x00C8"], "expected": None}, "decodes to 200, expected not available"),
        (
            {"point": "energy", "registers": ["0x0001"], "expected": "1"},
            "registers: expected 2 words for 'energy', found 1",
        ),
        (
            {"point": "ghost", "registers": ["0x0001"], "expected": "1"},
            "'ghost': the map has no such point on this device",
        ),
        ({"point": "power", "variant": "x", "registers": ["0x0001"], "expected": "1"}, "variant: expected none"),
        ({"point": "power", "registers": ["0x0001"], "expected": "one"}, "decodes to 1, expected one"),
    ],
)
def test_a_vector_that_decodes_otherwise_is_named(vector: dict[str, Any], finding: str) -> None:
    found = findings(written(vectors=[*VECTORS, vector]))
    assert len(found) == 1
    assert found[0].startswith(f"vectors[4] {vector['point']!r}: ")
    assert finding in found[0]


def test_silver_is_not_given_without_evidence() -> None:
    assert findings(written(vectors=VECTORS[1:])) == [
        "quality: silver: 'power' has no vector with a value, and a role rests on it"
    ]
    lacking_mark = [each for each in VECTORS if each["expected"] is not None]
    assert findings(written(vectors=lacking_mark)) == [
        "quality: silver: no vector shows not available, expected one of energy"
    ]
    gold = load_map(SILVER.replace('"silver"', '"gold"'), name="example.toml")
    assert any("expected recordings of a night" in each for each in findings(written(), gold))
    assert findings(written(vectors=[]), load_map(MAP, name="example.toml")) == [], "bronze promises nothing"


def test_a_variant_states_what_differs_and_rests_on_the_family_for_the_rest() -> None:
    moved = '\n[[variants]]\nname = "v"\ntitle = "V"\npoints = [{ name = "power", address = 60 }]\n'
    device_map = load_map(SILVER + moved, name="example.toml")
    said = findings(written(), device_map)
    assert said == [
        "variants v: grid: power: address: the map has 60, the vectors have 0",
        "variant 'v': quality: silver: 'power' has no vector with a value, and a role rests on it",
    ]
    mine = {"v": {"grid": {"import": ENERGY, "export": BACK, "power": {**POWER, "address": 60}}}}
    more = [*VECTORS, {"point": "power", "variant": "v", "registers": ["0x0001"], "expected": "1"}]
    assert findings(written(variants=mine, vectors=more), device_map) == []
    assert findings(written(variants={"w": {}}))[0] == "variants: 'w': the map has no such variant"


def test_a_value_with_a_multiplier_needs_its_words_too() -> None:
    text = make_text(
        '{ name = "power", address = 1, type = "int16", scale_factor = "w_sf", unit = "W", sentinels = ["0x8000"] },\n'
        '{ name = "w_sf", address = 9, type = "sunssf", unit = "power of ten" }'
    )
    trap = load_map(text, name="trap.toml")
    base = {"family": "trap", "settled": {}}
    alone = {"point": "power", "registers": ["0x000C"], "expected": "1.2"}
    assert findings(json.dumps({**base, "vectors": [alone]}), trap) == [
        "vectors[0] 'power': helpers: expected the words of w_sf too"
    ]
    both = {**alone, "helpers": {"w_sf": ["0xFFFF"]}}
    assert findings(json.dumps({**base, "vectors": [both]}), trap) == []


def test_a_value_derived_from_others_is_written_down_with_its_inputs() -> None:
    text = make_text(
        '{ name = "bought", address = 1, type = "uint16", unit = "W" },\n'
        '{ name = "sold", address = 2, type = "uint16", unit = "W" }',
        '[[derived]]\nname = "grid_power"\nunit = "W"\npositive = "import"\n'
        'plus = ["bought"]\nminus = ["sold"]\nsource = "s"\n'
        '[roles.grid]\npower = "grid_power"\nderived = true\n',
    )
    trap = load_map(text, name="trap.toml")
    one = {"function": 3, "address": 1, "type": "uint16", "scale": "1", "unit": "W", "positive": "none"}
    power = {
        "point": "grid_power", "unit": "W", "positive": "import", "plus": ["bought"], "minus": ["sold"],
        "inputs": {"bought": one, "sold": {**one, "address": 2}},
    }  # fmt: skip
    inputs = {"bought": ["0x0005"], "sold": ["0x0007"]}
    found = {
        "family": "trap", "settled": {"grid": {"power": power}},
        "vectors": [{"point": "grid_power", "helpers": inputs, "expected": "-2"}],
    }  # fmt: skip
    assert settled_names(trap) == ("bought", "sold")
    assert findings(json.dumps(found), trap) == []
    found["settled"] = {"grid": {"power": {**power, "minus": [], "inputs": {"bought": one}}}}
    assert findings(json.dumps(found), trap) == [
        "settled: grid: power: minus: the map has ['sold'], the vectors have []",
        "settled: grid: power: inputs: sold: missing, expected it as the document gives it",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "x.json: not valid JSON"),
        ("[" * 100_000, "x.json: not valid JSON"),
        ("[]", "x.json: expected a table"),
        ('{"family": "a", "settled": [], "vectors": []}', "x.json: settled: expected a table"),
        ('{"family": "a", "colour": 1}', "x.json: unknown key 'colour'"),
        ('{"family": "a", "settled": {"grid": 1}}', "x.json settled: expected a table for each role"),
        ('{"family": "a", "vectors": [{"point": "p"}]}', r"x.json vectors\[0\]: expected: missing"),
        ('{"family": "a", "vectors": [{"point": "p", "expected": 5}]}', "expected: expected text or null, found 5"),
        (
            '{"family": "a", "vectors": [{"point": "p", "expected": "5", "registers": [5]}]}',
            "registers: expected a list of words",
        ),
        (
            '{"family": "a", "vectors": [{"point": "p", "expected": "5", "registers": ["0x10000"]}]}',
            "registers: expected a list",
        ),
        (" " * 300_000, "expected at most"),
    ],
)
def test_a_file_that_is_not_vectors_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(MapError, match=message) as refusal:
        load_vectors(text, name="x.json")
    assert "\n" not in str(refusal.value)


def test_the_words_of_a_sunspec_point_say_which_model_they_come_from() -> None:
    rows = '{{ name = "state", offset = {1}, models = [{0}], type = "uint16", unit = "enum" }},\n'
    trap = load_map(make_text(rows.format(101, 4) + rows.format(701, 6)), name="trap.toml")
    base = '{{"family": "trap", "vectors": [{{"point": "state", {0} "registers": ["0x0004"], "expected": "4"}}]}}'
    lacking = load_vectors(base.format(""), name="x.json").vectors[0]
    with pytest.raises(MapError, match="model: missing, expected the SunSpec model these words come from"):
        decode_vector(trap, lacking)
    assert findings(base.format('"model": 701,'), trap) == []


def places(found: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    keys = found if isinstance(found, dict) else range(len(found)) if isinstance(found, list) else ()
    return [place, *(each for key in keys for each in places(found[key], (*place, key)))]


ODD = (None, True, 5, -1, 1.5, "x", "", [], [1], ["x"], {}, {"a": 1}, [{}], {"point": [1]}, {"point": {}})


@given(place=st.sampled_from(places(json.loads(written()))[1:]), value=st.sampled_from(ODD))
def test_any_value_at_any_place_is_a_line_and_never_a_traceback(place: tuple[Any, ...], value: object) -> None:
    found = json.loads(written())
    inner = found
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert all("\n" not in line for line in _said(json.dumps(found)))


def _said(text: str) -> list[str]:
    try:
        return findings(text)
    except MapError as complaint:
        return [str(complaint)]


@pytest.mark.parametrize("inputs", [None, 5, "bought", ["bought"], [{"point": ["bought"]}]])
def test_inputs_of_another_shape_are_missing(inputs: object) -> None:
    text = make_text(
        '{ name = "bought", address = 1, type = "uint16", unit = "W" }',
        '[[derived]]\nname = "grid_power"\nunit = "W"\npositive = "import"\nplus = ["bought"]\nsource = "s"\n'
        '[roles.grid]\npower = "grid_power"\nderived = true\n',
    )
    power = {"point": "grid_power", "unit": "W", "positive": "import", "plus": ["bought"], "inputs": inputs}
    found = {"family": "trap", "settled": {"grid": {"power": power}}}
    assert findings(json.dumps(found), load_map(text, name="trap.toml")) == [
        "settled: grid: power: inputs: bought: missing, expected it as the document gives it"
    ]
