"""Formats columns of text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable


def format_table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """The lines of a table whose columns are as wide as their longest cell; the first row is the heading."""
    found = list(rows)
    widths = [max(len(row[column]) for row in found) for column in range(len(found[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in found]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
