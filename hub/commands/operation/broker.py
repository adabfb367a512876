"""`commonwatt-hub broker check`: tries what a home can see of others at the running broker, and reports each leak."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from hub.broker.check.client import HomesPlace
from hub.broker.check.roles import RoleResult, check_broker, roles_without_certificates
from hub.broker.connection import BrokerAddress
from hub.broker.plans import EXTERNAL, IOTCORE, running_address
from hub.folder.paths import BROKER_NAME, running_broker
from hub.folder.settings import HubSettings, load_settings
from protocols.errors import RequestError

CHECK: Final = "check"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --data and --clock."""
    parser.add_argument("what", choices=(CHECK,), help="try the running broker as a member would who wants to listen")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Check. Returns 1 if there is a leak. Raises: RequestError, BrokerError."""
    results = check(args.data)
    is_sound = not any(each.leaks for each in results)
    found = {"is_sound": is_sound, "roles": [asdict(each) for each in results]}
    sys.stdout.write(json.dumps(found) + "\n" if args.json else report(results))
    return 0 if is_sound else 1


def check(folder: Path) -> tuple[RoleResult, ...]:
    """Try the broker of this hub as every role. Raises: RequestError, BrokerError."""
    settings = load_settings(folder)
    where = running_broker(folder)
    if where is None:
        raise RequestError(f"broker check: the hub is not running; start it with: commonwatt-hub run --data {folder}")
    name, port = where
    if name == IOTCORE:
        raise RequestError(
            "broker check: the built-in broker has no access rules: every program on this computer can read every home;"
            " with mosquitto installed the hub starts that instead"
        )
    hub = running_address(settings.broker, folder=folder / BROKER_NAME, port=port)
    place = _place(settings, hub)
    coop = settings.coop.id
    return check_broker(place, hub, coop=coop, roles=roles_without_certificates(), neighbour=None, progress=_say)


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


def _place(settings: HubSettings, hub: BrokerAddress) -> HomesPlace:
    if settings.broker.kind == EXTERNAL:
        raise RequestError("broker check: only a broker that the hub starts itself can be checked")
    return HomesPlace(hub.host, hub.port)


def _say(role: str) -> None:
    sys.stderr.write(f"trying as {role} ...\n")
