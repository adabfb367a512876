"""Words to values and back: exact numbers, marks for not available, text, and what must be refused."""

import math
import struct
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocols.maps.registers import (
    EXACT,
    RegisterError,
    RegisterType,
    WordOrder,
    decode,
    encode,
    parse_sentinel,
    register_type,
    resolution,
    scale_from_power,
    shortest,
)

INTEGERS = ["uint16", "int16", "uint32", "int32", "uint64", "int64", "acc16", "acc32", "acc64", "enum16", "enum32",
            "bits16", "bits32"]  # fmt: skip
orders = st.sampled_from(["HL", "LH"])
scales = st.sampled_from([Decimal(text) for text in ("1", "0.1", "0.001", "10", "-0.01", "0.0054931640625", "1000")])
words4 = st.lists(st.integers(0, 0xFFFF), min_size=4, max_size=4)


@given(name=st.sampled_from([*INTEGERS, "fixed16_16"]), words=words4, order=orders, scale=scales)
def test_number_words_survive_decoding_and_encoding(
    name: str, words: list[int], order: WordOrder, scale: Decimal
) -> None:
    rtype = register_type(name)
    given_words = words[: rtype.words]
    value = decode(given_words, rtype, word_order=order, scale=scale)
    assert encode(value, rtype, word_order=order, scale=scale) == tuple(given_words)


@given(number=st.floats(width=32, allow_nan=False, allow_infinity=False), order=orders, scale=scales)
def test_float32_decodes_to_exactly_the_float_and_back(number: float, order: WordOrder, scale: Decimal) -> None:
    rtype = register_type("float32")
    words = struct.unpack(">HH", struct.pack(">f", number + 0.0))
    value = decode(words if order == "HL" else words[::-1], rtype, word_order=order)
    assert value == Decimal(number)
    scaled = decode(words, rtype, scale=scale)
    assert encode(scaled, rtype, scale=scale) == words


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_float64_decodes_to_exactly_the_float_and_back(number: float) -> None:
    rtype = register_type("float64")
    words = struct.unpack(">4H", struct.pack(">d", number + 0.0))
    assert decode(words, rtype) == Decimal(number)
    assert encode(Decimal(number), rtype) == words


@given(value=st.integers(-(2**31), 2**31 - 1), order=orders)
def test_signed_values_are_twos_complement(value: int, order: WordOrder) -> None:
    words = struct.unpack(">HH", struct.pack(">i", value))
    assert decode(words if order == "HL" else words[::-1], register_type("int32"), word_order=order) == value


@given(text=st.text(min_size=1, max_size=10).filter(lambda text: text.isprintable() and text == text.rstrip(" ")))
def test_text_survives(text: str) -> None:
    rtype = register_type("string20")
    assert decode(encode(text, rtype), rtype) == text


@given(power=st.integers(-32768, 32767))
def test_scale_factor_is_a_power_of_ten_between_minus_ten_and_ten(power: int) -> None:
    scale = scale_from_power(power & 0xFFFF)
    assert scale == (Decimal(10) ** power if -10 <= power <= 10 else None)
    assert decode([power & 0xFFFF], register_type("sunssf")) == (power if scale is not None else None)


@pytest.mark.parametrize(
    ("name", "words", "mark"),
    [
        ("int16", [0x8000], "0x8000"),
        ("uint16", [0xFFFF], "0xFFFF"),
        ("enum32", [0x00FF, 0xFFFD], "0x00FFFFFD"),
        ("int32", [0x7FFF, 0xFFFF], "0x7FFFFFFF"),
        ("uint64", [0xFFFF] * 4, "0xFFFFFFFFFFFFFFFF"),
        ("float32", [0xFF7F, 0xFFFF], "-FLT_MAX"),
        ("float32", [0x7F7F, 0xFFFF], "FLT_MAX"),
        ("float32", [0x7FC0, 0x0000], "NaN"),
        ("int32", [0x7FFF, 0xFFFF], "high word 0x7FFF"),
        ("int64", [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF], "high word 0x7FFF"),
    ],
)
def test_mark_reads_as_none_and_none_writes_the_mark(name: str, words: list[int], mark: str) -> None:
    rtype = register_type(name)
    sentinels = (parse_sentinel(mark, rtype),)
    assert decode(words, rtype, sentinels=sentinels) is None
    assert encode(None, rtype, sentinels=sentinels) == tuple(words)
    swapped = words[::-1]
    assert decode(swapped, rtype, word_order="LH", sentinels=sentinels) is None


@pytest.mark.parametrize("low", [0, 1, 0x1234, 0xFFFE])
def test_high_word_mark_ignores_the_words_below(low: int) -> None:
    rtype = register_type("int32")
    sentinels = (parse_sentinel("high word 0x7FFF", rtype),)
    assert decode([low, 0x7FFF], rtype, word_order="LH", sentinels=sentinels) is None
    assert decode([0xFFFF, 0xFFFF], rtype, word_order="LH", sentinels=sentinels) == -1


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_not_finite_floats_are_never_values(number: float) -> None:
    assert decode(struct.unpack(">HH", struct.pack(">f", number)), register_type("float32")) is None
    assert decode(struct.unpack(">4H", struct.pack(">d", number)), register_type("float64")) is None


