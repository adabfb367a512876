"""What has to run for the brokers in the settings: one plan each, with its files written. Starts nothing."""

from dataclasses import replace
from pathlib import Path

from hub.broker.access_rules import HUB_USER
from hub.broker.connection import BrokerAddress
from hub.broker.mosquitto_files import HomesListener
from hub.broker.plans import EXTERNAL, BrokerError, BrokerPlan, plan_broker, read_password
from hub.folder.elsewhere.broker_sites import RABBITMQ, BrokerSite
from hub.folder.paths import BROKER_NAME, EXTERNAL_SIGN_IN_NAME
from hub.folder.settings import HubSettings


def plan_brokers(
    settings: HubSettings, *, folder: Path, port: int | None, homes: HomesListener | None
) -> tuple[BrokerPlan, ...]:
    """The plans in the order of the settings: one for each of `broker.shards`, or a single one.

    `port` is where the first broker listens for the hub, if it needs a port. Raises: BrokerError.
    """
    coop, sites = settings.coop.id, settings.broker.sites
    if settings.broker.nodes:
        host, node_port = settings.broker.nodes[0]
        return (BrokerPlan(RABBITMQ, (), BrokerAddress(host, node_port), None),)
    if not sites or homes is None:
        return (plan_broker(settings.broker, folder=folder / BROKER_NAME, coop=coop, port=port, homes=homes),)
    plans = []
    for number, site in enumerate(sites):
        if site.host is not None:
            plans.append(BrokerPlan(EXTERNAL, (), hub_address(site, folder=folder, root=homes.ca_file), None))
            continue
        plan = plan_broker(
            settings.broker,
            folder=site_folder(folder, number),
            coop=coop,
            # Only the first has the port of the settings; the others take a free one, and with a socket none at all.
            port=port if number == 0 else 0,
            homes=replace(homes, port=site.homes_port),
        )
        plans.append(replace(plan, port_setting="broker.shards in hub.toml"))
    return tuple(plans)


def site_folder(folder: Path, number: int) -> Path:
    """Where the files of one of several brokers lie in the hub's data folder."""
    return folder / BROKER_NAME if number == 0 else folder / BROKER_NAME / f"site-{number + 1}"


def hub_address(site: BrokerSite, *, folder: Path, root: Path) -> BrokerAddress:
    """How the hub reaches one of several brokers that runs elsewhere, under this root. Raises: BrokerError."""
    assert site.host is not None, "the hub knows of its own how it reaches those it starts"
    try:
        password = read_password(folder / EXTERNAL_SIGN_IN_NAME)
    except BrokerError:
        raise BrokerError(
            f"broker.shards: the broker on {site.host} needs its files first: commonwatt-hub broker files --to DIR"
        ) from None
    return BrokerAddress(site.host, site.hub_port, username=HUB_USER, password=password, ca_file=root)
