"""Which ports of a computer have to be open for the hub or its broker there, from the settings in hub.toml."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Final

from hub.broker.firewall.ruleset import OpenPorts
from hub.broker.plans import EXTERNAL
from hub.folder.elsewhere.broker_settings import LOOPBACK
from hub.folder.elsewhere.broker_sites import RABBITMQ
from hub.folder.settings import HubSettings
from protocols.errors import RequestError

HTTP: Final = (80, 443)
MOST_ADDRESSES: Final = 50


def hub_ports(settings: HubSettings) -> OpenPorts:
    """The hub's own computer: homes at broker and enrolment, browsers at a proxy or at the pages themselves.

    Raises: RequestError if homes elsewhere cannot reach the hub at all.
    """
    public = settings.public
    if public is None:
        raise RequestError(
            "broker firewall: enter in hub.toml under [public] where homes will reach this computer, then try again"
        )
    at_home: tuple[int, ...] = () if settings.broker.kind in (EXTERNAL, RABBITMQ) else (public.broker_port,)
    if settings.broker.sites:
        at_home = tuple(site.homes_port for site in settings.broker.sites if site.host is None)
    pages = HTTP if settings.web.https else ()
    if settings.web.host not in (LOOPBACK, "::1", "localhost"):
        pages = (*pages, settings.web.port)
    names = any(each.rstrip(".").endswith(".local") for each in (*public.all_names, *settings.web.names))
    return OpenPorts((*at_home, public.enrol_port), pages, answers_names=names)


def broker_ports(*, homes: Sequence[int], hub: Sequence[int]) -> OpenPorts:
    """The computer of one or more external brokers: homes at their listeners, and the hub at its own."""
    return OpenPorts(tuple(homes), tuple(hub))


def with_people(opened: OpenPorts, *, ssh: int, ssh_from: Sequence[str], relays: Sequence[str]) -> OpenPorts:
    """The same with SSH on this port from these networks, and without limits for these relays. Raises: RequestError."""
    if not 1 <= ssh <= 65535:
        raise RequestError("broker firewall: expected --ssh-port from 1 to 65535")
    if max(len(ssh_from), len(relays)) > MOST_ADDRESSES:
        raise RequestError(f"broker firewall: more than {MOST_ADDRESSES} addresses: give a network, like 192.0.2.0/24")
    networks, addresses = [], []
    for text in ssh_from:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            raise RequestError(
                f"broker firewall: --ssh-from {text[:60]}: expected an address or a network, like 192.0.2.0/24"
            ) from None
    for text in relays:
        try:
            addresses.append(ip_address(text))
        except ValueError:
            raise RequestError(f"broker firewall: --relay {text[:60]}: expected an address, like 10.77.0.1") from None
    return replace(opened, ssh=ssh, ssh_from=tuple(networks), relays=tuple(addresses))
