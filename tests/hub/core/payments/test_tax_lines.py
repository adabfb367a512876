"""Tax lines: rounded once for each rate, half a cent up; reverse charge is shown and not charged."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.payments.tax_lines import PPM, BillLine, add_up, tax_cent

bounded = settings(deadline=None, derandomize=True, max_examples=200)


def test_tax_is_rounded_once_for_each_rate_and_reverse_charge_is_owed_by_the_recipient() -> None:
    lines = [BillLine("received", 8, 200_000), BillLine("fee", 5, 200_000), BillLine("book", 333, 100_000)]
    summed: Any = add_up(lines)
    assert [(tax["rate_ppm"], tax["net_cent"], tax["tax_cent"]) for tax in summed["taxes"]] == [
        (100_000, 333, 33),  # 33.3 cents
        (200_000, 13, 3),  # 2.6 cents; line by line it would be 2 and 1
    ]
    assert (summed["net_cent"], summed["tax_cent"], summed["gross_cent"]) == (346, 36, 382)
    reversed_: Any = add_up([BillLine("sold", 12_345, 190_000, reverse_charge=True)])
    assert (reversed_["tax_cent"], reversed_["gross_cent"]) == (0, 12_345)
    assert reversed_["taxes"][0]["tax_cent"] == 2_346  # 2345.55


def test_one_rate_with_and_without_reverse_charge_is_two_taxes() -> None:
    summed: Any = add_up([BillLine("a", 100, 200_000, reverse_charge=True), BillLine("b", 300, 200_000)])
    assert summed["taxes"] == [
        {"rate_ppm": 200_000, "reverse_charge": False, "net_cent": 300, "tax_cent": 60},
        {"rate_ppm": 200_000, "reverse_charge": True, "net_cent": 100, "tax_cent": 20},
    ]
    assert summed["gross_cent"] == 460


@pytest.mark.parametrize(("net", "rate"), [(-1, 0), (1, -1), (1, PPM + 1)])
def test_what_is_not_a_line_is_refused(net: int, rate: int) -> None:
    with pytest.raises(ValueError, match=r"x: .*(cannot be negative|not a tax rate)"):
        BillLine("x", net, rate)
    assert BillLine("x", 0, PPM).rate_ppm == PPM


@given(net=st.integers(0, 10**12), rate=st.integers(0, PPM))
@bounded
def test_tax_is_the_nearest_cent_and_half_a_cent_goes_up(net: int, rate: int) -> None:
    exact = net * rate
    assert -500_000 < tax_cent(net, rate) * PPM - exact <= 500_000


def test_half_a_cent_goes_up_and_less_goes_down() -> None:
    assert [tax_cent(net, 100_000) for net in (4, 5, 14, 15)] == [0, 1, 1, 2]


@given(
    st.lists(
        st.builds(BillLine, st.just("x"), st.integers(0, 10**9), st.sampled_from([0, 70_000, 190_000]), st.booleans())
    )
)
@bounded
def test_lines_taxes_and_sums_agree(lines: list[BillLine]) -> None:
    summed: Any = add_up(lines)
    assert sum(tax["net_cent"] for tax in summed["taxes"]) == summed["net_cent"] == sum(line.net_cent for line in lines)
    charged = sum(tax["tax_cent"] for tax in summed["taxes"] if not tax["reverse_charge"])
    assert (summed["tax_cent"], summed["gross_cent"]) == (charged, summed["net_cent"] + charged)
    assert summed["lines"] == [line.plain() for line in lines]
