"""Spain's file of sharing coefficients for the distributor i-DE: `CAU_YYYY.txt`, with a line `CUPS;0,250000` per home.

Written coefficients add up to exactly 1.000000; reading reports everything that is wrong with a file at once.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from hub.core.allocation.rounding import largest_remainder
from hub.core.grid.tables import GridFileError, decode, write_micro

ONE_PPM: Final = 1_000_000
CUPS_CHARS: Final = 22
CHECK_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
MAX_LINES: Final = 100_000

FILE_NAME = re.compile(r"(?P<cau>[A-Z0-9]{26})_(?P<year>[0-9]{4})\.txt", re.ASCII)
CAU = re.compile(r"(?P<cups>ES[0-9]{16}[A-Z]{2}[0-9][A-Z])A[0-9]{3}", re.ASCII)
CUPS = re.compile(r"ES[0-9]{16}[A-Z]{2}[0-9][FPRCXYZ]", re.ASCII)
COMMA_DECIMAL = re.compile(r"[0-9]{1,6},[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class CoefficientFile:
    """How a plant's energy is shared in a year: coefficients in millionths by CUPS, adding up to 1000000."""

    cau: str
    year: int
    coefficients_ppm: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One problem in a file; `rule` is a stable name, `line` is None where the problem concerns the whole file."""

    rule: str
    line: int | None
    text: str


class CoefficientFileError(GridFileError):
    """The file cannot be used; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: tuple[FileProblem, ...]) -> None:
        first = problems[0]
        where = "" if first.line is None else f"line {first.line}: "
        more = "" if len(problems) == 1 else f" (and {len(problems) - 1} more)"
        super().__init__(f"{where}{first.text}{more}")
        self.problems = problems


def write_coefficients(cau: str, year: int, *, weights: Mapping[str, int]) -> tuple[str, bytes]:
    """The file's name and bytes for whole-number weights by CUPS; largest remainder rounds them to 1e-6.

    Raises: CoefficientFileError or GridFileError.
    """
    problems = [FileProblem("cups_check", None, text) for text in map(cups_fault, weights) if text]
    if problems:
        raise CoefficientFileError(tuple(problems))
    for cups, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int) or weight < 0:
            raise GridFileError(f"{cups}: the weight is not a whole number from 0")
    order = sorted(weights, key=lambda cups: cups.encode("utf-8"))
    shares = largest_remainder(ONE_PPM, [weights[cups] for cups in order])
    if sum(shares) != ONE_PPM:
        raise GridFileError("all weights are zero; give at least one CUPS a weight")
    name = file_name(cau, year)
    lines = [f"{cups};{write_micro(share, ',')}\n" for cups, share in zip(order, shares, strict=True)]
    return name, "".join(lines).encode("ascii")


def read_coefficients(
    name: str, content: bytes, *, cau: str | None = None, known: Collection[str] | None = None
) -> CoefficientFile:
    """The file's coefficients. With `cau` the file must be that plant's; with `known` it may name only those CUPS.

    Raises: CoefficientFileError with everything that is wrong: CAU, decimal comma, six decimals, length and check
    letters of the CUPS, duplicates, unknown CUPS, the sum. A wrong file name is reported on its own.
    """
    match = FILE_NAME.fullmatch(name)
    if match is None:
        shown = f"the name {name[:60]!a} is not CAU_YYYY.txt"
        raise CoefficientFileError((FileProblem("file_name", None, shown),))
    problems = []
    if cau is not None and match["cau"] != cau:
        problems.append(FileProblem("cau", None, f"the file is for {match['cau']}, not for {cau}"))
    if cau_fault(match["cau"]):
        problems.append(FileProblem("cau", None, cau_fault(match["cau"])))
    coefficients: dict[str, int] = {}
    lines_of: dict[str, list[int]] = defaultdict(list)
    total = 0
    for line, text in enumerate(_lines(content), start=1):
        cups, share = _read_line(text, line, problems=problems)
        if cups is None:
            continue
        lines_of[cups].append(line)
        if known is not None and cups not in known:
            problems.append(FileProblem("cups_unknown", line, f"{cups[:40]!a} is not the CUPS of a member"))
        if share is not None:
            coefficients[cups] = share
            total += share
    for cups, lines in lines_of.items():
        if len(lines) > 1:
            shown = f"{cups[:40]!a} appears in lines {', '.join(map(str, lines[:9]))}"
            problems.append(FileProblem("cups_twice", None, shown))
    if total != ONE_PPM:
        problems.append(FileProblem("sum", None, f"the coefficients add up to {write_micro(total, ',')}, not 1,000000"))
    if problems:
        raise CoefficientFileError(tuple(problems))
    return CoefficientFile(match["cau"], int(match["year"]), coefficients)


def file_name(cau: str, year: int) -> str:
    """The file name that the distributor expects. Raises: GridFileError for a wrong CAU or year."""
    if cau_fault(cau):
        raise GridFileError(cau_fault(cau))
    if not 2019 <= year <= 2999:
        raise GridFileError(f"{year} is not a year from 2019 to 2999")
    return f"{cau}_{year}.txt"


def cups_fault(cups: str) -> str:
    """The problem with a 22-character CUPS, or an empty text. Its check letters are its number mod 529 in base 23."""
    shown = ascii(cups[:40])
    if len(cups) != CUPS_CHARS:
        return f"{shown} has {len(cups)} characters; a CUPS has {CUPS_CHARS}, the point's number and letter included"
    if CUPS.fullmatch(cups) is None:
        return f"{shown} is not a CUPS: ES, 16 digits, two letters, a digit and a letter"
    high, low = divmod(int(cups[2:18]) % 529, 23)
    if cups[18:20] != CHECK_LETTERS[high] + CHECK_LETTERS[low]:
        return f"{shown} is not a CUPS: its check letters are wrong"
    return ""


def cau_fault(cau: str) -> str:
    """The problem with a plant's CAU (a CUPS, then A and three digits), or an empty text."""
    match = CAU.fullmatch(cau)
    if match is None:
        return f"{cau[:40]!a} is not a CAU: a CUPS of 22 characters, A and three digits"
    return cups_fault(match["cups"])


def _read_line(text: str, line: int, *, problems: list[FileProblem]) -> tuple[str | None, int | None]:
    cells = text.split(";")
    if len(cells) != 2 or not all(cells):
        problems.append(FileProblem("line", line, f"{text[:60]!a} is not CUPS;coefficient"))
        return None, None
    cups, value = cells
    fault = cups_fault(cups)
    if fault:
        problems.append(FileProblem("cups_length" if len(cups) != CUPS_CHARS else "cups_check", line, fault))
    if COMMA_DECIMAL.fullmatch(value) is None:
        problems.append(FileProblem("decimal_comma", line, f"{value[:40]!a} is not a number like 0,250000"))
        return cups, None
    whole, decimals = value.split(",")
    if len(decimals) != 6:
        problems.append(FileProblem("six_decimals", line, f"{value[:40]!a} does not have six decimals"))
        return cups, None
    return cups, int(whole) * ONE_PPM + int(decimals)


def _lines(content: bytes) -> list[str]:
    lines = decode(content).replace("\r\n", "\n").split("\n")
    if len(lines) > MAX_LINES:
        raise GridFileError(f"the file has more than {MAX_LINES} lines")
    return lines[:-1] if not lines[-1] else lines
