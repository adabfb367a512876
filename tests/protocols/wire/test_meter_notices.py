"""The notice of a grid meter: exact both ways, codes that never move, and anything else refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.meter_notices import (
    METROLOGIES,
    NETTING_TIMES,
    PHASES,
    QUALITIES,
    MeterNotice,
    decode_meter,
    encode_meter,
)
from protocols.wire.padding import encode_padded
from protocols.wire.refusal_reasons import WireError

NOTICE = MeterNotice("a-4k2f9c1d", 1_780_000_000, 1_977_777, "bronze", "separate", "netted", True, "none")


@given(
    st.builds(
        MeterNotice,
        st.just("a-4k2f9c1d"),
        st.integers(0, 2**40),
        st.integers(0, 2**32 - 1),
        st.sampled_from(QUALITIES),
        st.sampled_from(PHASES),
        st.sampled_from(PHASES),
        st.booleans(),
        st.sampled_from(METROLOGIES),
        st.sampled_from(NETTING_TIMES),
        st.integers(0, 10_000),
        st.integers(0, 100),
        st.integers(1_000, 10**10),
    )
)
def test_a_notice_comes_back_as_it_was(notice: MeterNotice) -> None:
    data = encode_meter(notice)
    assert decode_meter(data) == notice
    assert len(data) == 426, "the smallest class of sizes, whatever it says"


def test_the_codes_stay_where_they_are() -> None:
    assert QUALITIES == ("bronze", "silver", "gold", "released")
    assert PHASES == ("netted", "separate", "single", "unknown", "legal")
    assert METROLOGIES[:3] == ("MID A", "MID B", "MID C")
    assert METROLOGIES[-2:] == ("none", "unknown")
    assert len(METROLOGIES) == 12
    assert NETTING_TIMES == ("none", "15min", "60min", "unknown")


def test_the_first_version_says_neither_netting_nor_error() -> None:
    first = {1: 1, 2: "a", 3: 0, 4: 0, 5: 0, 6: 1, 7: 0, 8: 1, 9: 10}
    found = decode_meter(encode_padded(first))
    assert (found.netting, found.has_bound) == ("unknown", False)
    newer = {**first, 1: 2, 10: 2, 11: 50, 12: 10}
    found = decode_meter(encode_padded(newer))
    assert (found.netting, found.within_wh, found.within_percent) == ("60min", 50, 10)


@pytest.mark.parametrize(
    "fields",
    [
        {1: 2, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0},
        {1: 1, 2: "A", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0},
        {1: 1, 2: "a", 3: 0, 4: -1, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0},
        {1: 1, 2: "a", 3: 0, 4: 0, 5: 4, 6: 0, 7: 0, 8: 0, 9: 0},
        {1: 1, 2: "a", 3: 0, 4: 0, 5: 0, 6: 5, 7: 0, 8: 0, 9: 0},
        {1: 1, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 2, 9: 0},
        {1: 1, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 12},
        {1: 1, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0},
        {1: 1, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0, 12: 0},
        {1: 2, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 4, 11: 0, 12: 0},
        {1: 2, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 10_001, 12: 0},
        {1: 2, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0, 12: 101},
        {1: 2, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0, 12: 0, 13: 2_000_000},
        {1: 3, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0, 12: 0},
        {1: 3, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0, 12: 0, 13: 1_000_000},
        {1: 3, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0, 12: 0, 13: 999},
        {1: 3, 2: "a", 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0, 12: 0, 13: 10**10 + 1},
    ],
)
def test_what_no_agent_writes_is_refused(fields: dict[int, object]) -> None:
    with pytest.raises(WireError):
        decode_meter(encode_padded(fields))


def test_without_a_factor_it_is_told_as_hubs_of_before_read_it() -> None:
    """A hub that does not know the factor would refuse the notice and go on with the one before."""
    assert b"\x01\x02\x02" in encode_meter(NOTICE)[:4], "version 2"
    told = encode_meter(replace(NOTICE, factor_millionths=40_000_000))
    assert b"\x01\x03\x02" in told[:4]
    assert decode_meter(told).factor_millionths == 40_000_000
    plain = {1: 2, 2: "a", 3: 0, 4: 0, 5: 0, 6: 1, 7: 0, 8: 1, 9: 10, 10: 2, 11: 50, 12: 10}
    assert decode_meter(encode_padded(plain)).factor_millionths == 1_000_000


def test_a_notice_that_breaks_a_rule_is_not_signed() -> None:
    with pytest.raises(WireError):
        encode_meter(replace(NOTICE, agent="My Agent"))
    with pytest.raises(WireError):
        encode_meter(replace(NOTICE, from_slot=2**32))
