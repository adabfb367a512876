"""SML telegrams of an optical head: read whole, refused when anything about them is wrong."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.telegrams.meter_values import TelegramError
from edge_agent.devices.telegrams.sml import MAX_WAITING_BYTES, SmlStream
from tests.edge_agent.devices.telegrams.telegram_texts import sml_telegram

METER = [("1.8.0", 30, -1, 123456789), ("2.8.0", 30, -1, 55), ("16.7.0", 27, 0, -1193), ("32.7.0", 35, -1, 2309)]


def test_a_telegram_gives_counters_power_and_voltage() -> None:
    [found] = SmlStream().add(sml_telegram(METER))
    assert found.energy_wh("1") == Decimal("12345678.9")
    assert found.energy_wh("2") == Decimal("5.5")
    assert found.power_w() == Decimal(-1193)
    assert found.values["32.7.0"] == Decimal("230.9")


def test_a_code_in_a_foreign_unit_is_not_taken() -> None:
    [found] = SmlStream().add(sml_telegram([("1.8.0", 27, 0, 5), ("16.7.0", 27, 0, 7)]))
    assert found.energy_wh("1") is None
    assert found.power_w() == Decimal(7)


@given(place=st.integers(8, len(sml_telegram(METER)) - 9), mask=st.integers(1, 255))
def test_no_changed_byte_is_believed(place: int, mask: int) -> None:
    telegram = bytearray(sml_telegram(METER))
    telegram[place] ^= mask
    try:
        found = SmlStream().add(bytes(telegram))
    except TelegramError:
        return
    assert found == []


@given(data=st.binary(max_size=200))
def test_garbage_is_refused_in_one_way_only(data: bytes) -> None:
    with suppress(TelegramError):
        assert SmlStream().add(b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + data) == []


def test_a_stream_without_an_end_is_bounded() -> None:
    stream = SmlStream()
    stream.add(b"x" * MAX_WAITING_BYTES)
    with pytest.raises(TelegramError, match="no telegram ends within"):
        stream.add(b"x")
    assert len(stream.add(sml_telegram(METER))) == 1


def test_a_meter_that_is_locked_says_so() -> None:
    with pytest.raises(TelegramError, match="PIN"):
        SmlStream().add(sml_telegram([("96.1.0", 255, 0, 1)]))
