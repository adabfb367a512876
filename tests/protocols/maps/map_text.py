"""Small device maps as text, whole or made from a few point rows, and registers to decode with them."""

import re
from typing import Any

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.placement import ResolvedMap

MAP = """
id = "example-meter"
version = 1
vendor = "Example"
models = ["M1"]
kinds = ["grid-meter"]
verification = "A"
quality = "bronze"
sources = ["worked out for this test"]

[metering]
phases = "netted"
phases_source = "manual, page 2"
metrology = "MID B"
metrology_source = "nameplate"

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
sentinels = []
range = [-1e9, 1e9]
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

HEADER = """
id = "trap"
version = 1
vendor = "Example"
models = ["T1"]
kinds = ["hybrid"]
verification = "B"
quality = "bronze"
sources = ["worked out for this test"]
"""
TRANSPORT = """
[transport]
framing = ["tcp"]
tcp = { port = 502 }
unit_ids = [1]
"""
WHOLE = """
id = "example-hybrid"
version = 12
vendor = "Example"
models = ["H1", "H2"]
kinds = ["hybrid", "battery"]
verification = "B"
quality = "bronze"
sources = ["manual 3.1", "measured"]
caveats = ["no counter"]

[metering]
phases = "separate"
phases_source = "manual, page 3"
metrology = "class 0.5S"
metrology_source = "nameplate"

[transport]
framing = ["rtu", "rtu_over_tcp"]
tcp = { port = 8899 }
rtu = { baud = 9600, bits = 7, parity = "E", stop = 2 }
unit_ids = [1, 247]
timeout_ms = 500
connect_delay_ms = 1000
request_gap_ms = 250
max_registers = 60
max_clients = 1

[blocks]
bridge = 10
readable = [{ function = 3, first = 100, last = 199 }]
no_read = [{ function = 4, first = 7, last = 7 }]
atomic = [["battery.magnitude", "direction"]]

[sign]
inverted_for = ["Other"]

[[identify]]
certain = true
manufacturer = "Exa"
model = "H"
sunspec_models = [1, 103]
checks = [
  { function = 3, address = 100, type = "string4", prefix = "H1" },
  { function = 4, address = 101, type = "uint32", word_order = "LH", equals = [5, 6] },
  { function = 3, address = 102, type = "int16", range = [-5, 5.5] },
]

[[tables]]
title = "Battery"
function = 3
word_order = "LH"
document_offset = 40001
source = "page 4"
points = [
  { name = "battery.magnitude", address = 110, document_address = 40111, type = "int32", scale = 0.1,
    scale_factor = "sf", scale_by = ["step"], unit = "W", positive = "charge", sentinels = ["0x80000000"],
    zero_is_missing_with = ["step"], absolute = true, range = [-100, 5000.5], poll = "fast", vendor_sign = true,
    note = "turns at night" },
  { name = "energy", words = [120, 122], function = 4, type = "uint32", unit = "kWh", zero_is_missing = true,
    wraps_at = 4294967296, resolution = 0.01, finer = "fine", word_order = "HL", source = "page 5" },
  { name = "direction", offset = 9, models = [103, 104], type = "enum16", unit = "enum", symbols = { "1" = "out" } },
]

[[derived]]
name = "battery.power"
unit = "W"
positive = "charge"
magnitude = "battery.magnitude"
direction = "direction"
negative_values = [1, 2]
negative_bits = 8
source = "page 6"

[[derived]]
name = "total"
unit = "W"
plus = ["a", "b"]
minus = ["c"]
source = "page 7"

[roles.battery]
side = "dc"
charge = "energy"
discharge = "fine"
power = "battery.power"
shape_by_power = true

[roles.pv]
counts = "inverter_output"
production = "energy"
production_swapped = "fine"

[roles.wind]
counts = "source_dc"
power = "battery.power"
derived = true
""".replace(",\n    ", ", ")  # an inline table of TOML is one line


BOUNDED = {"sentinels": "[]", "range": "[-1e12, 1e12]"}
"""What every power must state, wide enough for any number in a test."""


def make_text(points: str, more: str = "", *, transport: str = TRANSPORT, table: str = "") -> str:
    """A whole map around some point rows; `table` gives keys shared by all of them."""
    shared = "".join(
        f"{key} = {usual}\n" for key, usual in BOUNDED.items() if re.search('unit = "k?Wh?"', points + table)
    )
    rows = f'[[tables]]\ntitle = "t"\nfunction = 3\nsource = "s"\n{table}\n{shared}points = [\n{points}\n]\n'
    return HEADER + transport + rows + more


def placed(points: str, more: str = "", **options: Any) -> ResolvedMap:
    """The map on a device with fixed addresses."""
    return resolve_map(load_map(make_text(points, more, **options), name="trap.toml"))


def words_at(function: int = 3, **words: int) -> dict[tuple[int, int], int]:
    """words_at(a10=1) is register 10 holding 1."""
    return {(function, int(name[1:])): word for name, word in words.items()}
