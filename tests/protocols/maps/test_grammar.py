"""The grammar of a device map: every key ends in its field, and whatever is wrong is named in one line."""

from dataclasses import fields
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.maps.grammar import MAX_MAP_BYTES, parse_map
from protocols.maps.loading import load_map
from protocols.maps.model import (
    DerivedValue,
    DeviceMap,
    IdentifyRule,
    IdentityCheck,
    MapError,
    MapPoint,
    MapRole,
    Serial,
    Transport,
)
from protocols.maps.planning import BlockLimits, Span
from protocols.maps.registers import Sentinel, register_type
from tests.protocols.maps.map_text import MAP, WHOLE, make_text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "example-meter"', "id = 5", "example.toml: id: expected text"),
        ('id = "example-meter"', 'id = "Example Meter"', "example.toml: id: expected a name like 'eastron-sdm630'"),
        ("version = 1", "version = true", "example.toml: version: expected a whole number 1..9999, found True"),
        ('vendor = "Example"', "", "example.toml: vendor: missing, expected text"),
        ('"grid-meter"', '"toaster"', "example.toml: kinds: expected a list of values from pv-inverter"),
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
        ('unit = "W"', "unit = []", "'power': unit: expected one of W, kW"),
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
    line = str(refusal.value)
    assert message in line
    assert line.startswith("example.toml")
    assert "\n" not in line


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_damaged_maps_load_or_are_refused_in_one_line(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(MAP)))
    end = data.draw(st.integers(start, min(len(MAP), start + 30)))
    text = MAP[:start] + data.draw(st.text(max_size=5)) + MAP[end:]
    line = _refusal(text)
    assert line is None or (line.startswith("example.toml") and "\n" not in line)


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


def whole() -> DeviceMap:
    return parse_map(WHOLE, "whole.toml")


def test_the_head_and_the_transport_are_as_written() -> None:
    device_map = whole()
    assert (device_map.id, device_map.version, device_map.vendor) == ("example-hybrid", 12, "Example")
    assert (device_map.models, device_map.kinds) == (("H1", "H2"), ("hybrid", "battery"))
    assert (device_map.verification, device_map.inverted_for) == ("B", ("Other",))
    assert (device_map.sources, device_map.caveats) == (("manual 3.1", "measured"), ("no counter",))
    assert device_map.transport == Transport(
        framing=("rtu", "rtu_over_tcp"),
        tcp_port=8899,
        rtu=Serial(9600, 7, "E", 2),
        unit_ids=(1, 247),
        timeout_ms=500,
        connect_delay_ms=1000,
        request_gap_ms=250,
        max_registers=60,
        max_clients=1,
    )


def test_blocks_are_as_written() -> None:
    device_map = whole()
    # The longest request belongs to the transport; a map's own limits leave it at what Modbus allows.
    assert device_map.blocks == BlockLimits(125, 10, (Span(3, 100, 100),), (Span(4, 7, 1),))
    assert device_map.atomic == (("battery.magnitude", "direction"),)


def test_points_are_as_written() -> None:
    magnitude, energy, direction = whole().points
    assert magnitude == MapPoint(
        name="battery.magnitude",
        function=3,
        type=register_type("int32"),
        address=110,
        document_address=40111,
        word_order="LH",
        scale=Decimal("0.1"),
        scale_factor="sf",
        scale_by=("step",),
        unit="W",
        positive="charge",
        sentinels=(Sentinel("0x80000000", 0x80000000),),
        zero_is_missing_with=("step",),
        absolute=True,
        minimum=Decimal(-100),
        maximum=Decimal("5000.5"),
        poll="fast",
        vendor_sign=True,
        source="page 4",
        note="turns at night",
    )
    assert energy == MapPoint(
        name="energy",
        function=4,
        type=register_type("uint32"),
        words=(120, 122),
        unit="kWh",
        zero_is_missing=True,
        wraps_at=2**32,
        resolution=Decimal("0.01"),
        finer="fine",
        source="page 5",
        note="-",
    )
    assert (direction.offset, direction.models, direction.symbols) == (9, (103, 104), {1: "out"})


