"""A map's file judged as a whole: what `map check` of the agent and `maps add` of the hub both go by."""

from protocols.maps.proof.judging import judge_text, judge_vectors, vector_places
from tests.protocols.maps.shipped import MAPS

FAMILY = "eastron-sdm630"
TEXT = (MAPS / f"{FAMILY}.toml").read_text(encoding="utf-8")
VECTORS = (MAPS.parent / "vectors" / f"{FAMILY}.json").read_text(encoding="utf-8")


def test_a_shipped_map_with_its_vectors_is_good() -> None:
    device_map, faults = judge_text(TEXT, name=f"{FAMILY}.toml")
    assert faults == []
    assert device_map is not None
    assert judge_vectors(device_map, VECTORS, name=f"{FAMILY}.json") == []


def test_each_thing_that_is_wrong_is_said() -> None:
    device_map, faults = judge_text(TEXT, name="other.toml")
    assert device_map is not None
    assert faults == ["other.toml: id: expected 'other' like the file's name, found 'eastron-sdm630'"]
    assert judge_text("not a map", name="m.toml")[0] is None
    assert judge_text("not a map", name="m.toml")[1]
    assert judge_vectors(device_map, "{", name="v.json")
    wrong = VECTORS.replace('"expected": "', '"expected": "9', 1)
    assert any(each.startswith("v.json: ") for each in judge_vectors(device_map, wrong, name="v.json"))


def test_where_vectors_are_looked_for() -> None:
    assert vector_places("acme") == ("acme.json", "vectors/acme.json", "../vectors/acme.json")
