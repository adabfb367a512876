"""`commonwatt-hub roles files`: writes what another machine needs to run a process of this hub with a role."""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from hub.backups.contents import KEPT_OF_BROKER, files_of
from hub.folder.paths import BROKER_NAME, IDENTITY_KEY_NAME
from hub.folder.settings import load_settings
from hub.processes.roles.names import refuse_alone
from hub.trust.authority_files import FOLDER_NAME, NEXT_NAME, ROOT_KEY_NAME
from protocols.durable_files import make_private_folder, write_durably
from protocols.errors import RequestError

FILES: Final = "files"
STAYS: Final = frozenset(
    {
        IDENTITY_KEY_NAME,
        f"{FOLDER_NAME}/{ROOT_KEY_NAME}",
        f"{NEXT_NAME}/{ROOT_KEY_NAME}",
        f"{BROKER_NAME}/{KEPT_OF_BROKER}",
    }
)
"""The lasting keys, which no running hub reads, and the name of this machine's own session at the broker."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("what", choices=(FILES,), help="files: the hub's folder for another machine, without a store")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder, to be carried there whole")


def run(args: argparse.Namespace) -> int:
    """Write the folder. Raises: CommonwattError with a one-line message."""
    refuse_alone(load_settings(args.data))
    count = write_role_files(args.data, args.to)
    sys.stdout.write(
        f"wrote {count} files to {args.to}; they hold the hub's keys: carry the folder over a way that nobody else"
        f" reads, and start there:\n  commonwatt-hub run --data {args.to.name} --role intake\n"
    )
    return 0


def write_role_files(folder: Path, to: Path) -> int:
    """Copy the hub's own files, readable by their owner alone; how many. Raises: RequestError."""
    try:
        if to.exists() and any(to.iterdir()):
            raise RequestError(f"{to}: is not empty: give a new folder")
        make_private_folder(to)
        count = 0
        for name, path in files_of(folder):
            if name in STAYS:
                continue
            make_private_folder((to / name).parent)
            write_durably(to / name, path.read_bytes())
            count += 1
    except OSError as error:
        raise RequestError(f"{error.filename or to}: {os.strerror(error.errno or 0)}") from None
    return count
