"""Joins the stand-alone script from its two halves: the one file that members run, which needs nothing of the hub."""

import ast
from functools import lru_cache
from pathlib import Path
from typing import Final

NAME: Final = "verify_statement.py"
SOURCE: Final = Path(__file__).parents[1] / "verify"
DAYS_MODULE: Final = "hub.verify.statement_days"


@lru_cache(maxsize=1)
def script_text() -> str:
    """The script: the docstring of statement.py, statement_days.py, then the rest of statement.py."""
    days, month = ((SOURCE / name).read_text(encoding="utf-8") for name in ("statement_days.py", "statement.py"))
    docstring, _, rest = _without_import(month).partition('"""\n\n')
    return f'{docstring}"""\n\n{days.partition(chr(34) * 3 + chr(10) * 2)[2]}\n\n{rest}'


def _without_import(text: str) -> str:
    """The source without its import of the other half."""
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and node.module == DAYS_MODULE:
            del lines[node.lineno - 1 : node.end_lineno]
    return "".join(lines)
