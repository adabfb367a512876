"""A real RabbitMQ from the hub's own files: homes send over MQTT, the hub takes it out over AMQP, nodes are killed."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pika
import pytest
from pika.exceptions import AMQPError, ConnectionClosedByBroker

from hub.broker.check.client import CheckClient, HomesPlace
from hub.broker.connection import BrokerAddress
from hub.broker.rabbitmq.configuration import MAX_PACKET_BYTES
from hub.broker.rabbitmq.definitions import MAX_CONNECTIONS, shard_queue
from hub.broker.rabbitmq.link import CONFIRMED_AT_ONCE
from hub.processes.rabbitmq import rabbitmq_link
from protocols.wire.topics import down_filter, downlink_topic, shard_of, uplink_topic
from tests.hub.broker.rabbitmq.nodes import Cluster, needs_rabbitmq
from tests.hub.sending_home import COOP
from tests.journeys.test_sharded_brokers import Street, Traffic, holds, moves_on
from tests.journeys.uplink_home import UplinkHome, uplink_home

pytestmark = needs_rabbitmq
ANY = range(64)
NOT_ALLOWED = 530  # AMQP 0-9-1, 1.2
BATCHES, HOMES_OF_MANY, AT_ONCE = 100_000, 25, 200


class RabbitStreet(Street):
    """A hub whose homes are at RabbitMQ, on these hosts."""

    def __init__(self, folder: Path, hosts: Sequence[str]) -> None:
        super().__init__(folder)
        self.hosts, self.files = tuple(hosts), folder / "nodes"
        self.homes_port, self.hub_port = self.ports

    async def make(self, passphrase: Path) -> None:
        await super().make(passphrase)
        nodes = json.dumps([f"{host}:{self.hub_port}" for host in self.hosts])
        text = self._written.replace('kind = "mosquitto"', f'kind = "rabbitmq"\nnodes = {nodes}')
        text = text.replace('host = "localhost"', f'host = "localhost"\nbroker_port = {self.homes_port}')
        (self.hub / "hub.toml").write_text(text)

    async def write_files(self) -> None:
        clock = ("--clock", str(self.clock))
        await self.run("broker", "files", "--to", str(self.files), "--place", str(self.files / self.hosts[0]), *clock)


@asynccontextmanager
async def rabbit_street(folder: Path, hosts: Sequence[str]) -> AsyncIterator[tuple[RabbitStreet, Cluster]]:
    """A hub's folder, and the nodes of its files, all of them serving."""
    passphrase = folder / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("five words for the safe\n")
    street = RabbitStreet(folder, hosts)
    await street.make(passphrase)
    await street.write_files()
    cluster = Cluster(street.files, hosts, homes_port=street.homes_port, hub_port=street.hub_port)
    try:
        for node in cluster.nodes:
            node.start()
        for node in cluster.nodes:
            await node.serving()
        yield street, cluster
    finally:
        cluster.stop()


@asynccontextmanager
async def homes_of(
    street: RabbitStreet, folder: Path, capsys: pytest.CaptureFixture[str], *, count: int
) -> AsyncIterator[list[UplinkHome]]:
    """So many enrolled homes; RabbitMQ knows them only when its administrator has given it the new definitions."""
    async with AsyncExitStack() as stack:
        homes = []
        for number in range(count):
            capsys.readouterr()
            member = ["--member", f"M{number}", "--email", f"m{number}@b.c", "--json", "--clock", str(street.clock)]
            await street.run("invite", *member)
            token = json.loads(capsys.readouterr().out)["token"]
            place = folder / f"home{number}"
            made = uplink_home(place, enrol_port=street.enrol_port, token=token, shards=ANY, now_s=street.now_s)
            homes.append(await stack.enter_async_context(made))
        yield homes


