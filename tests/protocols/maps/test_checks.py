"""The thirteen traps of real register tables, each as a small map that expresses it and the reading that proves it."""

from decimal import Decimal

import pytest

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.model import MapError
from protocols.maps.planning import ReadRequest
from protocols.maps.roles import role_values
from protocols.maps.sunspec import SunSpecModel
from tests.protocols.maps.map_text import TRANSPORT, make_text, placed, words_at


def test_trap_1_document_number_against_wire_address_is_checked() -> None:
    row = (
        '{{ name = "active_power", address = 5015, document_address = {}, document_offset = 1, '
        'type = "int16", unit = "W" }}'
    )
    resolved = placed(row.format(5016))
    assert resolved.plan() == (ReadRequest(3, 5015, 1),)
    with pytest.raises(MapError, match=r"'active_power': document_address: expected 5016 \(wire 5015"):
        placed(row.format(5015))


def test_trap_2_scale_factor_in_a_register_read_together_with_the_value() -> None:
    resolved = placed(
        '{ name = "active_power", address = 10, type = "int16", scale_factor = "w_sf", unit = "W" },\n'
        '{ name = "w_sf", address = 100, type = "sunssf", unit = "power of ten" }'
    )
    assert resolved.plan(["active_power"]) == (ReadRequest(3, 10, 91),)
    assert resolved.decode(words_at(a10=1234, a100=0xFFFF))["active_power"] == Decimal("123.4")
    assert resolved.decode(words_at(a10=1234, a100=0x8000))["active_power"] is None
    assert resolved.decode(words_at(a10=1234, a100=11))["active_power"] is None
    assert "active_power" not in resolved.decode(words_at(a10=1234))


def test_trap_2_multipliers_held_in_the_device() -> None:
    resolved = placed(
        '{ name = "v_pu", address = 0, type = "fixed16_16", unit = "V" },\n'
        '{ name = "i_pu", address = 2, type = "fixed16_16", unit = "A" },\n'
        '{ name = "voltage", address = 24, type = "int16", scale = 0.000030517578125, '
        'scale_by = ["v_pu"], unit = "V" },\n'
        '{ name = "power", address = 58, type = "uint16", scale = 0.00000762939453125, '
        'scale_by = ["v_pu", "i_pu"], unit = "W" }'
    )
    read = words_at(a0=180, a1=0, a2=80, a3=0x8000, a24=4915, a58=1000)
    values = resolved.decode(read)
    assert values["voltage"] == Decimal(4915) * 180 / 32768
    assert values["power"] == Decimal(1000) * 180 * Decimal("80.5") / 131072
    assert resolved.encode(values) == read


def test_trap_3_value_split_over_two_registers_that_do_not_touch() -> None:
    resolved = placed(
        '{ name = "energy", words = [78, 80], type = "uint32", word_order = "LH", scale = 0.1, unit = "kWh" },\n'
        '{ name = "frequency", address = 79, type = "uint16", scale = 0.01, unit = "Hz" }'
    )
    assert resolved.plan(["energy"]) == (ReadRequest(3, 78, 3),)
    values = resolved.decode(words_at(a78=4464, a79=5001, a80=1))
    assert values == {"energy": Decimal(7000), "frequency": Decimal("50.01")}
    assert resolved.encode(values) == words_at(a78=4464, a79=5001, a80=1)


@pytest.mark.parametrize(
    ("rule", "direction", "power"),
    [("negative_values = [1]", 0, 3000), ("negative_values = [1]", 1, -3000),
     ("negative_bits = 0x04", 0x03, 3000), ("negative_bits = 0x04", 0x15, -3000)],
)  # fmt: skip
def test_trap_4_direction_in_another_register(rule: str, direction: int, power: int) -> None:
    resolved = placed(
        '{ name = "direction", address = 33135, type = "uint16", unit = "enum" },\n'
        '{ name = "magnitude", address = 33149, type = "int32", unit = "W" }',
        f'[[derived]]\nname = "battery_power"\nunit = "W"\npositive = "charge"\nsource = "s"\n'
        f'magnitude = "magnitude"\ndirection = "direction"\n{rule}\n'
        '[roles.battery]\nside = "dc"\npower = "battery_power"\nderived = true\n',
    )
    assert resolved.plan(["battery_power"]) == (ReadRequest(3, 33135, 16),)
    values = resolved.decode(words_at(a33135=direction, a33149=0, a33150=3000))
    assert values["battery_power"] == power
    assert role_values(resolved, values, "battery").power_w == power


def test_trap_4_two_magnitudes_subtracted_in_one_request() -> None:
    resolved = placed(
        '{ name = "import_power", address = 30865, type = "int32", sentinels = ["0x80000000"], unit = "W" },\n'
        '{ name = "export_power", address = 30867, type = "int32", sentinels = ["0x80000000"], unit = "W" }',
        '[[derived]]\nname = "grid_power"\nunit = "W"\npositive = "import"\nsource = "s"\n'
        'plus = ["import_power"]\nminus = ["export_power"]\n[roles.grid]\npower = "grid_power"\nderived = true\n',
    )
    assert resolved.plan(["grid_power"]) == (ReadRequest(3, 30865, 4),)
    values = resolved.decode(words_at(a30865=0, a30866=0, a30867=0, a30868=420))
    assert role_values(resolved, values, "grid").power_w == -420
    lost = resolved.decode(words_at(a30865=0x8000, a30866=0, a30867=0, a30868=420))
    assert lost["grid_power"] is None


