"""Columns of text for a terminal. Nothing else."""

from __future__ import annotations

from collections.abc import Iterable


def format_table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows with columns as wide as their longest word; the first row is the head."""
    found = list(rows)
    widths = [max(len(row[column]) for row in found) for column in range(len(found[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in found]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
