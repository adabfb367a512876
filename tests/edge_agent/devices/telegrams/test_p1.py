"""Telegrams of a P1 port: read whole, refused when anything about them is wrong."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.telegrams.meter_values import TelegramError
from edge_agent.devices.telegrams.p1 import MAX_TELEGRAM_BYTES, P1Stream, read_telegram
from tests.edge_agent.devices.telegrams.telegram_texts import LINES, p1_telegram


def test_a_telegram_gives_totals_over_tariffs_and_signed_power() -> None:
    found = read_telegram(p1_telegram())
    assert found.energy_wh("1") == Decimal(3580245)
    assert found.energy_wh("2") == Decimal("42003")
    assert found.power_w() == Decimal(-1193)
    assert found.power_w("1") == Decimal(-1193)
    assert found.power_w("2") is None
    assert found.serial == "E0034001"


def test_a_total_of_its_own_is_preferred_and_one_tariff_alone_is_no_total() -> None:
    with_total = read_telegram(p1_telegram([*LINES, "1-0:1.8.0(009999.000*kWh)"]))
    assert with_total.energy_wh("1") == Decimal(9999000)
    without = read_telegram(p1_telegram([line for line in LINES if "1.8.2" not in line]))
    assert without.energy_wh("1") is None


@given(place=st.integers(0, len(p1_telegram()) - 8), mask=st.integers(1, 255))
def test_no_changed_byte_is_believed(place: int, mask: int) -> None:
    telegram = bytearray(p1_telegram())
    telegram[place] ^= mask
    try:
        found = P1Stream().add(bytes(telegram))
    except TelegramError:
        return
    assert found == []


@given(cuts=st.lists(st.integers(0, 2 * len(p1_telegram())), max_size=6))
def test_telegrams_come_out_whole_however_the_bytes_arrive(cuts: list[int]) -> None:
    data = b"9*kWh)\r\n!1234\r\n" + p1_telegram() + p1_telegram()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    stream = P1Stream()
    found = [each for start, end in pairwise(edges) for each in stream.add(data[start:end])]
    assert [each.energy_wh("1") for each in found] == [Decimal(3580245)] * 2


@pytest.mark.parametrize(
    ("telegram", "words"),
    [
        (p1_telegram().rpartition(b"!")[0] + b"!\r\n", "without a checksum"),
        (p1_telegram().rpartition(b"!")[0] + b"!0000\r\n", "checksum is wrong"),
        (p1_telegram([*LINES, "1-0:1.8.1(001234.567*kWh)"]), "states 1.8.1 twice"),
        (bytes((0xDB, 0x08)) + b"SAGgpd" * 20, "encrypts its telegrams"),
        (b"/ISK5\r\n" + b"x" * MAX_TELEGRAM_BYTES, "no telegram ends within"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(telegram: bytes, words: str) -> None:
    with pytest.raises(TelegramError, match=words):
        P1Stream().add(telegram)


def test_a_broken_telegram_does_not_spoil_the_next() -> None:
    stream = P1Stream()
    with pytest.raises(TelegramError):
        stream.add(p1_telegram().replace(b"001234", b"001235"))
    assert len(stream.add(p1_telegram())) == 1
