"""`commonwatt-hub broker files`: what to hand to the administrator of a broker on another computer."""

import secrets
import time
from pathlib import Path
from typing import Final

from hub.broker.access_rules import HUB_USER, KnownAgents
from hub.broker.external_files import ACCESS, FILE_NAMES, FIREWALL, external_files, rules_text
from hub.folder.elsewhere.public_settings import PublicSettings
from hub.folder.opening import opened_hub
from hub.folder.paths import EXTERNAL_SIGN_IN_NAME
from hub.folder.settings import load_settings
from hub.intake.broker_access import agents_for_rules
from hub.trust.authority import AuthorityError
from hub.trust.authority_files import FOLDER_NAME, ROOT_NAME, read_private
from hub.trust.certificates import DAY_S
from hub.trust.server_certificate import required_authority
from protocols.durable_files import make_private_folder, write_durably
from protocols.errors import RequestError
from protocols.timeline import Clock

SERVER_S: Final = 397 * DAY_S
"""Longer than for the hub's own servers, because a person has to carry it over."""


async def write_broker_files(folder: Path, to: Path, *, place: Path, hub_port: int, clock: Clock) -> str:
    """Write the files into the new folder `to`, or again into one that holds them; what to do with them.

    Raises: RequestError, AuthorityError, SettingsError.
    """
    settings = load_settings(folder)
    public = settings.public
    if public is None:
        raise RequestError(
            "broker files: enter in hub.toml under [public] where homes will reach the broker, then try again"
        )
    _refuse_foreign(to)
    authority, now_s = required_authority(folder), int(time.time())
    agents = await known_now(folder, clock=clock)
    server = authority.issue_server(public.all_names, now_s=now_s, lasts_s=SERVER_S)
    files = external_files(
        place,
        rules=rules_text(settings.coop.id, agents),
        homes_port=public.broker_port,
        hub_port=hub_port,
        password=_password(folder),
        root_pem=authority.root_pem,
        server_pem=server.chain_pem + server.key_pem,
    )
    try:
        make_private_folder(to)
        for name, content in files.items():
            write_durably(to / name, content, replace=True)
    except OSError as error:
        raise RequestError(f"{to}: cannot be written: {error.strerror}") from None
    return _advice(to, public, place=place, hub_port=hub_port, until_s=server.not_after_s)


async def known_now(folder: Path, *, clock: Clock) -> KnownAgents:
    """The agents that the rules are made for now. Raises: StoreError."""
    async with opened_hub(folder, clock=clock) as hub:
        return await agents_for_rules(hub.store, now_s=int(clock.now()))


def _refuse_foreign(to: Path) -> None:
    try:
        others = [each.name for each in to.iterdir() if each.name not in FILE_NAMES] if to.exists() else []
    except OSError as error:
        raise RequestError(f"{to}: cannot be used: {error.strerror}") from None
    if others:
        raise RequestError(f"{to}: not empty ({others[0][:40]} is there): give --to a folder of its own")


def _password(folder: Path) -> str:
    """The hub's password at the external broker: made once, so that only the rules change when files are made again."""
    path = folder / EXTERNAL_SIGN_IN_NAME
    if path.exists():
        return read_private(path).decode("utf-8").strip()
    made = secrets.token_urlsafe(32)
    try:
        write_durably(path, f"{made}\n".encode())
    except OSError as error:
        raise AuthorityError(f"{path}: cannot be written: {error.strerror}") from None
    return made


def _advice(to: Path, public: PublicSettings, *, place: Path, hub_port: int, until_s: int) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(until_s))
    return f"""wrote {", ".join(FILE_NAMES)} to {to}
1. on the broker's computer they belong into {place}, readable by Mosquitto's user alone; then into mosquitto.conf:
     include_dir {place}
2. in hub.toml:
     [broker]
     kind = "external"
     host = "{public.host}"
     port = {hub_port}
     username = "{HUB_USER}"
     password_file = "{EXTERNAL_SIGN_IN_NAME}"
     ca_file = "{FOLDER_NAME}/{ROOT_NAME}"
3. if that computer has no firewall yet, {FIREWALL} is one for nftables: it closes every port but SSH and the broker's
4. start both, and try it with: commonwatt-hub broker check
after each enrolment and revocation: make the files again, replace {ACCESS} there, and send Mosquitto SIGHUP.
the server's certificate is valid until {day}: make the files again before
"""
