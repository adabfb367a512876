"""Placing a device map on one device: SunSpec models where they are found, and the choices of sign and wiring."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from protocols.maps.loading import load_map, resolve_map
from protocols.maps.model import MapError
from protocols.maps.planning import BlockLimits, ReadRequest, Span
from protocols.maps.sunspec import SunSpecModel
from tests.protocols.maps.map_text import MAP, make_text, placed


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


def test_fixed_addresses_keep_the_limits_of_the_map() -> None:
    resolved = resolve_map(load_map(MAP, name="example.toml"))
    assert replace(resolved.limits, known=()) == BlockLimits(50, 5, (Span(3, 0, 100),), (Span(3, 30, 2),))
    assert (resolved.sign, resolved.invert) == ("as_documented", False)
    assert resolved.points["energy"].addresses == (2, 3)


def test_a_sunspec_map_reads_only_inside_the_chain_of_models() -> None:
    device_map = load_map(scaled_model_map(), name="x.toml")
    resolved = resolve_map(device_map, [SunSpecModel(1, 40002, 66), SunSpecModel(64, 40070, 60)])
    assert resolved.limits.readable == (Span(3, 40002, 130),)
    assert resolved.points["power"].addresses == (40074,)


def test_a_makers_own_registers_are_read_beside_the_chain_of_models() -> None:
    row = '{ name = "own", address = 57716, type = "int16", unit = "1" }'
    own = f'[[tables]]\ntitle = "Own"\nfunction = 3\nsource = "s"\npoints = [{row}]\n'
    text = scaled_model_map().replace("[roles.grid]", own + "\n[roles.grid]")
    chain = [SunSpecModel(1, 40002, 66), SunSpecModel(64, 40070, 60)]
    resolved = resolve_map(load_map(text, name="x.toml"), chain)
    assert resolved.limits.readable == (Span(3, 40002, 130), Span(3, 57716, 1))
    assert resolved.plan(["own"]) == (ReadRequest(3, 57716, 1),)


def test_a_point_may_end_with_its_model_and_not_after_it() -> None:
    device_map = load_map(scaled_model_map(), name="x.toml")
    # Offset 40 counts from the id register: it is inside a model of length 39 and behind one of length 38.
    assert "sf" in resolve_map(device_map, [SunSpecModel(64, 100, 39)]).points
    assert "sf" not in resolve_map(device_map, [SunSpecModel(64, 100, 38)]).points


def test_the_first_model_found_is_the_one_that_is_read() -> None:
    device_map = load_map(scaled_model_map(), name="x.toml")
    twice = resolve_map(device_map, [SunSpecModel(64, 100, 60), SunSpecModel(64, 162, 60)])
    assert twice.points["power"].addresses == (104,)


def test_choices_that_a_map_does_not_offer_are_refused() -> None:
    with pytest.raises(MapError, match="x: expected the models of a SunSpec walk"):
        resolve_map(load_map(scaled_model_map().replace("example-meter", "x"), name="x.toml"))
    with pytest.raises(MapError, match="example-meter: sign: expected as_documented"):
        resolve_map(load_map(MAP, name="x.toml"), sign="inverted")


def test_the_vendors_sign_and_swapped_wires_are_kept_for_the_roles() -> None:
    row = '{ name = "power", address = 0, type = "int16", unit = "W", positive = "import", vendor_sign = true }'
    device_map = load_map(make_text(row), name="x.toml")
    resolved = resolve_map(device_map, sign="inverted", invert=True)
    assert (resolved.sign, resolved.invert) == ("inverted", True)


def test_a_derived_value_needs_all_its_inputs_on_the_device() -> None:
    rows = """{ name = "one", offset = 2, models = [64], type = "int16", unit = "W" },
{ name = "two", offset = 2, models = [65], type = "int16", unit = "W" }"""
    total = '[[derived]]\nname = "total"\nunit = "W"\npositive = "import"\nsource = "s"\nplus = ["one", "two"]\n'
    device_map = load_map(make_text(rows, total), name="x.toml")
    both = resolve_map(device_map, [SunSpecModel(64, 100, 10), SunSpecModel(65, 112, 10)])
    assert set(both.derived) == {"total"}
    assert resolve_map(device_map, [SunSpecModel(64, 100, 10)]).derived == {}


def test_loading_checks_what_the_grammar_allows() -> None:
    with pytest.raises(MapError, match=r"trap\.toml: point 'power': given twice"):
        placed('{ name = "power", address = 0, type = "int16", unit = "W" },\n' * 2)
