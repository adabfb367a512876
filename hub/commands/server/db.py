"""`commonwatt-hub db`: makes the co-op's place on a PostgreSQL server, and copies the store there and back."""

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.console.progress import Progress, ReportProgress
from hub.folder.clock import open_clock
from hub.folder.elsewhere.store_settings import ADDRESS_NAME, StoreSettings, address_in
from hub.folder.opening import opened_hub
from hub.folder.paths import running_alone
from hub.folder.settings import load_settings
from protocols.errors import RequestError
from protocols.slots import start_of
from protocols.timeline import Clock

if TYPE_CHECKING:
    from hub.folder.elsewhere.server_store import Copied

PREPARE: Final = "prepare"
COPY: Final = "copy"
RESTORED: Final = "restored"
SQLITE: Final = "sqlite"
POSTGRES: Final = "postgres"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "what",
        choices=(PREPARE, COPY, RESTORED),
        help="prepare: make or update the co-op's schema, roles and tables on a server; copy: the whole store;"
        " restored: note that the server's store came back from a dump or a backup",
    )
    parser.add_argument(
        "--from", dest="source", choices=(SQLITE, POSTGRES), help="copy: where the store is now; the other one gets it"
    )
    parser.add_argument(
        "--to",
        metavar="DSN",
        help="the server, as who may make roles: postgresql://admin@host/database, without a password (PGPASSFILE);"
        " with --from postgres the new file",
    )
    parser.add_argument("--to-file", type=Path, metavar="FILE", help="a file with it, perhaps with a password")
    parser.add_argument("--schema", metavar="NAME", help="the co-op's schema (default: hub.toml's, or the co-op's id)")


def run(args: argparse.Namespace) -> int:
    """Prepare or copy, and say what comes next. Raises: CommonwattError with a one-line message."""
    try:
        import asyncpg  # noqa: F401, PLC0415 - only who uses a server installs these
        import pgqueuer  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise RequestError(f"db: {error.name} is not installed: pip install 'commonwatt[hub,postgres]'") from None
    settings, clock = load_settings(args.data), open_clock(args.clock)
    if args.what == RESTORED:
        return _restored(args, settings.store, clock)
    schema = args.schema or (settings.store.schema if settings.store else settings.coop.id.replace("-", "_"))
    if args.what == COPY and args.source == POSTGRES:
        return _copy_back(args, settings.store, clock)
    admin = _address(args.to, args.to_file)
    if args.what == PREPARE:
        if args.source is not None:
            raise RequestError("db prepare: --from belongs to: commonwatt-hub db copy")
        return _prepare(args.data, settings.store, admin, schema, clock)
    if args.source is None:
        raise RequestError("db copy: give --from sqlite or --from postgres")
    progress = Progress(sys.stderr)
    with running_alone(args.data):
        copied = asyncio.run(_copy_there(args.data, admin, schema, clock, progress.report))
    progress.end()
    sys.stdout.write(_words(copied))
    sys.stdout.write(f'next, in hub.toml:\n[store]\nschema = "{schema}"\naddress_file = "{ADDRESS_NAME}"\n')
    return 0


def _prepare(folder: Path, server: StoreSettings | None, admin: str, schema: str, clock: Clock) -> int:
    from hub.folder.elsewhere.server_store import prepare_on_server  # noqa: PLC0415 - needs asyncpg

    own = asyncio.run(prepare_on_server(folder, server, admin=admin, schema=schema, clock=clock))
    sys.stdout.write(f"the schema {schema} is this program's\n")
    if own.is_again:
        sys.stdout.write(
            f"{own.path} was missing: it is there again, with a new password; the former one is no good any more.\n"
            "Start every process of the hub again, and give other machines the new file (commonwatt-hub roles files)\n"
        )
    elif own.is_written:
        sys.stdout.write(f"the hub's own address, with its password, is in {own.path}; next, for a store in a file:\n")
        sys.stdout.write(f"  commonwatt-hub db copy --data {folder} --from sqlite --to ... --schema {schema}\n")
        sys.stdout.write(f"after a restore on this server: commonwatt-hub db restored --data {folder}\n")
    return 0


def _restored(args: argparse.Namespace, server: StoreSettings | None, clock: Clock) -> int:
    if any(given is not None for given in (args.source, args.to, args.to_file, args.schema)):
        raise RequestError("db restored: takes --data and nothing else: it looks where hub.toml says that the store is")
    if server is None:
        raise RequestError("db restored: hub.toml has no [store]; a file comes back with: commonwatt-hub restore")
    with running_alone(args.data):
        newest_s = asyncio.run(_note_restored(args.data, clock))
    sys.stdout.write(
        f"noted: the store came back, with readings until {datetime.fromtimestamp(newest_s, UTC):%Y-%m-%d %H:%M UTC};"
        " everybody has to sign in again.\nNothing is published or paid until a board member has looked at what"
        " happened after that (docs/the-server-died.md,\nsteps 6 and 7) and confirmed it:"
        f" commonwatt-hub restore confirm --data {args.data} --by ID\n"
    )
    return 0


async def _note_restored(folder: Path, clock: Clock) -> int:
    """Note it in the store; returns the end of the newest reading in it, unix s. Raises: RequestError or StoreError."""
    async with opened_hub(folder, clock=clock) as hub:
        if any(each.checked_at is None for each in await hub.store.restores()):
            raise RequestError("db restored: noted already, and not confirmed yet: commonwatt-hub restore confirm")
        newest = max((await hub.store.received_through()).values(), default=None)
        made_at = hub.opened_at if newest is None else start_of(newest + 1)
        await hub.store.add_restore(backup_made_at=made_at, restored_at=hub.opened_at)
        return made_at


async def _copy_there(folder: Path, admin: str, schema: str, clock: Clock, report: ReportProgress) -> "Copied":
    from hub.folder.elsewhere.server_store import copy_there  # noqa: PLC0415 - needs asyncpg

    return await copy_there(folder, admin=admin, schema=schema, clock=clock, report=report)


def _copy_back(args: argparse.Namespace, server: StoreSettings | None, clock: Clock) -> int:
    from hub.folder.elsewhere.server_store import copy_back  # noqa: PLC0415 - needs asyncpg

    if server is None:
        raise RequestError("db copy --from postgres: hub.toml has no [store]: the store is a file already")
    if args.to is None or args.to_file is not None:
        raise RequestError("db copy --from postgres: give --to FILE, the new file")
    progress = Progress(sys.stderr)
    with running_alone(args.data):
        copied = asyncio.run(copy_back(args.data, server, Path(args.to), clock=clock, report=progress.report))
    progress.end()
    sys.stdout.write(_words(copied))
    return 0


def _words(copied: "Copied") -> str:
    what = f"copied {copied.rows} rows of {copied.tables} tables"
    return f"{what}; both sides were read again and are equal: {copied.digest}\n"


def _address(given: str | None, path: Path | None) -> str:
    """The administrator's address. Raises: RequestError or SettingsError."""
    if (given is None) == (path is None):
        raise RequestError("db: give the server with --to DSN, or with --to-file FILE")
    if path is not None:
        return address_in(path)
    from hub.folder.elsewhere.server_store import has_password  # noqa: PLC0415 - needs asyncpg

    assert given is not None
    if has_password(given):
        raise RequestError("db: anybody on this computer sees a password in a command: use --to-file or PGPASSFILE")
    return given