async def import_definitions(street: RabbitStreet, cluster: Cluster) -> None:
    """What its administrator does after enrolments: the files made again, and `rabbitmqctl import_definitions`."""
    again = street.files.parent / "again"
    place = street.files / street.hosts[0]
    await street.run("broker", "files", "--to", str(again), "--place", str(place), "--clock", str(street.clock))
    await cluster.nodes[0].control("import_definitions", str(again / street.hosts[0] / "definitions.json"))


def as_home(home: UplinkHome, *, claims: str | None = None) -> CheckClient:
    """Another program with the home's own certificate and key."""
    tls = home.identity.tls
    assert tls is not None
    root = home.folder / "trusted.pem"
    root.write_text(tls.root)
    certificate = home.folder / "tls.crt"
    if not certificate.exists():
        certificate.write_text(home.identity.enrolment.certificate)
    place = HomesPlace(home.identity.enrolment.broker_host, home.identity.enrolment.broker_port, root)
    return CheckClient.of_home(place, client_id=claims or home.agent, identity=(certificate, home.folder / "tls.key"))


def require_nothing_of_others(mine: UplinkHome, other: UplinkHome, street: RabbitStreet) -> None:
    """With its own key a home neither takes another's name, nor sends or hears for it, nor gets at a queue."""
    taken = as_home(mine, claims=other.agent)
    assert not taken.is_connected, "the client id has to be the certificate's name"
    taken.close()
    for topic in (
        uplink_topic(COOP.id, other.agent, kind="batch"),
        downlink_topic(COOP.id, other.agent, kind="receipt"),
        downlink_topic(COOP.id, mine.agent, kind="receipt"),
        "amq/topic",
    ):
        client = as_home(mine)
        assert client.is_connected
        assert not client.publish(topic), topic
        client.close()
    for wanted in (down_filter(COOP.id, other.agent), "#", f"cw1/{COOP.id}/+/+/down/+", "$share/x/#"):
        client = as_home(mine)
        client.listen((wanted,))
        hub = as_home(other)
        hub.publish(uplink_topic(COOP.id, other.agent, kind="time"))
        assert client.heard == (), wanted
        client.close()
        hub.close()
    context = ssl.create_default_context(cafile=str(mine.folder / "trusted.pem"))
    context.load_cert_chain(mine.folder / "tls.crt", mine.folder / "tls.key")
    parameters = pika.ConnectionParameters(
        street.hosts[0],
        street.hub_port,
        COOP.id,
        pika.credentials.ExternalCredentials(),
        ssl_options=pika.SSLOptions(context, street.hosts[0]),
    )
    with pytest.raises(AMQPError):
        pika.BlockingConnection(parameters).channel().basic_get(f"cw1.{COOP.id}.0.up")
    # What a home's rights allow it over MQTT it does not do over AMQP, and it does not hold many connections.
    with pytest.raises(ConnectionClosedByBroker) as refused:
        pika.BlockingConnection(parameters).channel()
    assert refused.value.reply_code == NOT_ALLOWED
    held: list[pika.BlockingConnection] = []
    try:
        with pytest.raises(AMQPError):
            held.extend(pika.BlockingConnection(parameters) for _ in range(2 * MAX_CONNECTIONS))
    finally:
        for connection in held:
            connection.close()
    assert 0 < len(held) <= MAX_CONNECTIONS


async def all_stored_once(street: RabbitStreet, homes: Sequence[UplinkHome]) -> None:
    for home in homes:
        await holds(lambda home=home: home.uplink._receipted.through == home.made, "everything has its receipt")
        assert [seq for _, seq in street.stored(home.agent)] == list(range(1, home.made + 1)), "each once"


async def takes_what_is_for_homes(street: RabbitStreet, homes: Sequence[UplinkHome]) -> None:
    """RabbitMQ confirms each message to a home that is kept until it is taken, more of them than are sent at once."""
    place = [(street.hosts[0], street.hub_port)]
    link = rabbitmq_link(street.hub, coop=COOP.id, nodes=place, deliver=lambda _: None, shards=())
    link.start(BrokerAddress(*place[0]))
    taken: set[int] = set()
    for number in range(2 * CONFIRMED_AT_ONCE + 1):
        topic = downlink_topic(COOP.id, homes[number % len(homes)].agent, kind="prompt")
        link.publish_latest(topic, lambda: b"signed by nobody", of=number, taken=partial(taken.add, number))
    try:
        await holds(lambda: len(taken) > 2 * CONFIRMED_AT_ONCE, "RabbitMQ has all of them")
    finally:
        await asyncio.to_thread(link.stop)


