"""A map placed on a device: what is asked for, what the answers mean, and the same registers back from the values."""

from decimal import Decimal

import pytest

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.model import MapError
from protocols.maps.placement import ResolvedMap
from protocols.maps.planning import ReadRequest, Span
from protocols.maps.registers import RegisterError
from tests.protocols.maps.map_text import MAP, placed, words_at


@pytest.fixture
def example() -> ResolvedMap:
    return resolve_map(load_map(MAP, name="example.toml"))


def test_plan_bridges_what_the_map_allows_and_never_the_forbidden(example: ResolvedMap) -> None:
    assert example.plan() == (ReadRequest(3, 0, 6), ReadRequest(3, 20, 1), ReadRequest(3, 40, 4))
    assert example.plan(["energy"]) == (ReadRequest(3, 2, 2),)
    assert example.plan(example.names("fast")) == (ReadRequest(3, 0, 1),)
    with pytest.raises(MapError, match="example-meter: 'ghost': expected one of power, energy"):
        example.plan(["ghost"])


def test_decoding_gives_what_was_read_and_nothing_else(example: ResolvedMap) -> None:
    words = {(3, 0): 0xFF38, (3, 2): 0xFFFF, (3, 3): 0xFFFF, (3, 4): 0xFFFE, (3, 5): 0x1DC0, (3, 20): 1}
    assert example.decode(words) == {
        "power": Decimal(-200),
        "energy": None,
        "back": Decimal("1234.56"),
        "status": Decimal(1),
    }
    assert example.decode({}) == {}
    assert example.decode({(4, 0): 1, (3, 2): 1}) == {}


def test_encoding_is_the_inverse_and_refuses_what_does_not_fit(example: ResolvedMap) -> None:
    values = {"power": Decimal(-200), "energy": None, "back": Decimal("1234.56"), "maker": "Acme"}
    words = example.encode(values)
    assert {name: example.decode(words)[name] for name in values} == values
    with pytest.raises(RegisterError, match="does not fit int16"):
        example.encode({"power": Decimal(40000)})
    with pytest.raises(MapError, match="'ghost'"):
        example.encode({"ghost": Decimal(1)})


def test_encoding_needs_the_scale_factor_too() -> None:
    factor = '{ name = "sf", address = 1, type = "sunssf", unit = "power of ten" },'
    text = MAP.replace("points = [", f"points = [\n  {factor}")
    text = text.replace('type = "int16", unit', 'type = "int16", scale_factor = "sf", sentinels = ["0x8000"], unit')
    scaled = resolve_map(load_map(text, name="x.toml"))
    with pytest.raises(MapError, match="'power': expected a value for its scale 'sf' too"):
        scaled.encode({"power": Decimal(5)})
    words = scaled.encode({"power": Decimal("12.3"), "sf": Decimal(-1)})
    assert words == {(3, 0): 123, (3, 1): 0xFFFF}
    lost = scaled.encode({"power": Decimal("12.3"), "sf": None})
    assert lost == {(3, 0): 0x8000, (3, 1): 0x8000}


def test_refused_registers_leave_all_other_points(example: ResolvedMap) -> None:
    healed = example.without([Span(3, 3, 1)])
    assert set(healed.points) == set(example.points) - {"energy"}
    assert healed.plan() == (ReadRequest(3, 0, 1), ReadRequest(3, 4, 2), ReadRequest(3, 20, 1), ReadRequest(3, 40, 4))
    assert example.without([]).plan() == example.plan()


def test_names_by_how_often_they_are_read(example: ResolvedMap) -> None:
    assert example.names() == ("power", "energy", "back", "status", "maker")
    assert example.names("fast") == ("power",)
    assert example.names("slow") == ("energy", "back", "status")
    assert example.names("once") == ("maker",)


SUM = """{ name = "one", address = 0, type = "int16", unit = "W" },
{ name = "two", address = 5, type = "int16", unit = "W" }"""
TOTAL = '[[derived]]\nname = "net"\nunit = "W"\npositive = "import"\nsource = "s"\nplus = ["one"]\nminus = ["two"]\n'


def test_a_derived_value_counts_as_fast_and_is_read_by_its_inputs() -> None:
    resolved = placed(SUM, TOTAL)
    assert resolved.names("fast") == ("net",)
    assert resolved.names("slow") == ("one", "two")
    assert resolved.spans(["net"]) == resolved.spans(["one", "two"])
    assert Span(3, 0, 6) in resolved.spans(["net"])
    assert resolved.spans(["two"]) == (Span(3, 5, 1),)


def test_a_derived_value_is_exact_and_absent_until_all_its_inputs_are_read() -> None:
    resolved = placed(SUM, TOTAL)
    assert resolved.decode(words_at(a0=700, a5=900))["net"] == -200
    assert set(resolved.decode(words_at(a0=700))) == {"one"}


