"""`commonwatt-hub broker files`: what to hand to the administrator of a broker on another computer."""

import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from hub.broker.access_rules import HUB_USER, KnownAgents
from hub.broker.external_files import ACCESS, FILE_NAMES, FIREWALL, external_files, rules_text
from hub.broker.firewall.ports import broker_ports
from hub.commands.operation.handed_over.rabbitmq import FILE_NAMES as NODE_FILE_NAMES
from hub.commands.operation.handed_over.rabbitmq import PLACE as RABBITMQ_PLACE
from hub.commands.operation.handed_over.rabbitmq import rabbitmq_advice, rabbitmq_files
from hub.folder.elsewhere.public_settings import PublicSettings
from hub.folder.opening import opened_hub
from hub.folder.paths import EXTERNAL_SIGN_IN_NAME
from hub.folder.settings import HubSettings, load_settings
from hub.intake.broker_access import agents_for_rules
from hub.trust.authority import AuthorityError
from hub.trust.authority_files import FOLDER_NAME, ROOT_NAME, read_private
from hub.trust.certificates import DAY_S
from hub.trust.server_certificate import required_authority
from protocols.durable_files import make_private_folder, write_durably
from protocols.errors import RequestError
from protocols.timeline import Clock

PLACE: Final = Path("/etc/mosquitto/commonwatt")
SITES_LINES: Final = "2. hub.toml stays as it is: broker.shards names these brokers, and each has a folder here"
SHARED_LINES: Final = """
     where a computer has several brokers, the files of each belong into a folder there with its port as the name, and
     include_dir names that folder"""
SERVER_S: Final = 397 * DAY_S
"""Longer than for the hub's own servers, because a person has to carry it over."""


async def write_broker_files(folder: Path, to: Path, *, place: Path | None, hub_port: int, clock: Clock) -> str:
    """Write the files into the new folder `to`, or again into one that holds them; what to do with them.

    Raises: RequestError, AuthorityError, SettingsError.
    """
    settings = load_settings(folder)
    public = settings.public
    if public is None:
        raise RequestError(
            "broker files: enter in hub.toml under [public] where homes will reach the broker, then try again"
        )
    if settings.broker.nodes:
        return await _write_nodes(folder, settings, to, place=place or RABBITMQ_PLACE, clock=clock)
    place = place or PLACE
    sites: list[tuple[str | None, int, int]] = [
        (each.host, each.homes_port, each.hub_port) for each in settings.broker.sites if each.host is not None
    ]
    if settings.broker.sites and not sites:
        raise RequestError("broker files: every broker in broker.shards is started by the hub: nobody else needs files")
    authority, now_s = required_authority(folder), int(time.time())
    rules = rules_text(settings.coop.id, await known_now(folder, clock=clock))
    for host, homes_port, site_hub_port in sites or [(None, public.broker_port, hub_port)]:
        there = [each for each in sites if each[0] == host] or [(host, homes_port, site_hub_port)]
        # No host has an underscore in its name, so that no other one's folder is called that.
        own = f"_{homes_port}" if len(there) > 1 else ""
        into = to if host is None else to / f"{host.replace(':', '-')}{own}"
        _refuse_foreign(into)
        names = public.all_names if host is None else (host,)
        server = authority.issue_server(names, now_s=now_s, lasts_s=SERVER_S)
        files = external_files(
            place / str(homes_port) if own else place,
            rules=rules,
            homes_port=homes_port,
            hub_port=site_hub_port,
            opened=broker_ports(homes=[port for _, port, _ in there], hub=[port for *_, port in there]),
            password=_password(folder),
            root_pem=authority.root_pem,
            server_pem=server.chain_pem + server.key_pem,
        )
        _write(to, into, files)
    settings_lines = _own_lines(public, hub_port=hub_port) if not sites else SITES_LINES
    hosts = [host for host, *_ in sites]
    more = SHARED_LINES if len(set(hosts)) < len(hosts) else ""
    return _advice(to, settings_lines, place=place, more=more, until_s=server.not_after_s)


async def _write_nodes(folder: Path, settings: HubSettings, to: Path, *, place: Path, clock: Clock) -> str:
    now_s, agents = int(time.time()), await known_now(folder, clock=clock)
    made = rabbitmq_files(
        folder, settings, authority=required_authority(folder), agents=agents, place=place, now_s=now_s
    )
    for host, files in made.items():
        into = to / host.replace(":", "-")
        _refuse_foreign(into, names=NODE_FILE_NAMES)
        _write(to, into, files)
    return rabbitmq_advice(to, place=place, now_s=now_s)


def _write(to: Path, into: Path, files: Mapping[str, bytes]) -> None:
    try:
        for folder in dict.fromkeys((to, into)):
            make_private_folder(folder)
        for name, content in files.items():
            write_durably(into / name, content, replace=True)
    except OSError as error:
        raise RequestError(f"{into}: cannot be written: {error.strerror}") from None


async def known_now(folder: Path, *, clock: Clock) -> KnownAgents:
    """The agents that the rules are made for now. Raises: StoreError."""
    async with opened_hub(folder, clock=clock) as hub:
        return await agents_for_rules(hub.store, now_s=int(clock.now()))


def _refuse_foreign(to: Path, *, names: Sequence[str] = FILE_NAMES) -> None:
    try:
        others = [each.name for each in to.iterdir() if each.name not in names] if to.exists() else []
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


def _own_lines(public: PublicSettings, *, hub_port: int) -> str:
    lines = (
        "2. in hub.toml:",
        "[broker]",
        'kind = "external"',
        f'host = "{public.host}"',
        f"port = {hub_port}",
        f'username = "{HUB_USER}"',
        f'password_file = "{EXTERNAL_SIGN_IN_NAME}"',
        f'ca_file = "{FOLDER_NAME}/{ROOT_NAME}"',
    )
    return "\n     ".join(lines)


def _advice(to: Path, settings_lines: str, *, place: Path, more: str, until_s: int) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(until_s))
    return f"""wrote {", ".join(FILE_NAMES)} to {to}
1. on the broker's computer they belong into {place}, readable by Mosquitto's user alone; then into mosquitto.conf:
     include_dir {place}{more}
{settings_lines}
3. if that computer has no firewall yet, {FIREWALL} is one for nftables: it closes every port but SSH and the broker's
4. start both, and try it with: commonwatt-hub broker check
after each enrolment and revocation: make the files again, replace {ACCESS} there, and send Mosquitto SIGHUP.
the server's certificate is valid until {day}: make the files again before
"""