@pytest.mark.timeout(900)  # Erlang takes its time to start on a busy computer
async def test_homes_send_through_rabbitmq_and_neither_hub_nor_node_that_dies_loses_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as stack:
        street, cluster = await stack.enter_async_context(rabbit_street(tmp_path, ["localhost"]))
        async with street.running():
            homes = await stack.enter_async_context(homes_of(street, tmp_path, capsys, count=2))
            for home in homes:
                await stack.enter_async_context(home.running())
            traffic = Traffic(homes)
            stack.push_async_callback(traffic.stop)
            await import_definitions(street, cluster)
            await moves_on(homes)
            await takes_what_is_for_homes(street, homes)
            limit = f"{{ok, {MAX_PACKET_BYTES}}} = application:get_env(rabbit, max_message_size)."
            await cluster.nodes[0].control("eval", limit)
        async with street.running():
            await moves_on(homes)
            cluster.nodes[0].kill()
            cluster.nodes[0].start()
            await cluster.nodes[0].serving()
            await moves_on(homes)
            # Somebody deletes a queue, with what is in it: the hub notices, and all goes on once it is there again.
            queue = shard_queue(COOP.id, shard_of(homes[0].agent))
            await cluster.nodes[0].control("delete_queue", queue, "--vhost", COOP.id)
            await import_definitions(street, cluster)
            await moves_on(homes)
            await traffic.stop()
            await all_stored_once(street, homes)
            await asyncio.to_thread(require_nothing_of_others, homes[0], homes[1], street)
    await street.run("verify", "--clock", str(street.clock))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
async def test_three_nodes_killed_in_turn_lose_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    async with AsyncExitStack() as stack:
        street, cluster = await stack.enter_async_context(rabbit_street(tmp_path, hosts))
        await stack.enter_async_context(street.running())
        homes = await stack.enter_async_context(homes_of(street, tmp_path, capsys, count=6))
        for home in homes:
            await stack.enter_async_context(home.running())
        traffic = Traffic(homes)
        stack.push_async_callback(traffic.stop)
        await import_definitions(street, cluster)
        await moves_on(homes)
        for node in cluster.nodes:
            node.kill()
            await moves_on(homes)  # with two of three nodes
            node.start()
            await node.serving()
            await moves_on(homes)
        await traffic.stop()
        await all_stored_once(street, homes)


@pytest.mark.campaign
@pytest.mark.timeout(7200)
async def test_a_hundred_thousand_batches_pass_while_each_node_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    async with AsyncExitStack() as stack:
        street, cluster = await stack.enter_async_context(rabbit_street(tmp_path, hosts))
        await stack.enter_async_context(street.running())
        homes = await stack.enter_async_context(homes_of(street, tmp_path, capsys, count=HOMES_OF_MANY))
        await import_definitions(street, cluster)
        for home in homes:
            for _ in range(0, BATCHES // HOMES_OF_MANY, AT_ONCE):
                await home.add(AT_ONCE)
            await stack.enter_async_context(home.running())
        made = sum(home.made for home in homes)
        assert made >= BATCHES
        for turn, node in enumerate(cluster.nodes, start=1):
            await holds(
                lambda turn=turn: sum(home.uplink._receipted.through for home in homes) > made * turn / 4,
                f"{turn} quarters have their receipts",
                within_s=3600,
            )
            node.kill()
            node.start()
            await node.serving()
        for home in homes:
            await holds(lambda home=home: home.uplink._receipted.through == home.made, "all of it", within_s=3600)
        await all_stored_once(street, homes)
