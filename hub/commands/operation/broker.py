"""`commonwatt-hub broker`: tries what a home can see of others; writes an external broker's files, or a firewall."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hub.broker.access_rules import (
    CHECK_IDS,
    CHECK_MEMBER,
    CHECK_NEIGHBOUR,
    KnownAgents,
    rules_of_homes,
    rules_topic,
)
from hub.broker.check.client import HomesPlace
from hub.broker.check.roles import RoleResult, check_broker, roles_of, roles_without_certificates
from hub.broker.connection import BrokerAddress
from hub.broker.firewall.ports import hub_ports, with_people
from hub.broker.firewall.ruleset import ruleset_text
from hub.broker.local_session import is_allowed_to_write
from hub.broker.plans import EXTERNAL, IOTCORE, BrokerError, running_address
from hub.broker.sharded.planned import hub_address, site_folder
from hub.commands.operation.handed_over.mosquitto import PLACE, known_now, write_broker_files
from hub.commands.operation.handed_over.rabbitmq import PLACE as RABBITMQ_PLACE
from hub.folder.clock import open_clock
from hub.folder.elsewhere.broker_settings import LOOPBACK
from hub.folder.elsewhere.broker_sites import RABBITMQ
from hub.folder.elsewhere.public_settings import PublicSettings
from hub.folder.paths import BROKER_NAME, running_brokers
from hub.folder.settings import HubSettings, load_settings
from hub.trust.authority_files import root_file
from hub.trust.server_certificate import required_authority
from hub.trust.trial_certificates import write_trial_certificates
from protocols.errors import RequestError
from protocols.timeline import Clock

CHECK: Final = "check"
FILES: Final = "files"
FIREWALL: Final = "firewall"
HUB_PORT: Final = 8884
SSH_PORT: Final = 22
NOT_CHECKED: Final = 3


class NotCheckedError(RequestError):
    """This broker is not one that the check can try: that is no leak, and no all-clear."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument(
        "what",
        choices=(CHECK, FILES, FIREWALL),
        help="check: try the running broker as a member would who wants to listen; files: write what the administrator"
        " of a broker on another computer needs; firewall: print an nftables ruleset for the hub's computer",
    )
    parser.add_argument("--json", action="store_true", help="check: print one line of JSON")
    parser.add_argument("--to", type=Path, metavar="DIR", help="files: the new folder to write into")
    parser.add_argument(
        "--place",
        type=Path,
        metavar="DIR",
        help=f"files: where they will be on the broker's computer (default: {PLACE}, for RabbitMQ {RABBITMQ_PLACE})",
    )
    parser.add_argument(
        "--hub-port",
        type=int,
        default=HUB_PORT,
        metavar="N",
        help=f"files: the port where the hub will reach the broker (default: {HUB_PORT})",
    )
    parser.add_argument(
        "--ssh-port", type=int, default=SSH_PORT, metavar="N", help=f"firewall: the port of SSH (default: {SSH_PORT})"
    )
    parser.add_argument(
        "--ssh-from",
        action="append",
        metavar="NETWORK",
        help="firewall: open SSH to this address or network only; may be given several times (default: to everyone)",
    )
    parser.add_argument(
        "--relay",
        action="append",
        metavar="ADDRESS",
        help="firewall: no limits for this address, because many homes come from it; may be given several times",
    )


def run(args: argparse.Namespace) -> int:
    """Check, or write files. Returns 1 if there is a leak, 3 if this broker cannot be checked.

    Raises: RequestError, BrokerError, AuthorityError.
    """
    if args.what == FILES:
        return _write_files(args)
    if args.what == FIREWALL:
        opened = hub_ports(load_settings(args.data))
        people = with_people(opened, ssh=args.ssh_port, ssh_from=args.ssh_from or (), relays=args.relay or ())
        sys.stdout.write(ruleset_text(people))
        return 0
    try:
        results = check(args.data, clock=open_clock(args.clock))
    except NotCheckedError as error:
        sys.stderr.write(f"commonwatt-hub: {error}\n")
        return NOT_CHECKED
    is_sound = not any(each.leaks for each in results)
    found = {"is_sound": is_sound, "roles": [asdict(each) for each in results]}
    sys.stdout.write(json.dumps(found) + "\n" if args.json else report(results))
    return 0 if is_sound else 1


def _write_files(args: argparse.Namespace) -> int:
    if args.to is None:
        raise RequestError("broker files: say where to write: --to DIR")
    if (args.place is not None and not args.place.is_absolute()) or not 1 <= args.hub_port <= 65535:
        raise RequestError("broker files: expected --place as a full path, and --hub-port from 1 to 65535")
    done = write_broker_files(
        args.data, args.to, place=args.place, hub_port=args.hub_port, clock=open_clock(args.clock)
    )
    sys.stdout.write(asyncio.run(done))
    return 0


