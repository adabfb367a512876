"""i-DE's coefficient file: exact sums whatever the weights, all faults named at once, CUPS as python-stdnum sees."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.es import cups as stdnum_cups

from hub.core.grid.spain import (
    CHECK_LETTERS,
    ONE_PPM,
    CoefficientFileError,
    cups_fault,
    file_name,
    read_coefficients,
    write_coefficients,
)
from hub.core.grid.tables import GridFileError


def cups_of(number: int) -> str:
    digits = f"{number:016d}"
    high, low = divmod(int(digits) % 529, 23)
    return f"ES{digits}{CHECK_LETTERS[high]}{CHECK_LETTERS[low]}0F"


A, B, C = cups_of(31300325733001), cups_of(31300325733002), cups_of(31300325733003)
CAU = A + "A000"
NAME = f"{CAU}_2026.txt"
cups = st.integers(0, 10**16 - 1).map(cups_of)
weights = st.dictionaries(cups, st.integers(0, 10**12), min_size=1, max_size=40).filter(
    lambda table: any(table.values())
)


@given(weights)
def test_written_coefficients_add_up_to_one_and_read_back(table: Mapping[str, int]) -> None:
    name, content = write_coefficients(CAU, 2026, weights=table)
    read = read_coefficients(name, content, cau=CAU, known=set(table))
    assert sum(read.coefficients_ppm.values()) == ONE_PPM
    assert set(read.coefficients_ppm) == set(table)
    assert (read.cau, read.year) == (CAU, 2026)
    total = sum(table.values())
    for point, ppm in read.coefficients_ppm.items():
        assert abs(ppm * total - ONE_PPM * table[point]) < total, "less than a millionth from the exact share"
    assert content.endswith(b"\n")
    assert b"\r" not in content
    assert all(len(line) == 22 + 1 + 8 for line in content.decode().splitlines())


def test_equal_thirds() -> None:
    name, content = write_coefficients(CAU, 2026, weights={C: 1, A: 1, B: 1})
    assert name == "ES0031300325733001FH0FA000_2026.txt"
    assert content.decode() == f"{A};0,333334\n{B};0,333333\n{C};0,333333\n"


GOOD = f"{A};0,250000\n{B};0,750000\n"


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        ("file_name", "coefficients.txt", GOOD),
        ("file_name", NAME.replace(".txt", ".csv"), GOOD),
        ("cau", f"{B}A000_2026.txt", GOOD),
        ("decimal_comma", NAME, GOOD.replace("0,25", "0.25")),
        ("six_decimals", NAME, GOOD.replace("0,250000", "0,25")),
        ("cups_length", NAME, GOOD.replace(A, A[:20])),
        ("cups_check", NAME, GOOD.replace(A, A[:17] + "9" + A[18:])),
        ("cups_twice", NAME, GOOD.replace(B, A)),
        ("cups_unknown", NAME, GOOD.replace(B, C)),
        ("sum", NAME, GOOD.replace("0,250000", "0,250001")),
        ("sum", NAME, ""),
        ("line", NAME, GOOD + "\n"),
        ("line", NAME, GOOD + "a;b;c\n"),
    ],
)
def test_every_rule_is_checked(rule: str, name: str, text: str) -> None:
    with pytest.raises(CoefficientFileError) as refused:
        read_coefficients(name, text.encode(), cau=CAU, known={A, B})
    assert rule in {problem.rule for problem in refused.value.problems}
    assert "\n" not in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = f"{A};0.5\n{B};0,5\n{B};0,100000\nX;0,100000\n"
    with pytest.raises(CoefficientFileError) as refused:
        read_coefficients(NAME, text.encode(), cau=CAU, known={A})
    assert [(problem.rule, problem.line) for problem in refused.value.problems] == [
        ("decimal_comma", 1),
        ("six_decimals", 2),
        ("cups_unknown", 2),
        ("cups_unknown", 3),
        ("cups_length", 4),
        ("cups_unknown", 4),
        ("cups_twice", None),
        ("sum", None),
    ]


def test_a_file_with_windows_line_ends_and_a_mark_is_read() -> None:
    read = read_coefficients(NAME, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read.coefficients_ppm == {A: 250_000, B: 750_000}


@given(st.one_of(cups, st.text(max_size=24), cups.map(lambda one: one[:18] + "AA0F")))
def test_cups_as_stdnum_sees_them(text: str) -> None:
    if len(text) == 22 and text.isascii() and text == text.upper() and text.isalnum():
        assert (cups_fault(text) == "") == stdnum_cups.is_valid(text)
    else:
        assert cups_fault(text)


@pytest.mark.parametrize(
    "table",
    [{}, {A: 0}, {A: -1}, {A: True}, {A[:20]: 1}, {"x\ny": 1}],
)
def test_weights_that_make_no_file(table: Mapping[str, int]) -> None:
    with pytest.raises(GridFileError) as refused:
        write_coefficients(CAU, 2026, weights=table)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("cau", "year"), [("", 2026), (A, 2026), (CAU, 26), (CAU[:-1] + "x", 2026)])
def test_names_that_are_none(cau: str, year: int) -> None:
    with pytest.raises(GridFileError):
        file_name(cau, year)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(GridFileError) as refused:
        read_coefficients(NAME, content)
    assert "\n" not in str(refused.value)
