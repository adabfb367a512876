"""Loading register maps: what is refused and how it is said; placing them, planning and decoding on one device."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.maps.loading import MapError, ResolvedMap, load_map, resolve_map
from protocols.maps.planning import ReadRequest, Span
from protocols.maps.registers import RegisterError
from protocols.maps.sunspec import SunSpecModel

MAP = """
id = "example-meter"
version = 1
vendor = "Example"
models = ["M1"]
kinds = ["grid-meter"]
verification = "A"
sources = ["worked out for this test"]

[transport]
framing = ["tcp"]
tcp = { port = 502 }
unit_ids = [1]
max_registers = 50

[blocks]
bridge = 5
readable = [{ function = 3, first = 0, last = 99 }]
no_read = [{ function = 3, first = 30, last = 31 }]

[[tables]]
title = "Registers"
function = 3
source = "manual, page 7"
points = [
  { name = "power", address = 0, type = "int16", unit = "W", positive = "import", poll = "fast" },
  { name = "energy", address = 2, type = "uint32", scale = 0.01, unit = "kWh", sentinels = ["0xFFFFFFFF"] },
  { name = "back", address = 4, type = "int32", scale = 0.01, unit = "kWh", absolute = true },
  { name = "status", address = 20, type = "uint16", unit = "enum", symbols = { "1" = "on" } },
  { name = "maker", address = 40, type = "string4", unit = "text", poll = "once" },
]

