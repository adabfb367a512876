"""The notice of a home's settled days: exact both ways, one size whatever it says, and anything else refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.credits.notices import (
    MAX_DAY_SLOTS,
    MAX_DAYS,
    MAX_ENERGY_WH,
    CreditDay,
    CreditsNotice,
    decode_credits,
    encode_credits,
)
from protocols.wire.field_checks import MAX_SECONDS
from protocols.wire.padding import encode_padded
from protocols.wire.refusal_reasons import WireError
from tests.protocols.wire.wire_samples import IDS

DAY = CreditDay(1_994_592, 96, False, 3210, 1040, 5000, 700)
NEXT_DAY = replace(DAY, first_slot=DAY.first_slot + DAY.slots)
NOTICE = CreditsNotice("a-4k2f9c1d", NEXT_DAY.end_s, (DAY, NEXT_DAY))
ROW = [1_994_592, 96, 0, 3210, 1040, 5000, 700]
ENERGIES = st.integers(0, 50_000) | st.integers(0, MAX_ENERGY_WH)


@st.composite
def notices(draw: st.DrawFn) -> CreditsNotice:
    days, first = [], draw(st.integers(0, 2_000_000))
    for _ in range(draw(st.integers(1, MAX_DAYS))):
        slots = draw(st.integers(1, MAX_DAY_SLOTS))
        days.append(CreditDay(first, slots, draw(st.booleans()), *(draw(ENERGIES) for _ in range(4))))
        first += slots + draw(st.sampled_from([0, 0, 96]))
    return CreditsNotice(draw(IDS), draw(st.integers(days[-1].end_s, MAX_SECONDS)), tuple(days))


@given(notices())
def test_a_notice_comes_back_as_it_was(notice: CreditsNotice) -> None:
    data = encode_credits(notice)
    assert decode_credits(data) == notice
    assert len(data) == 426, "the smallest class of sizes, whatever it says"


def test_the_longest_notice_is_no_larger_than_the_shortest() -> None:
    days = [CreditDay(MAX_SECONDS // 900 - 96 * at, 96, True, *[MAX_ENERGY_WH] * 4) for at in range(MAX_DAYS, 0, -1)]
    assert len(encode_credits(CreditsNotice("a" * 32, MAX_SECONDS, tuple(days)))) == 426


@pytest.mark.parametrize(
    "fields",
    [
        {1: 2, 2: "a", 3: 2**31, 4: [ROW]},
        {1: 1, 2: "A", 3: 2**31, 4: [ROW]},
        {1: 1, 2: "a", 3: 2**41, 4: [ROW]},
        {1: 1, 2: "a", 3: 2**31, 4: []},
        {1: 1, 2: "a", 3: 2**31, 4: [[*ROW[:6]]]},
        {1: 1, 2: "a", 3: 2**31, 4: [[*ROW, 0]]},
        {1: 1, 2: "a", 3: 2**31, 4: [ROW, ROW]},
        {1: 1, 2: "a", 3: 2**31, 4: [[1_994_593, *ROW[1:]], ROW]},
        {1: 1, 2: "a", 3: 2**31, 4: [[1_000 * at, *ROW[1:]] for at in range(MAX_DAYS + 1)]},
        {1: 1, 2: "a", 3: 2**31, 4: [[-1, *ROW[1:]]]},
        {1: 1, 2: "a", 3: 2**31, 4: [[ROW[0], 0, *ROW[2:]]]},
        {1: 1, 2: "a", 3: 2**31, 4: [[ROW[0], MAX_DAY_SLOTS + 1, *ROW[2:]]]},
        {1: 1, 2: "a", 3: 2**31, 4: [[*ROW[:2], 2, *ROW[3:]]]},
        {1: 1, 2: "a", 3: 2**31, 4: [[*ROW[:6], -1]]},
        {1: 1, 2: "a", 3: 2**31, 4: [[*ROW[:3], MAX_ENERGY_WH + 1, *ROW[4:]]]},
        {1: 1, 2: "a", 3: 2**31, 4: [[*ROW[:3], None, *ROW[4:]]]},
        {1: 1, 2: "a", 3: 2**31, 4: [[*ROW[:3], "1", *ROW[4:]]]},
        {1: 1, 2: "a", 3: DAY.end_s - 1, 4: [ROW]},
        {1: 1, 2: "a", 3: 2**31},
        {1: 1, 2: "a", 3: 2**31, 4: [ROW], 5: 0},
    ],
)
def test_what_no_hub_writes_is_refused(fields: dict[int, object]) -> None:
    with pytest.raises(WireError):
        decode_credits(encode_padded(fields))


@given(st.binary(max_size=600) | notices().map(encode_credits), st.integers(0, 425), st.integers(0, 255))
def test_any_other_bytes_are_refused_or_mean_one_notice(data: bytes, at: int, changed: int) -> None:
    damaged = data[:at] + bytes([changed]) + data[at + 1 :]
    try:
        notice = decode_credits(damaged)
    except WireError:
        return
    assert encode_credits(notice) == damaged


@pytest.mark.parametrize(
    "broken",
    [
        replace(NOTICE, agent="My Agent"),
        replace(NOTICE, at=NOTICE.at - 1),
        replace(NOTICE, days=()),
        replace(NOTICE, days=(DAY, DAY)),
        replace(NOTICE, days=(replace(DAY, given_wh=-1),)),
        replace(NOTICE, days=(replace(DAY, slots=0),)),
    ],
)
def test_a_notice_that_breaks_a_rule_is_not_signed(broken: CreditsNotice) -> None:
    with pytest.raises(WireError):
        encode_credits(broken)
