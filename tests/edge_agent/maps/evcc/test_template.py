"""The registers of an evcc template are found by its indentation, for each usage; what is not plain is a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.maps.evcc.draft import draft_map
from edge_agent.maps.evcc.template import read_template
from protocols.maps.model import MapError
from tests.edge_agent.maps.evcc.template_text import HYBRID, METER, SUNSPEC


def found(text: str) -> list[tuple[str, str, int, int, str, str]]:
    return [
        (each.usage, ".".join(each.path), each.function, each.address, each.decode, each.scale)
        for each in read_template(text, name="t.yaml").registers
    ]


def test_each_usage_has_its_registers_and_nothing_is_written() -> None:
    assert found(HYBRID) == [
        ("grid", "power", 4, 500, "int32s", "-1"),
        ("grid", "energy", 4, 502, "uint32nan", "0.01"),
        ("pv", "power.add.1", 3, 510, "int16", "1"),
        ("pv", "power.add.2", 3, 511, "int16", "1"),
        ("pv", "energy", 3, 520, "uint32", "0.1"),
        ("battery", "power", 3, 530, "int16", "1"),
        ("battery", "soc", 3, 531, "uint16", "0.1"),
    ]


def test_a_choice_by_usage_inside_a_register_is_followed() -> None:
    rows = found(METER)
    assert ("grid", "import", 3, 62, "uint32", "0.01") in rows
    assert ("pv", "import", 3, 64, "uint32", "0.01") in rows
    assert [scale for usage, path, *_, scale in rows if path == "power"] == ["1", "-1", "1"]
    assert ("charge", "currents.2", 3, 27, "uint16", "0.01") in rows
    assert any("a setting decides (.extended)" in gap for gap in read_template(METER, name="t.yaml").gaps)


def test_the_device_is_as_the_template_says() -> None:
    template = read_template(HYBRID, name="t.yaml")
    assert (template.name, template.brand, template.model) == ("example-hybrid", "Example", "EX Series")
    assert (template.port, template.baud, template.unit) == (8502, 19200, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: something", "t.yaml: expected an evcc meter template with"),
        (SUNSPEC, "reads no Modbus register by its address: it reads SunSpec models"),
        (
            SUNSPEC.replace("sunspec\n    value: 103:W", "modbus\n    model: sdm"),
            "it names a meter type of another program",
        ),
        (SUNSPEC.replace("sunspec\n    value: 103:W", "http"), "it uses another protocol"),
        ("x" * 300_000, "expected at most"),
    ],
)
def test_a_file_without_registers_says_why(text: str, message: str) -> None:
    with pytest.raises(MapError, match=message) as refusal:
        read_template(text, name="t.yaml")
    assert "\n" not in str(refusal.value)


@given(data=st.data())
def test_a_damaged_template_drafts_or_is_refused_in_one_line(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from((HYBRID, METER)))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    damaged = (
        text[:start] + data.draw(st.sampled_from(("", "- ", "x: ", "\n", "{{- end }}", "{{", "#", "[]"))) + text[end:]
    )
    assert "\n" not in _refusal(damaged)


def _refusal(text: str) -> str:
    try:
        draft_map(read_template(text, name="t.yaml"), source="t.yaml")
    except MapError as refusal:
        return str(refusal)
    return ""
