"""`commonwatt-hub init`: makes a new hub in a folder: its key, its store and hub.toml."""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Final

from hub.commands.operation.authority import WORDS, made_lines
from hub.console.passphrase import OPTION, OPTION_WORDS, can_ask, read_passphrase
from hub.core.rules.preset_form import Preset
from hub.core.rules.presets import PresetError, find_preset
from hub.folder.clock import open_clock
from hub.folder.first_settings import UNTIL_SHARES, settings_text
from hub.folder.keys.hub_key import load_key, make_key
from hub.folder.keys.rotation import identity_in, make_identity
from hub.folder.keys.salt_key import load_seals
from hub.folder.keys.signer import load_signer
from hub.folder.opening import open_store
from hub.folder.paths import CERTIFICATES_NAME, IDENTITY_KEY_NAME, KEY_NAME, SALT_NAME, STORE_NAME
from hub.folder.setting_values import is_currency, is_name, is_zone
from hub.folder.settings import FILE_NAME
from hub.storage.records import Coop
from hub.trust.authority_files import (
    FOLDER_NAME,
    ROOT_KEY_NAME,
    load_authority,
    make_authority,
    open_root_key,
    read_key_file,
)
from protocols.durable_files import make_private_folder, write_durably
from protocols.errors import RequestError
from protocols.timeline import Clock
from protocols.wire.topics import is_id

OWN_NAMES: Final = (
    KEY_NAME,
    IDENTITY_KEY_NAME,
    CERTIFICATES_NAME,
    SALT_NAME,
    STORE_NAME,
    FILE_NAME,
    FOLDER_NAME,
)
"""Files an interrupted `init` may leave behind, perhaps with a suffix: running it again then finishes the work."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("--name", required=True, help="the co-op's name")
    parser.add_argument("--coop", required=True, metavar="ID", help="the co-op's id: 1 to 32 of a-z, 0-9 and -")
    parser.add_argument("--tz", required=True, help="the co-op's time zone, such as Europe/Madrid")
    parser.add_argument("--currency", default="EUR", help="such as EUR")
    parser.add_argument(
        "--preset", metavar="ID", help="a country's way of sharing for the first rule, see commonwatt-hub presets"
    )
    parser.add_argument(
        OPTION,
        type=Path,
        metavar="FILE",
        help=f"{OPTION_WORDS}; it encrypts the co-op's root key and identity key. Without a file and a"
        " terminal there is no authority yet: commonwatt-hub authority make makes it later",
    )


def run(args: argparse.Namespace) -> int:
    """Make the hub and say how to start it. Raises: RequestError with a one-line message."""
    coop = Coop(args.coop, args.name, args.tz, args.currency)
    _check_coop(coop)
    _refuse_second(args.data)
    preset = None if args.preset is None else _preset(args.preset)
    passphrase = b""
    if args.passphrase_file is not None or can_ask():
        passphrase = read_passphrase(args.passphrase_file, words=WORDS, is_new=True, can_wait=True)
    clock = open_clock(args.clock)
    asyncio.run(init_hub(args.data, coop=coop, clock=clock, passphrase=passphrase, preset=preset))
    if passphrase:
        sys.stdout.write(made_lines(args.data))
    else:
        sys.stdout.write("no certificate authority yet, which homes elsewhere need; to make it:\n")
        sys.stdout.write(f"  commonwatt-hub authority make --data {args.data}\n")
    sys.stdout.write(f"made the hub of {args.name} in {args.data}; look at {args.data / FILE_NAME}, then:\n")
    sys.stdout.write(f"  commonwatt-hub run --data {args.data}\n")
    if preset is not None and not preset.needs_no_member:
        sys.stdout.write(
            f"{preset.id} needs each member's share: until the members are there and have agreed, {UNTIL_SHARES} by the"
            f" {preset.step}. Then:\n"
            f"  commonwatt-hub rules propose --data {args.data} --preset {preset.id} --file FILE --from DAY --by ID\n"
        )
    return 0


async def init_hub(
    folder: Path, *, coop: Coop, clock: Clock, passphrase: bytes = b"", preset: Preset | None = None
) -> None:
    """Make a hub in `folder`, with a certificate authority and an identity key if there is a passphrase for them.

    hub.toml is written last: until it exists, running the command again finishes the work.
    Raises: RequestError if the folder holds a hub or anything else, or if an argument is wrong.
    """
    _check_coop(coop)
    _make_folder(folder)
    if passphrase:
        _make_authority(folder, coop=coop.id, passphrase=passphrase)
    store = await open_store(folder, clock=clock, create=True)
    try:
        await store.set_coop(coop)
    finally:
        await store.close()
    try:
        write_durably(folder / FILE_NAME, settings_text(coop, preset).encode("utf-8"))
    except OSError as error:
        raise RequestError(f"{folder / FILE_NAME}: cannot be written: {error.strerror}") from None


def _refuse_second(folder: Path) -> None:
    if (folder / FILE_NAME).exists():
        raise RequestError(f"{folder}: there is a hub here already ({FILE_NAME})")


def _make_folder(folder: Path) -> None:
    _refuse_second(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = sorted(path.name for path in folder.iterdir() if not path.name.startswith(OWN_NAMES))
        if not others:
            make_private_folder(folder)
    except OSError as error:
        raise RequestError(f"{folder}: cannot make the folder: {error.strerror}") from None
    if others:
        raise RequestError(f"{folder}: not empty ({others[0][:40]} is there): give --data a folder of the hub's own")
    if (folder / KEY_NAME).exists():
        load_key(folder / KEY_NAME)
    else:
        make_key(folder / KEY_NAME)
    load_seals(folder)


def _make_authority(folder: Path, *, coop: str, passphrase: bytes) -> None:
    """The root key, then the identity key; what an interrupted `init` has made is opened instead."""
    begun, now_s = load_authority(folder), int(time.time())
    if begun is None:
        make_authority(folder, coop=coop, passphrase=passphrase, now_s=now_s)
    else:
        open_root_key(folder / FOLDER_NAME / ROOT_KEY_NAME, begun.root, passphrase)
    if load_signer(folder).certificate is None:
        make_identity(folder, coop=coop, passphrase=passphrase, now_s=now_s)
    else:
        path = folder / IDENTITY_KEY_NAME
        identity_in(read_key_file(path), folder=folder, passphrase=passphrase, where=str(path))


def _preset(preset_id: str) -> Preset:
    try:
        return find_preset(preset_id)
    except PresetError as error:
        raise RequestError(f"--preset: {error}") from None


def _check_coop(coop: Coop) -> None:
    if not is_id(coop.id):
        raise RequestError(f"--coop {coop.id[:40]!r}: expected 1 to 32 of a-z, 0-9 and -")
    if not is_name(coop.name):
        raise RequestError("--name: expected 1 to 80 printable characters")
    if not is_zone(coop.tz):
        raise RequestError(f"--tz {coop.tz[:40]!r}: expected a time zone like Europe/Madrid")
    if not is_currency(coop.currency):
        raise RequestError(f"--currency {coop.currency[:40]!r}: expected three capital letters like EUR")
