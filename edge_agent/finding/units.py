"""Unit ids as people write them."""

from __future__ import annotations

MOST_UNIT = 255


def parse_units(text: str) -> tuple[int, ...]:
    """Unit ids in a text such as 1-5,126. Raises: ValueError with a line.

    >>> parse_units("1-3,126")
    (1, 2, 3, 126)
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers = (first, last) if dash else (first,)
        if not all(each.isascii() and each.isdecimal() and len(each) <= 3 for each in numbers):
            raise ValueError(f"{text[:20]!r} is not a list of unit ids like 1-5 or 1,3")
        found += range(int(first), int(numbers[-1]) + 1)
    if not found or max(found) > MOST_UNIT:
        raise ValueError(f"{text[:20]!r}: unit ids are 0 to 247, some gateways use 255")
    return tuple(dict.fromkeys(found))


def units_text(units: tuple[int, ...]) -> str:
    """The same units as a text, ranges shortened.

    >>> units_text((1, 2, 3, 126))
    '1-3,126'
    """
    runs: list[list[int]] = []
    for unit in units:
        if runs and unit == runs[-1][-1] + 1:
            runs[-1].append(unit)
        else:
            runs.append([unit])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)
