"""The triggers that report each change of a logged table, made from the table's own columns.

They write to row_log_waiting in the transaction of the change itself. A table that gains a column gets new triggers,
and its rows are taken over once more.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hub.storage.sql.row_log.protection import LOGGED, LoggedTable

Column = tuple[str, str, int]
"""(name, type, place in the primary key or 0), as PRAGMA table_info gives it."""

_WAITING: Final = "INSERT INTO row_log_waiting (source, row_key, change, content, says)"


@dataclass(frozen=True, slots=True)
class TableForm:
    """How the rows of one table become text. `form` changes whenever the same row would give another text."""

    table: str
    key: str
    content: str
    says: str

    @property
    def form(self) -> bytes:
        """The hash of this form; a row's digest can only be compared with one of the same form."""
        return hashlib.sha256(f"{self.table}\n{self.key}\n{self.content}".encode()).digest()

    def parts(self, prefix: str) -> tuple[str, str, str]:
        """The SQL for key, content and says of a row; `prefix` is `NEW.`, `OLD.` or nothing for the table itself."""
        return (
            self.key.replace("{row}", prefix), self.content.replace("{row}", prefix), self.says.replace("{row}", prefix)
        )  # fmt: skip

    def triggers(self) -> dict[str, str]:
        """The statements that create this table's triggers, by trigger name."""
        table = self.table
        new_key, new_content, new_says = self.parts("NEW.")
        old_key, old_content, _ = self.parts("OLD.")
        added = f"{_WAITING} VALUES ('{table}', {new_key}, 'added', {new_content}, {new_says});"
        removed = f"{_WAITING} SELECT '{table}', {old_key}, 'removed', '', ''"
        changed = (
            f"{removed} WHERE {old_key} <> {new_key};\n"
            f"{_WAITING} SELECT '{table}', {new_key}, 'changed', {new_content}, {new_says}"
            f" WHERE {old_key} <> {new_key} OR {old_content} <> {new_content};"
        )
        bodies = {("added", "INSERT"): added, ("changed", "UPDATE"): changed, ("removed", "DELETE"): f"{removed};"}
        return {
            (name := f"row_log_{table}_{change}"): f"CREATE TRIGGER {name} AFTER {event} ON {table}\nBEGIN\n{body}\nEND"
            for (change, event), body in bodies.items()
        }


def form_of(table: str, columns: Iterable[Column]) -> TableForm:
    """The form of a logged table with these columns."""
    known = list(columns)
    logged = LOGGED[table]
    keys = sorted((place, name, kind) for name, kind, place in known if place)
    key = ", ".join(f"hex({{row}}{name})" if kind == "BLOB" else f"{{row}}{name}" for _, name, kind in keys)
    parts = [_text(name, logged) for name, _, _ in known if name not in logged.left_out]
    said = ", ".join(f"'{name}', {{row}}{name}" for name in logged.says)
    says = f"json_object({said})" if said else "''"
    return TableForm(table, f"json_array({key})", " || '|' || ".join(parts), says)


def _text(name: str, logged: LoggedTable) -> str:
    """One column as text from which its type and bytes can be told."""
    text = f"substr(typeof({{row}}{name}), 1, 1) || hex({{row}}{name})"
    return f"CASE {{row}}role WHEN 'job' THEN '' ELSE {text} END" if name in logged.job_counts else text
