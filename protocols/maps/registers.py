"""Converts 16-bit register words to values and back: types, word order, scale, marks for "not available".

Knows nothing about devices, addresses or requests; a device map says which words mean what.
"""

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Literal

from protocols.errors import InputError

_TEXT_TYPE = re.compile(r"string([1-9][0-9]?)\Z")

Value = Decimal | str | None
WordOrder = Literal["HL", "LH"]
ValueKind = Literal["unsigned", "signed", "float", "fixed", "text"]

# A float64 written out in decimal needs up to 767 digits; products of exact values stay exact at this precision.
EXACT = Context(prec=1200, traps=[Inexact, InvalidOperation, Overflow])
_ROUNDED = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])
_FIXED_POINT_STEP = Decimal(1) / 65536
_ONE = Decimal(1)
_FLT_MAX_BITS = 0x7F7FFFFF


class RegisterError(InputError):
    """Words, type and value do not fit together; the message says which of them."""


@dataclass(frozen=True, slots=True)
class RegisterType:
    """How one value is stored in its registers."""

    name: str
    kind: ValueKind
    words: int

    @property
    def bits(self) -> int:
        """Width of the whole value in bits."""
        return 16 * self.words


_WORDS_BY_KIND: dict[ValueKind, dict[str, int]] = {
    "unsigned": {
        "uint16": 1, "uint32": 2, "uint64": 4, "acc16": 1, "acc32": 2, "acc64": 4,
        "enum16": 1, "enum32": 2, "bits16": 1, "bits32": 2,
    },
    "signed": {"int16": 1, "int32": 2, "int64": 4, "sunssf": 1},
    "float": {"float32": 2, "float64": 4},
    "fixed": {"fixed16_16": 2},
}  # fmt: skip
_NUMBER_TYPES = {
    name: RegisterType(name, kind, words) for kind, names in _WORDS_BY_KIND.items() for name, words in names.items()
}
TYPE_NAMES = (*_NUMBER_TYPES, "stringN")


