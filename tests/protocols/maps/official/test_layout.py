"""Where official points lie: worked out from the order of a model's points, with repeating groups behind."""

import pytest

from protocols.maps.official.definitions import DEFINITIONS
from protocols.maps.official.layout import OfficialPoint, official_points, type_words


def test_points_that_the_specification_names() -> None:
    assert official_points(1)["SN"] == OfficialPoint(50, "string16", None)
    assert official_points(103)["W"] == OfficialPoint(14, "int16", "W_SF")
    assert official_points(103) == official_points(101), "laid out alike"
    assert official_points(701)["TotWhInj"].type == "uint64"
    assert official_points(64111) == {}, "a maker's own model has no official definition"


def test_a_repeating_group_goes_on_behind_the_fixed_points() -> None:
    modules = official_points(160)
    first, second = modules["1.DCW"], modules["2.DCW"]
    assert first.offset == 2 + 8 + 11
    assert second.offset - first.offset == 20
    assert "DCW" not in modules
    assert "9.DCW" not in modules


@pytest.mark.parametrize(
    ("name", "mark"),
    [("W", ("0x8000",)), ("A", ("0xFFFF",)), ("Evt1", ("0xFFFFFFFF",)), ("WH", ()), ("W_SF", ())],
)
def test_the_mark_for_not_available_goes_by_the_type(name: str, mark: tuple[str, ...]) -> None:
    assert official_points(103)[name].sentinels == mark


def test_every_definition_is_laid_out() -> None:
    for model in DEFINITIONS:
        points = official_points(model)
        ends = [found.offset + type_words(found.type) for found in points.values()]
        starts = [found.offset for found in points.values()]
        assert starts == [2, *ends[:-1]], f"model {model}: no hole and no overlap"
        for found in points.values():
            factor = found.factor
            prefixes = ("", *(f"{number}." for number in range(1, 9)))
            if factor and not factor.lstrip("-").isdecimal():
                assert any(points.get(p + factor, found).type == "sunssf" for p in prefixes)
