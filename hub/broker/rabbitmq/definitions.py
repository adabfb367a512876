"""What RabbitMQ has to know of a co-op: users, what each may do, the queues of the 64 shards. It sends nothing.

Homes speak MQTT 5, whose topics are routing keys of the exchange `amq.topic` with dots for slashes. Everything that no
permission allows is refused. Source: RabbitMQ 4.0, "Access Control", "MQTT Plugin" and "Per-user Resource Limits".
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from hub.broker.access_rules import CHECK_MEMBER, CHECK_NEIGHBOUR, CHECK_REVOKED, HUB_USER, KnownAgents
from protocols.wire.topics import SHARDS, UP_KINDS, down_filter, require_id, uplink_topic

EXCHANGE: Final = "amq.topic"
MAX_QUEUE_BYTES: Final = 16 * 2**20
"""Of one shard, while the hub is away; beyond, RabbitMQ refuses, and agents send again. 64 of them are 1 GiB a node."""

MAX_SESSION_MESSAGES: Final = 1000
MAX_CONNECTIONS: Final = 10
"""Of one home over the whole cluster: it needs one, and some that were lost may not have ended yet."""

NOTHING: Final = "^$"


def routing_key(topic: str) -> str:
    """An MQTT topic or filter as RabbitMQ routes by it."""
    return topic.replace("/", ".").replace("+", "*")


def topic_of(key: str) -> str:
    """The inverse of `routing_key` for topics: names in them have no dots."""
    return key.replace(".", "/")


def shard_queue(coop: str, shard: int) -> str:
    """The quorum queue with what the homes of one shard send."""
    return f"cw1.{require_id(coop, 'co-op')}.{shard}.up"


def shard_queues(coop: str) -> tuple[str, ...]:
    """The queues of all shards: each home is in one, so that its messages stay in order whoever takes them out."""
    return tuple(shard_queue(coop, shard) for shard in range(SHARDS))


def queue_arguments() -> dict[str, Any]:
    """A copy on each of three nodes, bounded, and no message is given up because hubs were killed while they had it."""
    return {
        "x-queue-type": "quorum",
        "x-max-length-bytes": MAX_QUEUE_BYTES,
        "x-overflow": "reject-publish",
        "x-delivery-limit": -1,
    }


def definitions(coop: str, agents: KnownAgents) -> dict[str, Any]:
    """The whole, as RabbitMQ imports it: a virtual host of the co-op's name and everything in it."""
    users = user_rights(coop, agents)
    return {
        "vhosts": [{"name": coop}],
        "users": [user_definition(name, is_home=name != HUB_USER) for name in users],
        "permissions": [{"user": name, "vhost": coop, **rights.resources} for name, rights in users.items()],
        "topic_permissions": [
            {"user": name, "vhost": coop, "exchange": EXCHANGE, **rights.topics} for name, rights in users.items()
        ],
        "policies": [
            {
                "vhost": coop,
                "name": "sessions of homes",
                "pattern": "^mqtt-subscription-",
                "apply-to": "queues",
                "priority": 0,
                "definition": {"max-length": MAX_SESSION_MESSAGES, "overflow": "drop-head"},
            }
        ],
        "queues": [
            {"vhost": coop, "name": name, "durable": True, "auto_delete": False, "arguments": queue_arguments()}
            for name in shard_queues(coop)
        ],
        "bindings": [
            {
                "vhost": coop,
                "source": EXCHANGE,
                "destination": shard_queue(coop, shard),
                "destination_type": "queue",
                "routing_key": routing_key(f"cw1/{coop}/{shard}/+/up/+"),
                "arguments": {},
            }
            for shard in range(SHARDS)
        ],
    }


class Rights:
    """What one user may do with queues and exchanges, and on which topics; each a regular expression."""

    def __init__(self, resources: Mapping[str, str], topics: Mapping[str, str]) -> None:
        self.resources, self.topics = dict(resources), dict(topics)


def user_definition(name: str, *, is_home: bool) -> dict[str, Any]:
    """A user without a password: only a certificate of this name signs in. Homes open no channel: MQTT needs none."""
    return {
        "name": name,
        "password_hash": "",
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
        "limits": {"max-connections": MAX_CONNECTIONS, "max-channels": 0} if is_home else {},
    }


def user_rights(coop: str, agents: KnownAgents) -> dict[str, Rights]:
    """The rights of everybody who may connect. A revoked agent may still read that it was revoked."""
    allowed = sorted({*agents.allowed, CHECK_MEMBER, CHECK_NEIGHBOUR})
    revoked = sorted({*agents.revoked, CHECK_REVOKED} - agents.allowed)
    return {
        HUB_USER: _hub_rights(coop),
        **{agent: _agent_rights(coop, agent, is_revoked=False) for agent in allowed},
        **{agent: _agent_rights(coop, agent, is_revoked=True) for agent in revoked},
    }


def _hub_rights(coop: str) -> Rights:
    queues = rf"^cw1\.{re.escape(require_id(coop, 'co-op'))}\.[0-9]+\.up$"
    down = rf"^cw1\.{re.escape(coop)}\.[0-9]+\.[a-z0-9-]+\.(down\.[a-z]+|rules\.[0-9a-f]+)$"
    return Rights(
        {"configure": NOTHING, "write": r"^amq\.topic$", "read": queues},
        {"write": down, "read": NOTHING},
    )


def _agent_rights(coop: str, agent: str, *, is_revoked: bool) -> Rights:
    session = rf"^mqtt-subscription-{re.escape(require_id(agent, 'agent'))}qos[01]$"
    own = rf"^(mqtt-subscription-{re.escape(agent)}qos[01]|amq\.topic)$"
    up = "|".join(re.escape(routing_key(uplink_topic(coop, agent, kind=kind))) for kind in UP_KINDS)
    down = re.escape(routing_key(down_filter(coop, agent)))
    return Rights(
        {"configure": session, "write": session if is_revoked else own, "read": own},
        {"write": NOTHING if is_revoked else f"^({up})$", "read": f"^{down}$"},
    )