[roles.grid]
import = "energy"
export = "back"
power = "power"
"""


@pytest.fixture
def example() -> ResolvedMap:
    return resolve_map(load_map(MAP, name="example.toml"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "example-meter"', "id = 5", "example.toml: id: expected text"),
        ('id = "example-meter"', 'id = "Example Meter"', "example.toml: id: expected a name like 'eastron-sdm630'"),
        ("version = 1", "version = true", "example.toml: version: expected a whole number 1..9999, found True"),
        ('vendor = "Example"', "", "example.toml: vendor: missing, expected text"),
        ('"grid-meter"', '"toaster"', "example.toml: kinds: expected a list out of pv-inverter"),
        ('"A"', '"AA"', "example.toml: verification: expected one of A, B, C, found 'AA'"),
        ("[transport]", "[transport]\nspeed = 3", "example.toml transport: unknown key 'speed'"),
        ("port = 502", "port = 0", "example.toml transport tcp: port: expected a whole number 1..65535, found 0"),
        ("tcp = { port = 502 }", "", "example.toml: transport: expected tcp or rtu settings"),
        ("bridge = 5", 'bridge = "often"', "blocks: bridge: expected 'never', 'any' or 0..125 registers"),
        ("last = 99", "last = -1", "example.toml blocks readable[0]: last: expected a whole number 0..65535"),
        ("function = 3\nsource", "function = 6\nsource", "'power': function: expected a whole number 3..4, found 6"),
        ('name = "power", address = 0', 'name = "power", address = 70000', "'power': address: expected a whole number"),
        ('name = "power", address = 0', 'name = "power"', "expected one of address, words or offset, found none"),
        ("address = 0,", "address = 0, offset = 2,", "expected one of address, words or offset, found address, offset"),
        ('"int16"', '"int17"', "'power': type: unknown type 'int17', expected one of uint16"),
        ('unit = "W"', 'unit = "horses"', "'power': unit: expected one of W, kW"),
        ('"0xFFFFFFFF"', '"0x1FFFFFFFF"', "'energy': sentinels: sentinel '0x1FFFFFFFF' does not fit uint32"),
        ("scale = 0.01, unit", "scale = 0, unit", "'energy': scale: expected a number other than 0, found 0"),
        ("scale = 0.01, unit", "scale = nan, unit", "'energy': scale: expected a number other than 0"),
        ("scale = 0.01, unit", "scale = 1e999999999, unit", "'energy': scale: expected a number other than 0"),
        ("absolute = true", "absolute = 1", "'back': absolute: expected true or false, found 1"),
        ('poll = "fast"', "colour = 3", "'power': unknown key 'colour'"),
        ('poll = "fast"', 'poll = "often"', "'power': poll: expected one of fast, slow, once, found 'often'"),
        ('source = "manual, page 7"', "", "'power': source: missing, expected text"),
        ('name = "status"', 'name = "power"', "example.toml: point 'power': given twice"),
        ("address = 20", "address = 120", "point 'status': register 120: not inside one readable area"),
        ("address = 20", "address = 30", "point 'status': register 30: touches a register that must not be read"),
        ("address = 40", "address = 97", "point 'maker': cannot be read in one request"),
        ('"energy"\nexport', '"power"\nexport', "roles.grid: import: expected the name of an energy counter"),
        ('power = "power"', 'power = "energy"', "roles.grid: power: expected the name of a power, found 'energy'"),
        ('positive = "import"', 'positive = "charge"', "power: 'power' has positive 'charge', expected one of import"),
        ('power = "power"', "derived = true", "expected a lifetime counter, or derived = true when there is none"),
        ("[roles.grid]", "[roles.garden]", "example.toml roles: unknown key 'garden'"),
        ('"1" = "on"', '"one" = "on"', "'status': symbols: expected a table like"),
        ("[blocks]", '[sign]\ninverted_for = ["X"]\n[blocks]', "inverted_for: expected a point with vendor_sign"),
        ("bridge = 5", 'atomic = [["power", "ghost"]]', "atomic: 'ghost': expected the name of a point"),
        ("points = [", "points = [ 3,", "tables[0] points[0]: expected a table, found 3"),
        ("points = [", "points = [[", "example.toml: not valid TOML:"),
    ],
)
def test_a_wrong_map_is_refused_in_one_line_that_names_place_and_expectation(old: str, new: str, message: str) -> None:
    assert old in MAP
    with pytest.raises(MapError) as refusal:
        load_map(MAP.replace(old, new, 1), name="example.toml")
    told = str(refusal.value)
    assert message in told
    assert told.startswith("example.toml")
    assert "\n" not in told


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_damaged_maps_load_or_are_refused_in_one_line(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(MAP)))
    end = data.draw(st.integers(start, min(len(MAP), start + 30)))
    text = MAP[:start] + data.draw(st.text(max_size=5)) + MAP[end:]
    told = _refusal(text)
    assert told is None or (told.startswith("example.toml") and "\n" not in told)


def _refusal(text: str) -> str | None:
    try:
        load_map(text, name="example.toml")
    except MapError as refusal:
        return str(refusal)
    return None


def test_oversized_and_deeply_nested_maps_are_refused() -> None:
    with pytest.raises(MapError, match="expected at most"):
        load_map("#" * 300_000, name="x.toml")
    with pytest.raises(MapError, match=r"x\.toml: not valid TOML"):
        load_map("a = " + "[" * 100_000, name="x.toml")


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


def test_a_model_that_ends_early_has_no_points_behind_its_end() -> None:
    rows = re.sub(r"address = (\d+)", lambda found: f"offset = {int(found[1]) + 2}", MAP)
    rows = rows.replace("function = 3\nsource", "function = 3\nmodels = [64]\nsource")
    rows = rows.replace("readable = [{ function = 3, first = 0, last = 99 }]", "").replace("no_read", "# no_read")
    device_map = load_map(rows, name="x.toml")
    whole = resolve_map(device_map, [SunSpecModel(64, 100, 60)])
    short = resolve_map(device_map, [SunSpecModel(64, 100, 20)])
    assert set(whole.points) - set(short.points) == {"status", "maker"}
    assert whole.plan(["status"]) == (ReadRequest(3, 122, 1),)
    assert whole.plan(["power", "energy"]) == (ReadRequest(3, 102, 4),)


def scaled_model_map(more: str = "", limit: int = 50) -> str:
    rows = """points = [
  { name = "power", offset = 4, type = "int16", scale_factor = "sf", unit = "W", positive = "import", poll = "fast" },
  { name = "voltage", offset = 6, type = "uint16", unit = "V" },
  { name = "sf", offset = 40, type = "sunssf", unit = "power of ten" },
"""
    text = MAP[: MAP.index("points = [")] + rows + more + '\n]\n\n[roles.grid]\npower = "power"\nderived = true\n'
    text = text.replace("function = 3\nsource", "function = 3\nmodels = [64]\nsource")
    text = text.replace("readable = [{ function = 3, first = 0, last = 99 }]", "").replace("no_read", "# no_read")
    return text.replace("max_registers = 50", f"max_registers = {limit}")


def test_a_model_cut_before_its_scale_factor_gives_no_scaled_value() -> None:
    device_map = load_map(scaled_model_map(), name="x.toml")
    assert set(resolve_map(device_map, [SunSpecModel(64, 100, 60)]).points) == {"power", "voltage", "sf"}
    cut = resolve_map(device_map, [SunSpecModel(64, 100, 20)])
    assert set(cut.points) == {"voltage"}
    assert cut.plan() == (ReadRequest(3, 106, 1),)


def test_a_scale_factor_of_another_model_is_never_borrowed() -> None:
    device_map = load_map(scaled_model_map(), name="x.toml")
    twice = resolve_map(device_map, [SunSpecModel(64, 100, 20), SunSpecModel(64, 122, 60)])
    assert "power" not in twice.points
    assert twice.plan(["voltage"]) == (ReadRequest(3, 106, 1),)


@pytest.mark.parametrize("model_length", range(66))
def test_a_shipped_meter_map_plans_on_a_model_of_any_length(model_length: int) -> None:
    shipped = (Path(__file__).parents[3] / "firmware_configs" / "devices" / "sunspec-meter.toml").read_text()
    device_map = load_map(shipped, name="sunspec-meter.toml")
    resolved = resolve_map(device_map, [SunSpecModel(1, 40002, 66), SunSpecModel(203, 40070, model_length)])
    assert resolved.plan()


def test_points_of_a_model_must_fit_into_one_request() -> None:
    with pytest.raises(MapError, match=r"power, sf: 37 registers of model 64 .* at most 30"):
        load_map(scaled_model_map(limit=30), name="x.toml")
    long = '  { name = "maker", offset = 50, type = "string40", unit = "text" },'
    with pytest.raises(MapError, match=r"'maker': cannot be read in one request: longer than max_registers"):
        load_map(scaled_model_map(long, limit=38), name="x.toml")