def test_derived_values_rules_and_roles_are_as_written() -> None:
    device_map = whole()
    power, total = device_map.derived
    assert power == DerivedValue(
        name="battery.power",
        unit="W",
        positive="charge",
        magnitude="battery.magnitude",
        direction="direction",
        negative_values=(1, 2),
        negative_bits=8,
        source="page 6",
    )
    assert (total.plus, total.minus, total.positive) == (("a", "b"), ("c",), "none")
    assert device_map.identify == (
        IdentifyRule(
            checks=(
                IdentityCheck(
                    3, 100, register_type("string4"), "HL", prefix="H1", values=(), minimum=None, maximum=None
                ),
                IdentityCheck(
                    4, 101, register_type("uint32"), "LH", prefix=None, values=(5, 6), minimum=None, maximum=None
                ),
                IdentityCheck(
                    *(3, 102, register_type("int16"), "HL"),
                    prefix=None,
                    values=(),
                    minimum=Decimal(-5),
                    maximum=Decimal("5.5"),
                ),
            ),
            sunspec_models=(1, 103),
            manufacturer="Exa",
            model="H",
            certain=True,
        ),
    )
    assert device_map.roles == {
        "battery": MapRole(
            "battery",
            {"charge": "energy", "discharge": "fine"},
            swapped={},
            power="battery.power",
            derived=False,
            shape_by_power=True,
            side="dc",
        ),
        "pv": MapRole(
            "pv",
            {"production": "energy"},
            swapped={"production": "fine"},
            power=None,
            derived=False,
            shape_by_power=False,
            counts="inverter_output",
        ),
        "wind": MapRole(
            "wind", {}, swapped={}, power="battery.power", derived=True, shape_by_power=False, counts="source_dc"
        ),
    }


def test_what_is_not_written_has_its_default() -> None:
    device_map = parse_map(make_text('{ name = "voltage", address = 0, type = "uint16", unit = "V" }'), "x.toml")
    transport = device_map.transport
    assert (transport.timeout_ms, transport.connect_delay_ms, transport.request_gap_ms) == (3000, 0, 0)
    assert (transport.max_registers, transport.max_clients, transport.rtu) == (125, None, None)
    assert (device_map.blocks, device_map.atomic, device_map.identify) == (BlockLimits(), (), ())
    assert (device_map.derived, device_map.roles, device_map.inverted_for) == ((), {}, ())
    (point,) = device_map.points
    given_here = {"name", "function", "type", "address", "unit", "source", "note"}
    for field in fields(MapPoint):
        if field.name not in given_here:
            assert getattr(point, field.name) == field.default, field.name
    serial = parse_map(
        MAP.replace("tcp = { port = 502 }", 'rtu = { baud = 9600, parity = "N" }'), "x.toml"
    ).transport.rtu
    assert serial == Serial(9600, 8, "N", 1)


@pytest.mark.parametrize(("written", "bridge"), [('"never"', 0), ('"any"', None), ("0", 0), ("125", 125), ("1", 1)])
def test_a_bridge_is_a_word_or_a_number(written: str, bridge: int | None) -> None:
    assert parse_map(MAP.replace("bridge = 5", f"bridge = {written}"), "x.toml").blocks.bridge == bridge


@pytest.mark.parametrize("written", ['"some"', "126", "-1", "true", "1.0", "[]"])
def test_other_bridges_are_refused(written: str) -> None:
    with pytest.raises(MapError, match=r"blocks: bridge: expected 'never', 'any' or 0\.\.125 registers"):
        parse_map(MAP.replace("bridge = 5", f"bridge = {written}"), "x.toml")


def point_refusal(row: str, table: str = "") -> str:
    with pytest.raises(MapError) as caught:
        parse_map(make_text(f'{{ name = "p", type = "uint32", unit = "V", {row} }}', table=table), "x.toml")
    return str(caught.value)


