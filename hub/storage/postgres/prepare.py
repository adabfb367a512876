"""Makes a co-op's place on a server, or brings it up to date: schema, roles, tables, and who may do what.

The owner's role has the tables and signs in nowhere. The hub's role signs in, and can make, change or drop no table,
shorten no log and alter no booked row. Another co-op's hub has a role of its own and no way into this schema.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from hub.core.ledger.signed_document import Signer
from hub.storage.errors import StoreError
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.connection import KnownMonths, ServerConnection
from hub.storage.postgres.connections import connect, lock_number, told
from hub.storage.postgres.names import owner_of, queue_of, runner_of
from hub.storage.postgres.row_log.install import install_log
from hub.storage.postgres.schema import migrate
from hub.storage.postgres.session import TROUBLE, Session
from hub.storage.sql.row_log.owner import refuse_foreign

SCRAM_ROUNDS: Final = 4096
# What may change in a row that is otherwise fixed: see the triggers of these tables.
_MAY_LOSE: Final = {"message": "sealed", "account": "name, iban"}
_TABLES_SQL: Final = """SELECT c.relname,
    bool_or(t.tgname = c.relname || '_is_kept'), bool_or(t.tgname = c.relname || '_is_fixed')
FROM pg_class AS c LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname ORDER BY c.relname"""


async def prepare_store(
    admin: StoreAddress,
    *,
    now: Callable[[], float],
    signer: Signer | None,
    keep: Callable[[str], None] = lambda _password: None,
    lost: Callable[[str], None] | None = None,
) -> str | None:
    """Make or update the co-op's place, signed in as somebody who may make roles and schemas.

    Returns the new password of the hub's role if it got one now, else None. `keep` is given that of a new role before
    the role is there for good: the server has no role whose password nobody knows, wherever this stops. With `lost`, a
    role that was there gets a new password too, if the place is there as well; `lost` is given it once the server has
    it: wherever this stops, the next call makes one again. Raises: StoreError.
    """
    # It takes half a second to load, and of all commands this one alone uses it.
    from hub.storage.postgres.job_queue.place import grant_queue, install_queue  # noqa: PLC0415

    try:
        session = await connect(admin)
        try:
            reading = ServerConnection(session, KnownMonths(now))
            whose = partial(_refuse_foreign, reading, signer)
            password, is_new = await _make_roles(session, admin, keep, whose=whose, has_lost=lost is not None)
            if lost is not None and password is not None and not is_new:
                lost(password)
            await session.execute(f"SET ROLE {owner_of(admin.schema)}")
            applied = await migrate(session, place=admin.place)
            async with session.transaction():
                await session.execute(f"SELECT pg_advisory_xact_lock({lock_number(admin.schema)})")
                await install_log(ServerConnection(session, KnownMonths(now)), applied, at=int(now()), signer=signer)
                await _grant(session, admin.schema)
            await install_queue(session, admin.schema)
            await grant_queue(session, admin.schema)
        finally:
            session.terminate()
    except TROUBLE as error:
        raise StoreError(f"{admin.place}: cannot prepare the store: {told(error)}") from None
    return password


async def _make_roles(
    session: Session,
    admin: StoreAddress,
    keep: Callable[[str], None],
    *,
    whose: Callable[[str], Awaitable[bool]],
    has_lost: bool,
) -> tuple[str | None, bool]:
    """The hub's role's new password, if it got one, and whether the role is new."""
    schema = admin.schema
    owner, runner = owner_of(schema), runner_of(schema)
    known = {str(row[0]) for row in await session.fetch("SELECT rolname FROM pg_roles")}
    is_new = runner not in known
    password = secrets.token_urlsafe(24) if is_new or has_lost else None
    async with session.transaction():
        if owner not in known:
            await session.execute(f"CREATE ROLE {owner} NOLOGIN")
        await session.execute(f"GRANT {owner} TO CURRENT_USER")
        if password is not None:
            change = f"CREATE ROLE {runner} LOGIN NOINHERIT" if is_new else f"ALTER ROLE {runner}"
            await session.execute(f"{change} PASSWORD '{scram_verifier(password)}'")
        held = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = $1"
        for name in (schema, queue_of(schema)):
            await session.execute(f"CREATE SCHEMA IF NOT EXISTS {name} AUTHORIZATION {owner}")
            held_by = await session.fetchval(held, name)
            if held_by != owner:
                raise StoreError(f"the schema {name} belongs to {held_by} already: choose another name")
        await session.execute(f"SET LOCAL ROLE {owner}")
        is_there = await whose(admin.place)
        await session.execute("RESET ROLE")
        if has_lost and not is_new and not is_there:
            raise StoreError(
                f"{admin.place}: the role {runner} is on this server already, for a store in another database: its"
                " password stays; put the hub's store-address back, or choose another --schema"
            )
        if is_new and password is not None:
            keep(password)
    return password, is_new


async def _refuse_foreign(db: ServerConnection, signer: Signer | None, place: str) -> bool:
    """Whether there is a store here; raises StoreConflictError if it is another hub's."""
    is_there = await db.session.fetchval("SELECT to_regclass('row_log_head')") is not None
    if is_there:
        await refuse_foreign(db, signer, place=place)
    return is_there


async def _grant(session: Session, schema: str) -> None:
    """Everything the hub's role may do, and nothing else: what was granted before is taken back first."""
    runner = runner_of(schema)
    await session.execute(
        f"REVOKE ALL ON SCHEMA {schema} FROM PUBLIC, {runner}; GRANT USAGE ON SCHEMA {schema} TO {runner}"
    )
    await session.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC, {runner}")
    for table, is_kept, is_fixed in await session.fetch(_TABLES_SQL):
        rights = ["SELECT"]
        if table != "migration":
            rights += ["INSERT"] + ["DELETE"] * (not is_kept) + ["UPDATE"] * (not is_fixed)
        if table in _MAY_LOSE:
            rights.append(f"UPDATE ({_MAY_LOSE[table]})")
        await session.execute(f"GRANT {', '.join(rights)} ON {table} TO {runner}")


def scram_verifier(password: str, *, salt: bytes | None = None) -> str:
    """What the server keeps of a password, so that the password itself is in no statement and no log of the server.

    Source: RFC 5803; PostgreSQL manual, pg_authid.
    """
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(each).decode() for each in (salt, stored, server)]
    return f"SCRAM-SHA-256${SCRAM_ROUNDS}:{parts[0]}${parts[1]}:{parts[2]}"