def test_without_refused_registers_a_derived_value_goes_with_its_input() -> None:
    healed = placed(SUM, TOTAL).without([Span(3, 5, 1)])
    assert (set(healed.points), dict(healed.derived)) == ({"one"}, {})
    assert healed.plan() == (ReadRequest(3, 0, 1),)
    assert healed.limits.no_read == (Span(3, 5, 1),)
    again = healed.without([Span(3, 0, 1)])
    assert again.points == {}
    assert again.limits.no_read == (Span(3, 5, 1), Span(3, 0, 1))


def test_words_are_taken_in_the_order_of_the_map_and_only_all_together() -> None:
    point = placed('{ name = "energy", words = [80, 78], type = "uint32", unit = "Wh" }').points["energy"]
    assert point.span == Span(3, 78, 3)
    assert point.raw_words(words_at(a78=1, a79=2, a80=3)) == (3, 1)
    assert point.raw_words(words_at(a78=1, a79=2)) is None
    assert point.raw_words(words_at(4, a78=1, a80=3)) is None


MULTIPLIED = """{ name = "factor", address = 0, type = "uint16", sentinels = ["0xFFFF"], unit = "1" },
{ name = "energy", address = 1, type = "uint16", scale = 0.5, scale_by = ["factor"], resolution = 4, wraps_at = 65536,
  sentinels = ["0xFFFF"], unit = "kWh" }""".replace(",\n  ", ", ")


def test_a_multiplier_of_the_device_scales_value_step_and_wrap() -> None:
    resolved = placed(MULTIPLIED)
    values = resolved.decode(words_at(a0=10, a1=7))
    assert values == {"factor": 10, "energy": 35}
    assert resolved.step_of("energy", values) == 5
    assert resolved.wrap_of("energy", values) == 65536 * 5
    assert resolved.encode(values) == words_at(a0=10, a1=7)
    fine = resolved.decode(words_at(a0=1, a1=7))
    # The map says that the device counts in steps of 4, coarser than the 0.5 its registers could show.
    assert resolved.step_of("energy", fine) == 4


def test_without_its_multiplier_there_is_no_value_step_or_wrap() -> None:
    resolved = placed(MULTIPLIED)
    lost = resolved.decode(words_at(a0=0xFFFF, a1=7))
    assert lost == {"factor": None, "energy": None}
    assert resolved.step_of("energy", lost) is None
    assert resolved.wrap_of("energy", lost) is None
    assert resolved.decode(words_at(a1=7)) == {}
    assert resolved.encode(lost) == words_at(a0=0xFFFF, a1=0xFFFF)


def test_a_counter_without_a_known_wrap_has_none(example: ResolvedMap) -> None:
    assert example.wrap_of("energy", {"energy": Decimal(1)}) is None
    assert example.step_of("energy", {"energy": Decimal(1)}) == Decimal("0.01")
    assert example.step_of("energy", {"energy": None}) is None
    with pytest.raises(MapError, match="'ghost': expected one of power, energy"):
        example.step_of("ghost", {})


def test_zero_with_silent_companions_is_missing() -> None:
    resolved = placed(
        '{ name = "soc", address = 0, type = "uint16", zero_is_missing_with = ["volt", "amp"], unit = "%" },\n'
        '{ name = "volt", address = 1, type = "uint16", sentinels = ["0xFFFF"], unit = "V" },\n'
        '{ name = "amp", address = 2, type = "int16", unit = "A" }'
    )
    assert resolved.decode(words_at(a0=0, a1=0, a2=0))["soc"] is None
    assert resolved.decode(words_at(a0=0, a1=0xFFFF, a2=0))["soc"] is None
    assert resolved.decode(words_at(a0=0, a1=0, a2=3))["soc"] == 0
    assert resolved.decode(words_at(a0=1, a1=0, a2=0))["soc"] == 1


@pytest.mark.parametrize(
    ("magnitude", "direction", "power"),
    [(500, 1, -500), (500, 0, 500), (500, 2, 500), (500, 6, -500), (0, 1, 0), (-500, 0, 500), (-500, 1, -500)],
)
def test_a_direction_turns_a_magnitude(magnitude: int, direction: int, power: int) -> None:
    resolved = placed(
        '{ name = "size", address = 0, type = "int16", unit = "W" },\n'
        '{ name = "way", address = 1, type = "uint16", unit = "enum" }',
        '[[derived]]\nname = "power"\nunit = "W"\npositive = "charge"\nsource = "s"\nmagnitude = "size"\n'
        'direction = "way"\nnegative_values = [1]\nnegative_bits = 4\n',
    )
    values = resolved.decode(words_at(a0=magnitude & 0xFFFF, a1=direction))
    assert values["power"] == power
    assert str(values["power"]) != "-0"


def test_a_missing_zero_is_written_as_zero_and_absolute_values_lose_their_sign() -> None:
    resolved = placed(
        '{ name = "energy", address = 0, type = "acc32", zero_is_missing = true, unit = "Wh" },\n'
        '{ name = "back", address = 2, type = "int16", absolute = true, unit = "Wh" }'
    )
    assert resolved.decode(words_at(a0=0, a1=0, a2=0xFFFE)) == {"energy": None, "back": 2}
    assert resolved.encode({"energy": None}) == words_at(a0=0, a1=0)
