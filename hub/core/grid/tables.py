"""What grid operators' tables have in common: delimited text, decimal comma or point, and one kind of error."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from protocols.errors import CommonwattError

MAX_FILE_BYTES: Final = 64 * 2**20
MAX_CELL_CHARS: Final = 1000
MICRO_DIGITS: Final = 6
PPM: Final = 1_000_000

DECIMAL = re.compile(r"([0-9]{1,12})(?:([.,])([0-9]{1,6})0*)?", re.ASCII)


class GridFileError(CommonwattError):
    """The file cannot be used. A one-line message says where and why; nothing from the file was used."""


def decode(content: bytes) -> str:
    """The file as text; it must be UTF-8, with or without a byte order mark. Raises: GridFileError."""
    if len(content) > MAX_FILE_BYTES:
        raise GridFileError(f"the file is larger than {MAX_FILE_BYTES // 2**20} MiB: split it by month")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GridFileError(f"the file is not UTF-8 text (byte {error.start}); save it as CSV UTF-8") from None
    if "\0" in text:
        raise GridFileError("the file is not text: it contains zero bytes")
    return text


def read_table(content: bytes) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header's column names in lower case, and an iterator over the rows with their line numbers.

    Raises: GridFileError, including while the rows are being read.

    >>> header, rows = read_table(b"Point;kWh\\nAT01;0,5\\n")
    >>> header, list(rows)
    (['point', 'kwh'], [(2, ['AT01', '0,5'])])
    """
    text = decode(content)
    first = text.partition("\n")[0]
    delimiter = max(";\t,", key=first.count)
    if delimiter not in first:
        raise GridFileError("line 1 is not a header with columns separated by semicolon, tab or comma")
    rows = _rows(text, delimiter)
    _, header = next(rows, (1, []))
    return [name.lower() for name in header], _like_header(rows, len(header))


def find_column(header: Sequence[str], names: frozenset[str]) -> int | None:
    """The position of the column with one of these names. Raises: GridFileError if there are two of them."""
    found = [i for i, name in enumerate(header) if name in names]
    if len(found) > 1:
        raise GridFileError(f"two columns mean the same: {header[found[0]]!r} and {header[found[1]]!r}")
    return found[0] if found else None


def require_column(header: Sequence[str], names: frozenset[str], what: str) -> int:
    """The position of the column. Raises: GridFileError with the possible names when it is missing."""
    column = find_column(header, names)
    if column is None:
        raise GridFileError(f"there is no column for {what}; name it one of: {', '.join(sorted(names))}")
    return column


def read_micro(text: str, where: str) -> tuple[int, str]:
    """A decimal number with at most six places as millionths, and its decimal sign. It has no thousands separators.

    >>> read_micro("0,25", "line 2"), read_micro("12", "line 3")
    ((250000, ','), (12000000, ''))
    """
    match = DECIMAL.fullmatch(text)
    if match is None:
        shown = ascii(text[:40])
        raise GridFileError(f"{where}: {shown} is not a number from 0 with at most six decimals and one decimal sign")
    whole, sign, decimals = match.groups()
    return int(whole) * PPM + int((decimals or "").ljust(MICRO_DIGITS, "0")), sign or ""


def write_micro(millionths: int, sign: str) -> str:
    """Millionths as a decimal number with six places.

    >>> write_micro(250_000, ",")
    '0,250000'
    """
    return f"{millionths // PPM}{sign}{millionths % PPM:0{MICRO_DIGITS}d}"


def translate(text: str, words: Mapping[str, str], *, where: str) -> str:
    """The meaning of this text. Raises: GridFileError listing the known texts."""
    meaning = words.get(text.lower())
    if meaning is None:
        raise GridFileError(f"{where}: {text[:40]!a} is not one of {', '.join(sorted(words))}")
    return meaning


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cells):
                yield reader.line_num, [cell.strip()[:MAX_CELL_CHARS] for cell in cells]
    except csv.Error as error:
        raise GridFileError(f"line {reader.line_num} cannot be read as a row of a table: {error}") from None


def _like_header(rows: Iterator[tuple[int, list[str]]], columns: int) -> Iterator[tuple[int, list[str]]]:
    for line, cells in rows:
        if len(cells) != columns:
            raise GridFileError(f"line {line} has {len(cells)} columns, not {columns}")
        yield line, cells


def _lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end
