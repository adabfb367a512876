"""How the rows of a logged table become text: the columns of its key and of its content, and the form's own name.

A form is named by what SQLite evaluates for it, which is where the log began. Every other database gives the same text
for the same row, so that a row's digest is the same wherever the row is kept.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hub.storage.sql.row_log.protection import LOGGED, LoggedTable

Column = tuple[str, str, int]
"""(name, type, place in the primary key or 0); the type is INTEGER, TEXT, BLOB or REAL."""

WAITING: Final = "INSERT INTO row_log_waiting (source, row_key, change, content, says)"


@dataclass(frozen=True, slots=True)
class TableForm:
    """How the rows of one table become text. `form` changes whenever the same row would give another text.

    `keys` and `columns` are those of the key and of the content, in order.
    """

    table: str
    keys: tuple[Column, ...]
    columns: tuple[Column, ...]

    @property
    def form(self) -> bytes:
        """The hash of this form; a row's digest can only be compared with one of the same form."""
        key, content, _ = self.parts("{row}")
        return hashlib.sha256(f"{self.table}\n{key}\n{content}".encode()).digest()

    def parts(self, prefix: str) -> tuple[str, str, str]:
        """SQLite's words for key, content and says of a row; `prefix` is `NEW.`, `OLD.` or nothing for the table."""
        logged = LOGGED[self.table]
        keys = ", ".join(f"hex({prefix}{name})" if kind == "BLOB" else f"{prefix}{name}" for name, kind, _ in self.keys)
        content = " || '|' || ".join(_text(name, logged, prefix) for name, _, _ in self.columns)
        said = ", ".join(f"'{name}', {prefix}{name}" for name in logged.says)
        return f"json_array({keys})", content, f"json_object({said})" if said else "''"


def form_of(table: str, columns: Iterable[Column]) -> TableForm:
    """The form of a logged table with these columns."""
    known = list(columns)
    keys = sorted((column for column in known if column[2]), key=lambda column: column[2])
    left_out = LOGGED[table].left_out
    return TableForm(table, tuple(keys), tuple(column for column in known if column[0] not in left_out))


def _text(name: str, logged: LoggedTable, prefix: str) -> str:
    """One column as text from which its type and bytes can be told."""
    text = f"substr(typeof({prefix}{name}), 1, 1) || hex({prefix}{name})"
    return f"CASE {prefix}role WHEN 'job' THEN '' ELSE {text} END" if name in logged.job_counts else text