def check(folder: Path, *, clock: Clock) -> tuple[RoleResult, ...]:
    """Try the broker of this hub as every role. Raises: RequestError, BrokerError."""
    settings = load_settings(folder)
    running = running_brokers(folder)
    if not running:
        raise RequestError(f"broker check: the hub is not running; start it with: commonwatt-hub run --data {folder}")
    if settings.public is not None and settings.broker.sites:
        return _check_sites(folder, settings, settings.public, ports=[port for _, port in running], clock=clock)
    name, port = running[0]
    if name == RABBITMQ:
        raise NotCheckedError(
            "broker check: nothing was checked: it tries a Mosquitto, and this hub's broker is RabbitMQ; how that was"
            " tried is in docs/broker.md"
        )
    if name == IOTCORE:
        raise RequestError(
            "broker check: the built-in broker has no access rules: every program on this computer can read every home;"
            " with mosquitto installed the hub starts that instead"
        )
    hub = running_address(settings.broker, folder=folder / BROKER_NAME, port=port)
    if settings.public is not None and settings.broker.kind == EXTERNAL:
        _require_rules_of_today(settings.coop.id, hub, asyncio.run(known_now(folder, clock=clock)))
    if settings.public is not None:
        host = settings.public.host if settings.broker.kind == EXTERNAL else LOOPBACK
        place = HomesPlace(host, settings.public.broker_port, root_file(folder))
        return _check_with_certificates(folder, settings.coop.id, place, hub=hub)
    if settings.broker.kind == EXTERNAL:
        raise RequestError("broker check: an external broker is tried where homes reach it: enter [public] in hub.toml")
    place, coop = HomesPlace(hub.host, hub.port), settings.coop.id
    return check_broker(place, hub, coop=coop, roles=roles_without_certificates(), neighbour=None, progress=_say)


def _check_sites(
    folder: Path, settings: HubSettings, public: PublicSettings, *, ports: Sequence[int], clock: Clock
) -> tuple[RoleResult, ...]:
    """Try each of several brokers; the roles say at which. Raises: BrokerError."""
    found: list[RoleResult] = []
    for number, (site, port) in enumerate(zip(settings.broker.sites, ports, strict=True)):
        if site.host is None:
            hub = running_address(settings.broker, folder=site_folder(folder, number), port=port)
        else:
            hub = hub_address(site, folder=folder, root=root_file(folder))
            _require_rules_of_today(settings.coop.id, hub, asyncio.run(known_now(folder, clock=clock)))
        place = HomesPlace(site.host or LOOPBACK, site.homes_port, root_file(folder))
        results = _check_with_certificates(folder, settings.coop.id, place, hub=hub)
        where = f"{site.host or public.host}:{site.homes_port}"
        found += [replace(each, role=f"{each.role} at {where}") for each in results]
    return tuple(found)


def _check_with_certificates(
    folder: Path, coop: str, place: HomesPlace, *, hub: BrokerAddress
) -> tuple[RoleResult, ...]:
    """Try the listener for homes with certificates made for it; their keys are gone when this returns."""
    with TemporaryDirectory(dir=folder / BROKER_NAME, prefix="check-") as held:
        identities = write_trial_certificates(
            required_authority(folder),
            Path(held),
            coop=coop,
            names=CHECK_IDS,
            member=CHECK_MEMBER,
            now_s=int(time.time()),
        )
        return check_broker(
            place,
            hub,
            coop=coop,
            roles=roles_of(identities),
            neighbour=identities[CHECK_NEIGHBOUR],
            progress=_say,
        )


def _require_rules_of_today(coop: str, hub: BrokerAddress, agents: KnownAgents) -> None:
    """An external broker has the rules that were handed over last, not always those of now. Raises: BrokerError."""
    if not is_allowed_to_write(hub, rules_topic(coop, rules_of_homes(coop, agents))):
        raise BrokerError(
            f"the broker on {hub.words} does not accept the hub, or its access rules are not those of today's agents:"
            " make them again with commonwatt-hub broker files, hand them over, and send Mosquitto SIGHUP"
        )


def report(results: Sequence[RoleResult]) -> str:
    """The lines for people: one a role, each leak, and the verdict."""
    lines = []
    for each in results:
        tried = f"{each.filters} filters, {each.publishes} topics to publish on" if each.filters else "one connection"
        state = "LEAK" if each.leaks else "nothing of others" if each.entered else "not let in"
        lines.append(f"{each.role:<16} {tried}: {state}")
        lines += [f"    {leak}" for leak in each.leaks]
    leaks = sum(len(each.leaks) for each in results)
    lines.append(f"{leaks} LEAKS: do not let homes use this broker" if leaks else "OK: nobody sees or sends for others")
    return "".join(f"{line}\n" for line in lines)


def _say(role: str) -> None:
    sys.stderr.write(f"trying as {role} ...\n")
