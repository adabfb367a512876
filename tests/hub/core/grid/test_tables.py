"""Tables of grid operators: exact numbers in both styles, columns by any known name, refusals in one line."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.grid.tables import (
    MAX_CELL_CHARS,
    MAX_FILE_BYTES,
    PPM,
    GridFileError,
    decode,
    find_column,
    read_micro,
    read_table,
    require_column,
    translate,
    write_micro,
)

bounded = settings(deadline=None, derandomize=True, max_examples=200)


@given(st.integers(0, 10**12 * PPM - 1), st.sampled_from([",", "."]))
@bounded
def test_a_written_number_is_read_back_exactly(millionths: int, sign: str) -> None:
    text = write_micro(millionths, sign)
    assert Decimal(text.replace(",", ".")) * PPM == millionths
    assert read_micro(text, "line 2") == (millionths, sign)


@pytest.mark.parametrize(
    ("text", "millionths", "sign"),
    [
        ("0", 0, ""),
        ("12", 12_000_000, ""),
        ("0,5", 500_000, ","),
        ("0.000001", 1, "."),
        ("1.2500000000", 1_250_000, "."),
        ("007,1", 7_100_000, ","),
    ],
)
def test_numbers_as_people_write_them(text: str, millionths: int, sign: str) -> None:
    assert read_micro(text, "line 2") == (millionths, sign)


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1e3", "1.234,5", "1 000", "0,1234567", ".5", "5.", "NaN", "١", "1\n"]
)
def test_what_is_not_such_a_number_is_refused(text: str) -> None:
    with pytest.raises(GridFileError, match=r"line 9: .* is not a number from 0") as refused:
        read_micro(text, "line 9")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_rows_come_with_their_line_numbers_and_without_spaces(delimiter: str) -> None:
    content = f'\ufeffPoint{delimiter}kWh \n\n p1 {delimiter}"0.5"\n\np2{delimiter}\n'.encode()
    header, rows = read_table(content)
    assert header == ["point", "kwh"]
    assert list(rows) == [(3, ["p1", "0.5"]), (5, ["p2", ""])]


def test_the_delimiter_is_the_one_that_the_header_has_most() -> None:
    header, rows = read_table(b"a;b;c,d\n1;2;3,4\n")
    assert (header, list(rows)) == (["a", "b", "c,d"], [(2, ["1", "2", "3,4"])])


def test_a_long_cell_is_cut() -> None:
    _, rows = read_table(b"a;b\n" + b"x" * (MAX_CELL_CHARS + 5) + b";1\n")
    assert [len(cells[0]) for _, cells in rows] == [MAX_CELL_CHARS]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1 is not a header"),
        (b"point\n1\n", "line 1 is not a header"),
        (b"a;b\n1\n", "line 2 has 1 columns, not 2"),
        (b"a;b\n1;2;3\n", "line 2 has 3 columns, not 2"),
        (b'a;b\n1;"2\n', "cannot be read as a row"),
        (b"a;b\n\xff;2\n", r"not UTF-8 text \(byte 4\); save it as CSV UTF-8"),
        (b"a;b\n\0;2\n", "not text: it contains zero bytes"),
    ],
)
def test_wrong_tables_are_refused_in_one_line(content: bytes, reason: str) -> None:
    with pytest.raises(GridFileError, match=reason) as refused:
        list(read_table(content)[1])
    assert "\n" not in str(refused.value)


def test_a_file_of_the_greatest_size_is_text_and_a_larger_one_is_refused() -> None:
    assert len(decode(b"x" * MAX_FILE_BYTES)) == MAX_FILE_BYTES
    with pytest.raises(GridFileError, match="larger than 64 MiB: split it by month"):
        decode(b"x" * (MAX_FILE_BYTES + 1))


def test_a_column_is_found_by_any_of_its_names_once() -> None:
    names = frozenset({"point", "cups"})
    assert find_column(["from", "cups"], names) == 1
    assert find_column(["from", "kwh"], names) is None
    assert require_column(["point", "kwh"], names, "the metering point") == 0
    with pytest.raises(GridFileError, match="two columns mean the same: 'point' and 'cups'"):
        find_column(["point", "cups"], names)
    with pytest.raises(GridFileError, match="no column for the metering point; name it one of: cups, point"):
        require_column(["from", "kwh"], names, "the metering point")


def test_a_text_is_translated_in_any_case_and_an_unknown_one_is_refused_with_the_known_ones() -> None:
    words = {"bezug": "consumption", "export": "generation"}
    assert translate("BEZUG", words, where="line 2") == "consumption"
    with pytest.raises(GridFileError, match="line 2: 'x' is not one of bezug, export"):
        translate("x", words, where="line 2")
