"""Where the queue's tables are: pgqueuer makes them, and brings them up to date, in a schema beside the co-op's own.

They are no part of the store: what waits there is put there again by the timetable, so no backup or copy needs them.
"""

from typing import Any, Final

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.settings import DBSettings

from hub.storage.postgres.names import queue_of, runner_of
from hub.storage.postgres.session import Session

TABLE: Final = "pgqueuer"
# Said here, because pgqueuer takes what is not said from environment variables of common names.
_NAMES: Final = {
    "prefix": "",
    "function": "fn_pgqueuer_changed",
    "statistics_table": "pgqueuer_statistics",
    "queue_status_type": "pgqueuer_status",
    "queue_table": TABLE,
    "queue_table_log": f"{TABLE}_log",
    "trigger": "tg_pgqueuer_changed",
    "schedules_table": "pgqueuer_schedules",
    "durability": "durable",
}


def queue_settings(schema: str) -> Any:
    """The names of the queue of this co-op. Channels belong to the whole database, so each co-op has its own."""
    return DBSettings(**_NAMES, db_schema=queue_of(schema), channel=queue_of(schema))


def queries_over(driver: Any, schema: str) -> Any:
    """pgqueuer's statements for the queue of this co-op."""
    settings = queue_settings(schema)
    return Queries(
        driver, QueryBuilderEnvironment(settings), QueryQueueBuilder(settings), QuerySchedulerBuilder(settings)
    )


async def install_queue(session: Session, schema: str) -> None:
    """Make the tables in the schema that is there already, or bring them up to the installed pgqueuer; as the owner."""
    queries = queries_over(AsyncpgDriver(session), schema)
    if await queries.schema_is_installed():
        await queries.apply_upgrade()
    else:
        await queries.install(create_schema=False)


async def grant_queue(session: Session, schema: str) -> None:
    """What the hub's role may do with the queue: everything but change its tables."""
    place, runner = queue_of(schema), runner_of(schema)
    await session.execute(
        f"REVOKE ALL ON SCHEMA {place} FROM PUBLIC, {runner}; GRANT USAGE ON SCHEMA {place} TO {runner};"
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {place} FROM PUBLIC, {runner};"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {place} TO {runner};"
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {place} TO {runner}"
    )
