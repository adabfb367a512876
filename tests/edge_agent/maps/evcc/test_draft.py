"""A draft from a template loads as it is, is bronze, keeps our signs, and says what it lacks."""

import pytest

from edge_agent.maps.evcc.draft import draft_map, map_id
from edge_agent.maps.evcc.template import read_template
from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap
from protocols.maps.proof.lint import find_faults
from tests.edge_agent.maps.evcc.template_text import HYBRID, METER

SOURCE = "evcc, templates/definition/meter/example.yaml"


def drafted(text: str) -> tuple[DeviceMap, str]:
    draft = draft_map(read_template(text, name="t.yaml"), source=SOURCE)
    return load_map(draft, name="draft.toml"), draft


def test_a_hybrid_becomes_roles_with_our_signs_and_its_gaps_marked() -> None:
    made, draft = drafted(HYBRID)
    assert (made.id, made.quality, made.sources) == ("example-hybrid", "bronze", (SOURCE,))
    grid, battery = made.roles["grid"], made.roles["battery"]
    assert (dict(grid.counters), grid.power) == ({"import": "grid_energy_import"}, "grid_power")
    power = made.named("grid_power")[0]
    assert (power.address, power.word_order, power.scale, power.positive) == (500, "LH", 1, "export")
    energy = made.named("grid_energy_import")[0]
    assert (str(energy.scale), [mark.text for mark in energy.sentinels]) == ("0.01", ["0xFFFFFFFF"])
    assert (battery.side, battery.derived, made.named("battery_power")[0].positive) == ("unknown", True, "discharge")
    assert dict(made.roles["pv"].counters) == {"production": "pv_energy_production"}
    (total,) = made.derived
    assert (total.name, total.positive, total.plus) == ("pv_power", "generation", ("pv_power_1", "pv_power_2"))
    assert (made.roles["pv"].power, made.roles["pv"].shape_by_power) == ("pv_power", True)
    assert made.transport.tcp_port == 8502
    assert made.transport.rtu is not None
    assert draft.count("GAP") > 8


def test_a_coarse_counter_without_a_power_waits_for_one() -> None:
    start, end = (
        HYBRID.index("  power:\n    source: calc"),
        HYBRID.index("  energy:\n    source: modbus\n    register:\n      address: 520"),
    )
    made, draft = drafted(HYBRID[:start] + HYBRID[end:])
    assert "pv" not in made.roles
    assert "# GAP: pv_energy_production steps by more than 25 Wh and needs a power beside it" in draft


def test_what_cannot_be_taken_over_is_a_line() -> None:
    _, draft = drafted(METER)
    assert "# GAP: grid export: register 70 read as bcd" in draft
    assert "# GAP: a setting decides (.extended)" in draft
    assert map_id(read_template(METER, name="t.yaml")) == "example-meter-3"


@pytest.mark.parametrize("text", [HYBRID, METER])
def test_the_check_of_a_draft_asks_only_how_the_device_is_recognised(text: str) -> None:
    _, draft = drafted(text)
    assert [fault.split(": ")[1] for fault in find_faults(draft, name="draft.toml")] == ["identify"]
