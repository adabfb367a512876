"""Joins the stand-alone script from its four parts: the one file that members run, which needs nothing of the hub."""

import ast
from functools import lru_cache
from pathlib import Path
from typing import Final

NAME: Final = "verify_statement.py"
SOURCE: Final = Path(__file__).parents[1] / "verify"
PARTS: Final = ("statement_files.py", "statement_days.py", "statement_bills.py", "statement.py")
OURS: Final = "hub.verify."


@lru_cache(maxsize=1)
def script_text() -> str:
    """The script: the docstring of statement.py, then the code of all parts."""
    parts = [_without_imports((SOURCE / name).read_text(encoding="utf-8")) for name in PARTS]
    split = [part.partition('"""\n\n') for part in parts]
    return "\n\n".join([f'{split[-1][0]}"""\n\n{split[0][2]}', *(rest for _, _, rest in split[1:])])


def _without_imports(text: str) -> str:
    """The source without its imports of the other parts."""
    lines = text.splitlines(keepends=True)
    for node in reversed(ast.parse(text).body):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
            del lines[node.lineno - 1 : node.end_lineno]
    return "".join(lines)