def test_a_place_is_given_in_one_way_and_agrees_with_the_printed_number() -> None:
    shifted = parse_map(
        make_text(
            '{ name = "p", words = [9, 12], document_address = 40010, type = "uint32", unit = "V" }',
            table="document_offset = 40001",
        ),
        "x.toml",
    )
    assert shifted.points[0].words == (9, 12)
    wrong = point_refusal("words = [9, 12], document_address = 40013", "document_offset = 40001")
    assert "document_address: expected 40010 (wire 9 + document_offset 40001), found 40013" in wrong
    assert "expected with document_offset and a wire address" in point_refusal("address = 1, document_address = 2")
    assert "expected with document_offset and a wire address" in point_refusal(
        "offset = 2, models = [1], document_address = 2, document_offset = 0"
    )
    assert "found none" in point_refusal('note = "nowhere"')
    assert "found address, words" in point_refusal("address = 1, words = [1, 2]")
    assert "models: missing" in point_refusal("offset = 2")
    assert "unknown key 'models'" in point_refusal("address = 2, models = [1]")
    assert "offset: expected a whole number 2..65535, found 1" in point_refusal("offset = 1, models = [1]")


def test_only_registers_that_can_be_read_have_a_function() -> None:
    for function in (3, 4):
        row = f'{{ name = "p", address = 0, function = {function}, type = "uint16", unit = "V" }}'
        assert parse_map(make_text(row), "x.toml").points[0].function == function
    for function in (0, 1, 2, 5, 6, 16):
        assert "function: expected a whole number 3..4" in point_refusal(f"address = 0, function = {function}")


def test_symbols_are_named_by_numbers() -> None:
    assert "symbols: expected a table" in point_refusal('address = 0, symbols = { "12345678901" = "x" }')
    assert "symbols: expected a table" in point_refusal('address = 0, symbols = { "-1" = "x" }')
    assert "symbols: expected a table" in point_refusal("address = 0, symbols = { 1 = 2 }")
    row = '{ name = "p", address = 0, type = "enum32", unit = "enum", symbols = { 4294967295 = "x" } }'
    assert parse_map(make_text(row), "x.toml").points[0].symbols == {4294967295: "x"}


def test_a_rule_that_would_recognise_everything_is_refused() -> None:
    with pytest.raises(MapError, match=r"identify\[0\]: expected checks, sunspec_models, manufacturer or model"):
        parse_map(MAP + "\n[[identify]]\ncertain = true\n", "x.toml")


def test_the_largest_map_is_read_and_one_character_more_is_not() -> None:
    assert parse_map(MAP.ljust(MAX_MAP_BYTES), "x.toml").id == "example-meter"
    with pytest.raises(MapError, match=rf"x\.toml: {MAX_MAP_BYTES + 1} characters, expected at most {MAX_MAP_BYTES}"):
        parse_map(MAP.ljust(MAX_MAP_BYTES + 1), "x.toml")


@pytest.mark.parametrize(
    ("written", "misspelt", "words"),
    [
        ("[transport]", "[transprot]", "x.toml: unknown key 'transprot', did you mean 'transport'?"),
        ("unit_ids", "unit_id", "x.toml transport: unknown key 'unit_id', did you mean 'unit_ids'?"),
        ("tcp = { port", "tcp = { prot", "tcp: unknown key 'prot', did you mean 'port'?"),
        ("bridge", "brigde", "blocks: unknown key 'brigde', did you mean 'bridge'?"),
        ('title = "', 'titel = "', "tables[0]: unknown key 'titel', did you mean 'title'?"),
        ('name = "power"', 'nam = "power"', "unknown key 'nam', did you mean 'name'?"),
        ("[roles.grid]", "[roles.gird]", "x.toml roles: unknown key 'gird', did you mean 'grid'?"),
        ('import = "energy"', 'imports = "energy"', "x.toml roles grid: unknown key 'imports', did you mean 'import'?"),
    ],
)
def test_an_unknown_key_is_named_before_the_one_that_is_missing(written: str, misspelt: str, words: str) -> None:
    assert written in MAP
    with pytest.raises(MapError) as caught:
        parse_map(MAP.replace(written, misspelt, 1), "x.toml")
    assert words in str(caught.value)


def test_a_byte_order_mark_changes_nothing() -> None:
    assert parse_map("\ufeff" + MAP, "x.toml") == parse_map(MAP, "x.toml")
