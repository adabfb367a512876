"""The triggers that report each change of a logged table, made from the table's own columns.

They write to row_log_waiting in the transaction of the change itself. A table that gains a column gets new triggers,
and its rows are taken over once more.
"""

from hub.storage.sql.row_log.forms import WAITING, TableForm


def triggers_of(form: TableForm) -> dict[str, str]:
    """The statements that create a table's triggers, by trigger name."""
    table = form.table
    new_key, new_content, new_says = form.parts("NEW.")
    old_key, old_content, _ = form.parts("OLD.")
    added = f"{WAITING} VALUES ('{table}', {new_key}, 'added', {new_content}, {new_says});"
    removed = f"{WAITING} SELECT '{table}', {old_key}, 'removed', '', ''"
    changed = (
        f"{removed} WHERE {old_key} <> {new_key};\n"
        f"{WAITING} SELECT '{table}', {new_key}, 'changed', {new_content}, {new_says}"
        f" WHERE {old_key} <> {new_key} OR {old_content} <> {new_content};"
    )
    bodies = {("added", "INSERT"): added, ("changed", "UPDATE"): changed, ("removed", "DELETE"): f"{removed};"}
    return {
        (name := f"row_log_{table}_{change}"): f"CREATE TRIGGER {name} AFTER {event} ON {table}\nBEGIN\n{body}\nEND"
        for (change, event), body in bodies.items()
    }
