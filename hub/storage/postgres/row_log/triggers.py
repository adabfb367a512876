"""The triggers that report each change of a logged table, made from the table's own columns.

They write to row_log_waiting in the transaction of the change itself, the same text for the same row as in SQLite.
"""

# ruff: noqa: S608 - only names from the schema are put into SQL here.

from hub.storage.postgres.row_log.own_lines import OWN_LINES, SETTING
from hub.storage.sql.row_log.forms import WAITING, TableForm
from hub.storage.sql.row_log.protection import LOGGED, LoggedTable


def spelled_row(form: TableForm, row: str) -> tuple[str, str, str]:
    """The SQL for key, content and says of a row with this name."""
    logged = LOGGED[form.table]
    keys = " || ',' || ".join(f"key_part({row}.{name})" for name, _, _ in form.keys)
    content = " || '|' || ".join(_text(name, logged, row) for name, _, _ in form.columns)
    said = " || ',' || ".join(f"""'"{name}":' || coalesce(key_part({row}.{name}), 'null')""" for name in logged.says)
    return f"'[' || {keys} || ']'", content, f"'{{' || {said} || '}}'" if said else "''"


def log_statements(form: TableForm) -> dict[str, str]:
    """The statements that make the table's function and triggers, by the name of each."""
    table, name = form.table, f"row_log_{form.table}"
    key, content, says = spelled_row(form, "each")
    new_key, new_content, new_says = spelled_row(form, "NEW")
    old_key, old_content, _ = spelled_row(form, "OLD")
    added = f"{WAITING} SELECT '{table}', {key}, 'added', {content}, {says} FROM added AS each;"
    if table in OWN_LINES:
        added = f"""IF current_setting('{SETTING}', true) IS DISTINCT FROM '{table}' THEN
            {added}
        END IF;"""
    body = f"""BEGIN
    IF TG_OP = 'INSERT' THEN
        {added}
    ELSIF TG_OP = 'DELETE' THEN
        {WAITING} SELECT '{table}', {key}, 'removed', '', '' FROM removed AS each;
    ELSE
        {WAITING} SELECT '{table}', {old_key}, 'removed', '', '' WHERE {old_key} <> {new_key};
        {WAITING} SELECT '{table}', {new_key}, 'changed', {new_content}, {new_says}
        WHERE {old_key} <> {new_key} OR {old_content} <> {new_content};
    END IF;
    RETURN NULL;
END"""
    call = f"EXECUTE FUNCTION {name}()"
    return {
        # The session's path ends with pg_temp: the function then looks last at tables that its caller made.
        name: f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT"
        f" AS $body$ {body} $body$",
        f"{name}_added": f"CREATE OR REPLACE TRIGGER {name}_added AFTER INSERT ON {table}"
        f" REFERENCING NEW TABLE AS added FOR EACH STATEMENT {call}",
        f"{name}_changed": f"CREATE OR REPLACE TRIGGER {name}_changed AFTER UPDATE ON {table} FOR EACH ROW {call}",
        f"{name}_removed": f"CREATE OR REPLACE TRIGGER {name}_removed AFTER DELETE ON {table}"
        f" REFERENCING OLD TABLE AS removed FOR EACH STATEMENT {call}",
    }


def _text(name: str, logged: LoggedTable, row: str) -> str:
    text = f"cell({row}.{name})"
    return f"CASE {row}.role WHEN 'job' THEN '' ELSE {text} END" if name in logged.job_counts else text
