"""Names in the database that are made from the co-op's: its schemas and two roles. They are safe to put into SQL."""

import re

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


def is_schema_name(name: str) -> bool:
    """Whether this can be a schema: PostgreSQL's own begin with pg_."""
    return bool(_NAME.fullmatch(name)) and not name.startswith("pg_") and name != "information_schema"


def owner_of(schema: str) -> str:
    """The role that owns the tables, and that nobody signs in as."""
    return f"{schema}_owner"


def runner_of(schema: str) -> str:
    """The role as which the hub signs in: it reads and adds rows, and can change no table."""
    return f"{schema}_hub"


def queue_of(schema: str) -> str:
    """The schema of the queue of jobs, beside the store's own."""
    return f"{schema}_queue"
