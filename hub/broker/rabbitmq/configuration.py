"""The configuration of each RabbitMQ node, as text: TLS 1.3 with certificates of the co-op alone, and the limits."""

from pathlib import Path
from typing import Final

PLUGINS: Final = "[rabbitmq_auth_mechanism_ssl,rabbitmq_mqtt].\n"
MAX_PACKET_BYTES: Final = 24_576
COPIES: Final = 3


def node_names(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """The Erlang names of the nodes on these hosts."""
    return tuple(f"rabbit@{host}" for host in hosts)


def environment(host: str) -> str:
    """The text of rabbitmq-env.conf: the node's own name, under which the others find it."""
    names = "true" if "." in host else "false"
    return f"NODENAME=rabbit@{host}\nUSE_LONGNAME={names}\n"


def configuration(place: Path, *, coop: str, hosts: tuple[str, ...], homes_port: int, hub_port: int) -> str:
    """The text of rabbitmq.conf, the same on every node; the files it names are in the folder `place` there."""
    nodes = node_names(hosts)
    cluster = "".join(
        f"cluster_formation.classic_config.nodes.{number} = {name}\n" for number, name in enumerate(nodes, start=1)
    )
    return f"""# Made by `commonwatt-hub broker files`: docs/broker.md of Commonwatt explains it.
# Nobody gets in without a certificate of the co-op, and its name is the user: no passwords, no plain connections.
listeners.tcp = none
listeners.ssl.1 = {hub_port}
ssl_options.cacertfile = {place / "root.pem"}
ssl_options.certfile = {place / "server.pem"}
ssl_options.keyfile = {place / "server.pem"}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_options.depth = 2
ssl_options.versions.1 = tlsv1.3
ssl_cert_login_from = common_name
auth_mechanisms.1 = EXTERNAL

# homes: each is known by its certificate, and its client id is that name
mqtt.listeners.tcp = none
mqtt.listeners.ssl.1 = {homes_port}
mqtt.ssl_cert_login = true
mqtt.ssl_cert_client_id_from = subject_alternative_name
mqtt.ssl_cert_login_san_type = dns
mqtt.ssl_cert_login_san_index = 0
mqtt.allow_anonymous = false
mqtt.vhost = {coop}
# a home's session ends with its connection: it asks again for everything when it is back, at whichever node
mqtt.max_session_expiry_interval_seconds = 0
# nothing is kept for later but what waits in the queues of the shards
mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_noop
mqtt.max_packet_size_unauthenticated = {MAX_PACKET_BYTES}
mqtt.max_packet_size_authenticated = {MAX_PACKET_BYTES}
# the same over AMQP, which homes are not to speak: its port is for the hub alone
max_message_size = {MAX_PACKET_BYTES}

# nobody manages it from outside: rabbitmqctl on its own computer does
load_definitions = {place / "definitions.json"}
# a hub may hold a message back as long as its store does not answer
consumer_timeout = 86400000
# a part of the cluster that is cut off from the others stops rather than to go its own way
cluster_partition_handling = pause_minority
cluster_formation.peer_discovery_backend = classic_config
{cluster}# every queue of a shard has a copy on so many nodes, also when a node joins later
quorum_queue.continuous_membership_reconciliation.enabled = true
quorum_queue.continuous_membership_reconciliation.target_group_size = {min(COPIES, len(nodes))}
log.console = true
log.console.level = warning
log.file = false
"""