def test_fixed_point_multiplier_is_whole_and_65536th_parts() -> None:
    assert decode([180, 0x4000], register_type("fixed16_16")) == Decimal("180.25")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([0x4142, 0x4320], "ABC"),
        ([0x4142, 0x0043], "AB"),
        ([0x0000, 0x0000], None),
        ([0x2020, 0x2020], None),
        ([0xFFFF, 0xFFFF], None),
        ([0x410A, 0x1B5B], "A\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}["),
        ([0x41FF, 0x4242], "A\N{REPLACEMENT CHARACTER}BB"),
    ],
)
def test_text_from_a_device_is_trimmed_and_printable(words: list[int], text: str | None) -> None:
    assert decode(words, register_type("string2")) == text


@given(name=st.sampled_from(["uint16", "int16", "uint32", "int32"]), value=st.integers(-(2**40), 2**40))
def test_a_number_that_does_not_fit_is_refused(name: str, value: int) -> None:
    rtype = register_type(name)
    low, high = (
        (0, 2**rtype.bits - 1) if rtype.kind == "unsigned" else (-(2 ** (rtype.bits - 1)), 2 ** (rtype.bits - 1) - 1)
    )
    assume(not low <= value <= high)
    with pytest.raises(RegisterError, match="does not fit"):
        encode(Decimal(value), rtype)


def test_encoding_refuses_what_would_read_back_as_not_available() -> None:
    rtype = register_type("int16")
    with pytest.raises(RegisterError, match="read back as not available"):
        encode(Decimal(-32768), rtype, sentinels=(parse_sentinel("0x8000", rtype),))
    with pytest.raises(RegisterError, match="cannot say not available"):
        encode(None, rtype)


@pytest.mark.parametrize("name", ["uint8", "string0", "string", "float16", "", "string100"])
def test_unknown_types_are_refused(name: str) -> None:
    with pytest.raises(RegisterError, match="unknown type"):
        register_type(name)


@pytest.mark.parametrize(
    ("name", "mark"), [("uint16", "NaN"), ("uint16", "0x10000"), ("int16", "none"), ("float64", "-FLT_MAX")]
)
def test_marks_that_do_not_fit_the_type_are_refused(name: str, mark: str) -> None:
    with pytest.raises(RegisterError, match="sentinel"):
        parse_sentinel(mark, register_type(name))


def test_wrong_number_of_words_and_words_out_of_range_are_refused() -> None:
    with pytest.raises(RegisterError, match="needs 2 words, found 1"):
        decode([1], register_type("uint32"))
    with pytest.raises(RegisterError, match=r"0\.\.65535"):
        decode([70000], register_type("uint16"))
    with pytest.raises(RegisterError, match="holds text"):
        encode(Decimal(1), register_type("string2"))
    with pytest.raises(RegisterError, match="does not fit string1"):
        encode("abc", register_type("string1"))


def test_resolution_of_integers_is_the_scale_and_of_floats_grows_with_the_value() -> None:
    kwh = Decimal("0.01")
    assert resolution(register_type("uint32"), kwh, Decimal(5000)) == kwh
    float32 = register_type("float32")
    assert resolution(float32, Decimal(1), Decimal(2**24 - 1)) == 1
    assert resolution(float32, Decimal(1), Decimal(2**24)) == 2
    assert resolution(float32, Decimal(1), Decimal(2**25)) == 4


@given(bits=st.integers(0x00800000, 0x7F7FFFFE))
def test_float32_resolution_is_the_distance_to_the_next_float(bits: int) -> None:
    rtype = register_type("float32")
    here, after = (_decoded(value, rtype) for value in (bits, bits + 1))
    assert EXACT.subtract(after, here) == resolution(rtype, Decimal(1), here)


def _decoded(bits: int, rtype: RegisterType) -> Decimal:
    value = decode([bits >> 16, bits & 0xFFFF], rtype)
    assert isinstance(value, Decimal)
    return value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(["1", "0.1", "1000"]))
def test_the_shortest_number_is_the_same_float_with_fewest_digits(number: float, scale: str) -> None:
    rtype, factor = register_type("float32"), Decimal(scale)
    words = encode(EXACT.multiply(Decimal(number), factor), rtype, scale=factor)
    exact = decode(words, rtype, scale=factor)
    assert isinstance(exact, Decimal)
    short = shortest(exact, rtype, factor)
    assert encode(short, rtype, scale=factor) == words
    assert len(EXACT.divide(short, factor).as_tuple().digits) <= 9


def test_shortest_numbers_are_those_people_wrote() -> None:
    float32, float64 = register_type("float32"), register_type("float64")
    for written in ("229.6", "0.98", "-1244", "0", "1276197.1", "16777216", "3.4028235E+38", "1E-45"):
        held = decode(encode(Decimal(written), float32), float32)
        assert isinstance(held, Decimal)
        assert shortest(held, float32) == Decimal(written)
    assert shortest(Decimal.from_float(0.1), float64) == Decimal("0.1")
    assert shortest(Decimal("12.340"), register_type("uint16"), Decimal("0.001")) == Decimal("12.34")