@pytest.mark.parametrize("power", ["export_power", "grid_power"])
def test_trap_5_two_points_of_opposite_sign_give_the_same_reading(power: str) -> None:
    resolved = placed(
        '{ name = "export_power", address = 13009, type = "int32", positive = "export", unit = "W" },\n'
        '{ name = "grid_power", address = 5600, type = "int32", positive = "import", unit = "W" }',
        f'[roles.grid]\npower = "{power}"\nderived = true\n',
        table='word_order = "LH"',
    )
    values = resolved.decode(words_at(a13009=1800, a13010=0, a5600=63736, a5601=65535))
    assert role_values(resolved, values, "grid").power_w == -1800


def test_trap_6_position_depends_on_the_device() -> None:
    text = make_text(
        '{ name = "active_power", models = [101, 103], offset = 14, type = "int16", unit = "W" },\n'
        '{ name = "active_power", models = [113], offset = 22, type = "float32", unit = "W" }'
    )
    device_map = load_map(text, name="trap.toml")
    integers = resolve_map(device_map, [SunSpecModel(1, 40002, 65), SunSpecModel(103, 40069, 50)])
    floats = resolve_map(device_map, [SunSpecModel(1, 40002, 66), SunSpecModel(113, 40070, 60)])
    assert integers.plan() == (ReadRequest(3, 40083, 1),)
    assert floats.plan() == (ReadRequest(3, 40092, 2),)
    with pytest.raises(MapError, match=r"expected one of the SunSpec models \[101, 103, 113\]"):
        resolve_map(device_map, [SunSpecModel(1, 40002, 66)])
    with pytest.raises(MapError, match="expected the models of a SunSpec walk"):
        resolve_map(device_map)


def test_trap_7_gateway_answers_zero_for_missing() -> None:
    resolved = placed(
        '{ name = "soc", address = 843, type = "uint16", zero_is_missing_with = ["voltage"], unit = "%" },\n'
        '{ name = "voltage", address = 840, type = "uint16", scale = 0.1, unit = "V" }'
    )
    assert resolved.plan(["soc"]) == (ReadRequest(3, 840, 4),)
    assert resolved.decode(words_at(a840=0, a843=0))["soc"] is None
    assert resolved.decode(words_at(a840=512, a843=0))["soc"] == 0


def test_trap_7_counter_where_zero_is_not_accumulated_and_that_wraps() -> None:
    resolved = placed(
        '{ name = "energy", address = 0, type = "acc32", scale = 10, zero_is_missing = true, '
        'wraps_at = 4294967296, unit = "Wh" }',
        '[roles.pv]\ncounts = "source_dc"\nproduction = "energy"\n',
    )
    assert resolved.decode(words_at(a0=0, a1=0))["energy"] is None
    assert resolved.encode({"energy": None}) == words_at(a0=0, a1=0)
    reading = role_values(resolved, resolved.decode(words_at(a0=0xFFFF, a1=0xFFFF)), "pv")
    assert reading.production_wh == 42949672950
    assert reading.wraps_wh == {"production_wh": Decimal(42949672960)}


def test_trap_7_zero_is_never_missing_for_a_power() -> None:
    for mark in ("zero_is_missing = true", 'sentinels = ["0x0000"]'):
        with pytest.raises(MapError, match="0 is a real power"):
            placed(f'{{ name = "active_power", address = 0, type = "int16", {mark}, unit = "W" }}')


COARSE = (
    '{ name = "coarse", address = 10, type = "uint32", FINER scale = 1, unit = "kWh" },\n'
    '{ name = "fine", address = 20, type = "uint32", scale = 0.01, unit = "kWh" },\n'
    '{ name = "power", address = 30, type = "int32", positive = "generation", unit = "W" }'
)


def test_trap_8_coarse_counter_needs_its_finer_one_or_a_power_to_shape_it() -> None:
    named = COARSE.replace("FINER", 'finer = "fine",')
    with pytest.raises(MapError, match=r"roles\.pv: production: 'coarse' names the finer counter 'fine'"):
        placed(named, '[roles.pv]\ncounts = "source_dc"\nproduction = "coarse"\npower = "power"\n')
    with pytest.raises(MapError, match=r"'coarse' counts in steps of 1000 Wh, expected power and shape_by_power"):
        placed(
            COARSE.replace("FINER", ""), '[roles.pv]\ncounts = "source_dc"\nproduction = "coarse"\npower = "power"\n'
        )
    shaped = placed(
        COARSE.replace("FINER", ""),
        '[roles.pv]\ncounts = "source_dc"\nproduction = "coarse"\npower = "power"\nshape_by_power = true\n',
    )
    reading = role_values(shaped, shaped.decode(words_at(a10=0, a11=7, a30=0, a31=900)), "pv")
    assert (reading.production_wh, reading.power_w, reading.shape_by_power) == (7000, 900, True)
    assert reading.steps_wh == {"production_wh": Decimal(1000)}
    fine = placed(named, '[roles.pv]\ncounts = "source_dc"\nproduction = "fine"\npower = "power"\n')
    assert role_values(fine, fine.decode(words_at(a20=0, a21=700)), "pv").steps_wh == {"production_wh": Decimal(10)}


