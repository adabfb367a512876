"""What was told at the broker: numbers in their units, nothing kept, nothing old, nothing that is no number."""

from decimal import Decimal

import pytest

from edge_agent.devices.broker_values.told_values import ToldValues, read_number
from edge_agent.sections.broker_values import BrokerValues, ValueTopic

IN, OUT, POWER = (
    ValueTopic("import", "in", Decimal(1000)),
    ValueTopic("export", "out", Decimal(1)),
    ValueTopic("power", "w", Decimal(1)),
)
METER = BrokerValues((IN, OUT, POWER), max_age_s=30)


@pytest.mark.parametrize(
    ("payload", "place", "wh"),
    [
        (b"12.5", "", "12500"),
        (b" 0.001\n", "", "1"),
        (b'{"ENERGY": {"Total": 7.25}}', "ENERGY.Total", "7250"),
        (b'{"a": "3"}', "a", "3000"),
        (b'{"a": 4}', "a", "4000"),
    ],
)
def test_a_number_in_its_unit(payload: bytes, place: str, wh: str) -> None:
    assert read_number(payload, ValueTopic("import", "in", Decimal(1000), place)) == Decimal(wh)


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        (b"unavailable", ""),
        (b"", ""),
        (b"\xff", ""),
        (b"NaN", ""),
        (b"Infinity", ""),
        (b"1e999999", ""),
        (b"true", ""),
        (b'{"a": true}', "a"),
        (b'{"a": NaN}', "a"),
        (b'{"a": [1]}', "a"),
        (b'{"b": 1}', "a"),
        (b"[1]", "a"),
        (b"1", "a"),
        (b"[" * 10_000, "a"),
        (b"9" * 5000, "a"),
    ],
)
def test_what_is_no_number_is_none(payload: bytes, place: str) -> None:
    assert read_number(payload, ValueTopic("import", "in", Decimal(1000), place)) is None


def test_what_the_broker_kept_is_never_a_value() -> None:
    told = ToldValues(METER)
    told.note("in", b"5", at_s=10.0, is_retained=True)
    assert (told.fresh(10.0), told.all_since(9.0)) == ({}, False)


def test_a_value_counts_until_it_is_too_old_or_taken_back() -> None:
    told = ToldValues(METER)
    for topic, payload in (("in", b"5"), ("out", b"70"), ("w", b"-900"), ("else", b"1")):
        told.note(topic, payload, at_s=10.0, is_retained=False)
    assert told.all_since(9.9)
    assert not told.all_since(10.0)
    assert told.fresh(40.0) == {"import": 5000, "export": 70, "power": -900}
    assert told.fresh(40.1) == {}
    told.note("in", b"unavailable", at_s=11.0, is_retained=False)
    assert "import" not in told.fresh(12.0)


def test_the_registers_are_those_of_the_map() -> None:
    told = ToldValues(METER)
    told.note("in", b"1.00001", at_s=0.0, is_retained=False)
    told.note("w", b"-2000", at_s=0.0, is_retained=False)
    words = told.words(1.0)
    assert words[0:4] == [0, 0, 0, 10_000]
    assert words[4:8] == [0xFFFF] * 4
    assert words[8:10] == [0xFFFF, 0xB1E0]
    assert words[14:16] == words[24:26] == [0x8000, 0]