def register_type(name: str) -> RegisterType:
    """The type of this name; `string16` is text in 16 registers. Raises RegisterError.

    >>> register_type("int32")
    RegisterType(name='int32', kind='signed', words=2)
    """
    if known := _NUMBER_TYPES.get(name):
        return known
    if text := _TEXT_TYPE.match(name):
        return RegisterType(name, "text", int(text[1]))
    raise RegisterError(f"unknown type {name!r}, expected one of {', '.join(TYPE_NAMES)}")


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A raw pattern that means "not available"; `high_word_only` ignores everything below the top word."""

    text: str
    bits: int
    high_word_only: bool = False

    def matches(self, bits: int, rtype: RegisterType) -> bool:
        """Whether these raw bits are this mark."""
        if self.high_word_only:
            return bits >> (rtype.bits - 16) == self.bits
        return bits == self.bits


def parse_sentinel(text: str, rtype: RegisterType) -> Sentinel:
    """Read one mark: `0x8000`, `NaN`, `FLT_MAX`, `-FLT_MAX` or `high word 0x7FFF`. Raises RegisterError."""
    if text == "NaN" and rtype.kind == "float":
        return Sentinel(text, 0x7FC00000 if rtype.words == 2 else 0x7FF8000000000000)
    if text in ("FLT_MAX", "-FLT_MAX") and rtype.name == "float32":
        return Sentinel(text, _FLT_MAX_BITS | (0x80000000 if text[0] == "-" else 0))
    if high := re.fullmatch(r"high word 0x([0-9A-Fa-f]{1,4})", text):
        return Sentinel(text, int(high[1], 16), high_word_only=True)
    if plain := re.fullmatch(r"0x([0-9A-Fa-f]+)", text):
        bits = int(plain[1], 16)
        if bits < 1 << rtype.bits:
            return Sentinel(text, bits)
    expected = "'0x...', 'high word 0x....', 'NaN' or '-FLT_MAX'"
    raise RegisterError(f"sentinel {text!r} does not fit {rtype.name}, expected {expected}")


def scale_from_power(word: int | None) -> Decimal | None:
    """The multiplier of a SunSpec scale factor register, None if it is 0x8000 or outside -10..10.

    Source: SunSpec Device Information Model Specification, data type sunssf.
    """
    if word is None:
        return None
    power = word - 0x10000 if word >= 0x8000 else word
    return _ONE.scaleb(power) if -10 <= power <= 10 else None


def decode(
    words: Sequence[int],
    rtype: RegisterType,
    *,
    word_order: WordOrder = "HL",
    scale: Decimal = _ONE,
    sentinels: Sequence[Sentinel] = (),
) -> Value:
    """The exact value of these words: Decimal for numbers, str for text, None for "not available".

    NaN and the infinities are always None. A scale factor read from the device is passed in as `scale`.
    Raises RegisterError if the type has a different number of words.

    >>> decode([0x0001, 0xE240], register_type("uint32"), scale=Decimal("0.01"))
    Decimal('1234.56')
    >>> decode([0xE240, 0x0001], register_type("uint32"), word_order="LH")
    Decimal('123456')
    >>> decode([0xFF38], register_type("int16"))
    Decimal('-200')
    >>> decode([0x8000], register_type("int16"), sentinels=[parse_sentinel("0x8000", register_type("int16"))]) is None
    True
    """
    if len(words) != rtype.words:
        raise RegisterError(f"{rtype.name} needs {rtype.words} words, found {len(words)}")
    if rtype.kind == "text":
        return _text(words)
    bits = _bits(words, word_order)
    if any(mark.matches(bits, rtype) for mark in sentinels):
        return None
    number = _number(bits, rtype)
    if number is None or (rtype.name == "sunssf" and scale_from_power(bits) is None):
        return None
    return number if scale == 1 else EXACT.multiply(number, scale)


def encode(
    value: Value,
    rtype: RegisterType,
    *,
    word_order: WordOrder = "HL",
    scale: Decimal = _ONE,
    sentinels: Sequence[Sentinel] = (),
) -> tuple[int, ...]:
    """The words a device would return for this value, rounded half-even to what the type can hold.

    None becomes the first sentinel (NaN for floats, 0x8000 for sunssf, NULs for text).
    Raises RegisterError if the value does not fit, or would read back as "not available".

    >>> encode(Decimal("1234.56"), register_type("uint32"), scale=Decimal("0.01"))
    (1, 57920)
    """
    if rtype.kind == "text":
        return _text_words(value, rtype)
    if isinstance(value, str):
        raise RegisterError(f"{rtype.name} holds a number, found text")
    if value is None:
        return _split(_missing_bits(rtype, sentinels), rtype, word_order)
    if scale == 0:
        raise RegisterError("scale 0 has no inverse")
    bits = _to_bits(value if scale == 1 else _ROUNDED.divide(value, scale), rtype)
    if any(mark.matches(bits, rtype) for mark in sentinels):
        raise RegisterError(f"{value} would read back as not available")
    return _split(bits, rtype, word_order)


def resolution(rtype: RegisterType, scale: Decimal, value: Decimal) -> Decimal:
    """The smallest step the type can show at this value, in scaled units.

    For floats this grows with the value: float32 steps by 2 above 2^24 raw units.
    """
    if rtype.kind == "fixed":
        return EXACT.multiply(_FIXED_POINT_STEP, abs(scale))
    if rtype.kind != "float":
        return abs(scale)
    raw = float(_ROUNDED.divide(value, scale)) if scale else 0.0
    exponent = math.frexp(raw)[1]
    lowest = -149 if rtype.words == 2 else -1074
    step = math.ldexp(1.0, max(exponent - (24 if rtype.words == 2 else 53), lowest))
    return EXACT.multiply(Decimal(step), abs(scale))


def shortest(value: Decimal, rtype: RegisterType, scale: Decimal = _ONE) -> Decimal:
    """The number with the fewest digits that the type stores as the same words: what people mean by a float.

    A float32 that holds 229.600006103515625 was written as 229.6. Other types are exact already.
    """
    if rtype.kind != "float" or not scale:
        return value
    raw = float(_ROUNDED.divide(value, scale))
    if rtype.words == 4:
        return EXACT.multiply(Decimal(repr(raw)), scale)
    wanted = struct.pack(">f", raw)
    texts = (f"{raw:.{digits}g}" for digits in range(1, 9))
    text = next((each for each in texts if _packs_as(each, wanted)), f"{raw:.9g}")
    return EXACT.multiply(Decimal(text), scale)


def _packs_as(text: str, wanted: bytes) -> bool:
    try:
        return struct.pack(">f", float(text)) == wanted
    except OverflowError:
        return False


def _bits(words: Sequence[int], word_order: WordOrder) -> int:
    bits = 0
    for word in words if word_order == "HL" else reversed(words):
        if not 0 <= word <= 0xFFFF:
            raise RegisterError(f"a register holds 0..65535, found {word}")
        bits = bits << 16 | word
    return bits


def _split(bits: int, rtype: RegisterType, word_order: WordOrder) -> tuple[int, ...]:
    words = tuple(bits >> 16 * place & 0xFFFF for place in range(rtype.words))
    return words if word_order == "LH" else words[::-1]


def _number(bits: int, rtype: RegisterType) -> Decimal | None:
    if rtype.kind == "signed" and bits >> (rtype.bits - 1):
        return Decimal(bits - (1 << rtype.bits))
    if rtype.kind == "fixed":
        return EXACT.multiply(Decimal(bits), _FIXED_POINT_STEP)
    if rtype.kind == "float":
        packed = bits.to_bytes(rtype.bits // 8, "big")
        (number,) = struct.unpack(">f" if rtype.words == 2 else ">d", packed)
        # "+ 0.0" turns minus zero into zero: minus zero has no meaning for any device.
        return Decimal(number + 0.0) if math.isfinite(number) else None
    return Decimal(bits)


def _to_bits(raw: Decimal, rtype: RegisterType) -> int:
    if rtype.kind == "float":
        try:
            packed = struct.pack(">f" if rtype.words == 2 else ">d", float(raw) + 0.0)
        except OverflowError as cause:
            raise RegisterError(f"{raw} does not fit {rtype.name}") from cause
        return int.from_bytes(packed, "big")
    if rtype.kind == "fixed":
        raw = _ROUNDED.multiply(raw, Decimal(65536))
    whole = int(raw.to_integral_value(rounding=ROUND_HALF_EVEN))
    lowest, highest = _limits(rtype)
    if not lowest <= whole <= highest:
        raise RegisterError(f"{whole} does not fit {rtype.name} ({lowest}..{highest})")
    return whole & (1 << rtype.bits) - 1


def _limits(rtype: RegisterType) -> tuple[int, int]:
    if rtype.name == "sunssf":
        return -10, 10
    if rtype.kind == "signed":
        return -(1 << rtype.bits - 1), (1 << rtype.bits - 1) - 1
    return 0, (1 << rtype.bits) - 1


def _missing_bits(rtype: RegisterType, sentinels: Sequence[Sentinel]) -> int:
    if sentinels:
        first = sentinels[0]
        below = (1 << rtype.bits - 16) - 1
        return first.bits << rtype.bits - 16 | below if first.high_word_only else first.bits
    if rtype.kind == "float":
        return parse_sentinel("NaN", rtype).bits
    if rtype.name == "sunssf":
        return 0x8000
    raise RegisterError(f"{rtype.name} has no sentinel for not available")


def _text(words: Sequence[int]) -> str | None:
    if all(word == 0xFFFF for word in words):
        return None
    content = b"".join(word.to_bytes(2, "big") for word in words).split(b"\0", 1)[0]
    text = content.decode("utf-8", errors="replace").rstrip(" ")
    # Names from a device are shown on pages and in logs: unprintable characters must not get there.
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in text) or None


def _text_words(value: Value, rtype: RegisterType) -> tuple[int, ...]:
    if isinstance(value, Decimal):
        raise RegisterError(f"{rtype.name} holds text, found a number")
    content = (value or "").encode()
    if len(content) > 2 * rtype.words:
        raise RegisterError(f"text of {len(content)} bytes does not fit {rtype.name}")
    padded = content.ljust(2 * rtype.words, b"\0")
    return tuple(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