def test_trap_9_float_counter_tells_its_step() -> None:
    resolved = placed(
        '{ name = "energy", address = 0, type = "float32", unit = "Wh" }',
        '[roles.pv]\ncounts = "source_dc"\nproduction = "energy"\n',
    )
    small, large = ({"energy": Decimal(value)} for value in (2**24 - 1, 2**25))
    assert role_values(resolved, small, "pv").steps_wh == {"production_wh": Decimal(1)}
    assert role_values(resolved, large, "pv").steps_wh == {"production_wh": Decimal(4)}


@pytest.mark.parametrize("rtype", ["uint16", "int16"])
def test_trap_10_signed_or_unsigned_is_said_and_the_range_tells_the_wrong_choice(rtype: str) -> None:
    resolved = placed(f'{{ name = "soc", address = 0, type = "{rtype}", range = [0, 100], unit = "%" }}')
    assert resolved.decode(words_at(a0=95)) == {"soc": 95}
    assert resolved.decode(words_at(a0=40000)) == {"soc": None}, "what is out of range is no value"


def test_trap_11_named_groups_come_from_one_request_even_over_a_gap_that_is_not_bridged() -> None:
    rows = (
        '{ name = "power", address = 0, type = "int32", unit = "W" },\n'
        '{ name = "energy", address = 20, type = "uint32", unit = "Wh" },\n'
        '{ name = "voltage", address = 40, type = "uint16", unit = "V" }'
    )
    apart = placed(rows, '[blocks]\nbridge = "never"\n')
    assert len(apart.plan()) == 3
    together = placed(rows, '[blocks]\nbridge = "never"\natomic = [["power", "energy"]]\n')
    assert together.plan() == (ReadRequest(3, 0, 22), ReadRequest(3, 40, 1))
    assert together.plan(["power"]) == (ReadRequest(3, 0, 2),)
    small = TRANSPORT + "max_registers = 20\n"
    with pytest.raises(MapError, match="atomic: power, energy: 22 registers from 0 cannot be read in one request"):
        placed(rows, '[blocks]\natomic = [["power", "energy"]]\n', transport=small)


def test_trap_12_one_client_at_a_time() -> None:
    transport = TRANSPORT + "max_clients = 1\nconnect_delay_ms = 1500\n"
    row = '{ name = "voltage", address = 0, type = "uint16", unit = "V" }'
    device_map = placed(row, transport=transport).device_map
    assert (device_map.transport.max_clients, device_map.transport.connect_delay_ms) == (1, 1500)
    assert placed(row).device_map.transport.max_clients is None


@pytest.mark.parametrize("framing", ["solarman_v5", "rtu_over_tcp", "rtu_over_udp", "udp", "tcp", "rtu"])
def test_trap_13_what_only_looks_like_modbus_tcp_is_said(framing: str) -> None:
    transport = f'[transport]\nframing = ["{framing}"]\ntcp = {{ port = 8899 }}\nunit_ids = [1]\n'
    row = '{ name = "voltage", address = 0, type = "uint16", unit = "V" }'
    device_map = placed(row, transport=transport).device_map
    assert (device_map.transport.framing, device_map.transport.tcp_port) == ((framing,), 8899)
    with pytest.raises(MapError, match="transport: framing: expected a list of values from tcp, rtu"):
        placed(row, transport=transport.replace(f'["{framing}"]', '["bluetooth"]'))


@pytest.mark.parametrize(
    ("role", "complaint"),
    [
        ('[roles.pv]\nproduction = "energy"\n', "roles pv: counts: missing, expected one of source_dc, source_ac"),
        ('[roles.battery]\ncharge = "energy"\n', "roles battery: side: missing, expected one of dc, ac"),
        ('[roles.grid]\nimport = "energy"\ncounts = "source_ac"\n', "roles grid: unknown key 'counts'"),
        ('[roles.pv]\ncounts = "source_ac"\nproduction = "energy"\n', "roles.pv: counts: expected inverter_output"),
    ],
)
def test_what_production_counts_and_a_batterys_side_must_be_said(role: str, complaint: str) -> None:
    with pytest.raises(MapError, match=complaint):
        placed('{ name = "energy", address = 0, type = "uint32", unit = "Wh" }', role)


def test_a_counter_that_a_role_names_needs_a_range() -> None:
    row = '{ name = "energy", address = 0, type = "uint32", unit = "kWh", scale = 0.01 }'
    role = '[roles.load]\nimport = "energy"\n'
    with pytest.raises(MapError, match=r"roles\.load: import: 'energy' has no range"):
        load_map(make_text(row, role).replace("range = [-1e12, 1e12]", ""), name="x.toml")
