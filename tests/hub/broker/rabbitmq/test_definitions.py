"""What RabbitMQ is told: each user may use its own topics and queues and no other, and every shard has its queue."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.broker.access_rules import HUB_USER, KnownAgents
from hub.broker.rabbitmq.configuration import MAX_PACKET_BYTES, configuration, environment
from hub.broker.rabbitmq.definitions import (
    EXCHANGE,
    MAX_CONNECTIONS,
    Rights,
    definitions,
    routing_key,
    shard_queue,
    topic_of,
    user_rights,
)
from protocols.wire.topics import (
    DOWN_KINDS,
    SHARDS,
    UP_KINDS,
    down_filter,
    downlink_topic,
    shard_of,
    up_filters,
    uplink_topic,
)

COOP, X, Y, GONE = "c", "a-x", "a-y", "a-gone"
AGENTS = KnownAgents(frozenset({X, Y}), frozenset({GONE}))
IDS = st.text("abcxyz0189-", min_size=1, max_size=32)


def allows(rights: Rights, what: str, name: str) -> bool:
    """As RabbitMQ looks: somewhere in the name, so that only ^ and $ make a pattern whole."""
    given_by = rights.topics if "." in what else rights.resources
    return re.search(given_by[what.removesuffix(".topic")], name) is not None


def may_write(rights: Rights, topic: str) -> bool:
    return allows(rights, "write", EXCHANGE) and allows(rights, "write.topic", routing_key(topic))


def test_an_agent_writes_and_hears_its_own_topics_alone() -> None:
    rights = user_rights(COOP, AGENTS)[X]
    for kind in UP_KINDS:
        assert may_write(rights, uplink_topic(COOP, X, kind=kind))
        assert not may_write(rights, uplink_topic(COOP, Y, kind=kind))
        assert not may_write(rights, uplink_topic("d", X, kind=kind))
        assert not may_write(rights, uplink_topic(COOP, X, kind=kind) + "/more")
    for kind in DOWN_KINDS:
        assert not may_write(rights, downlink_topic(COOP, X, kind=kind))
    assert allows(rights, "read.topic", routing_key(down_filter(COOP, X)))
    for other in (down_filter(COOP, Y), "#", "cw1/#", f"cw1/{COOP}/+/+/down/+", *up_filters(COOP)):
        assert not allows(rights, "read.topic", routing_key(other))


@given(mine=IDS, other=IDS)
def test_no_name_reaches_into_another(mine: str, other: str) -> None:
    rights = user_rights(COOP, KnownAgents(frozenset({mine})))[mine]
    session = f"mqtt-subscription-{other}qos1"
    for what in ("configure", "write", "read"):
        assert allows(rights, what, session) is (mine == other)
        assert not allows(rights, what, shard_queue(COOP, shard_of(mine)))
    assert may_write(rights, uplink_topic(COOP, other, kind="batch")) is (mine == other)


def test_a_revoked_agent_sends_nothing() -> None:
    rights = user_rights(COOP, AGENTS)[GONE]
    assert not any(may_write(rights, uplink_topic(COOP, GONE, kind=kind)) for kind in UP_KINDS)
    assert allows(rights, "read.topic", routing_key(down_filter(COOP, GONE))), "it may hear that it is"


def test_one_that_was_let_in_again_is_no_longer_revoked() -> None:
    again = user_rights(COOP, KnownAgents(frozenset({X}), frozenset({X})))[X]
    assert may_write(again, uplink_topic(COOP, X, kind="batch"))


def test_the_hub_reads_queues_writes_to_homes_and_changes_nothing() -> None:
    rights = user_rights(COOP, AGENTS)[HUB_USER]
    assert all(allows(rights, "read", shard_queue(COOP, shard)) for shard in range(SHARDS))
    assert all(may_write(rights, downlink_topic(COOP, X, kind=kind)) for kind in DOWN_KINDS)
    assert not may_write(rights, uplink_topic(COOP, X, kind="batch"))
    assert not allows(rights, "read", "cw1.d.0.up")
    assert not any(allows(rights, "configure", name) for name in (EXCHANGE, shard_queue(COOP, 0)))


def test_each_message_of_a_home_goes_to_the_queue_of_its_shard() -> None:
    bound = {each["routing_key"]: each["destination"] for each in definitions(COOP, AGENTS)["bindings"]}
    assert len(bound) == SHARDS
    for agent in (X, Y):
        key = routing_key(uplink_topic(COOP, agent, kind="batch"))
        fits = [queue for pattern, queue in bound.items() if re.fullmatch(pattern.replace("*", "[^.]+"), key)]
        assert fits == [shard_queue(COOP, shard_of(agent))]


def test_nobody_has_a_password_and_nobody_manages() -> None:
    found = definitions(COOP, AGENTS)
    assert {each["password_hash"] for each in found["users"]} == {""}
    assert all(each["tags"] == [] for each in found["users"])
    assert {each["name"] for each in found["users"]} >= {HUB_USER, X, Y, GONE}
    assert json.loads(json.dumps(found)) == found


def test_only_the_hub_opens_channels_and_no_home_holds_many_connections() -> None:
    limits = {each["name"]: each["limits"] for each in definitions(COOP, AGENTS)["users"]}
    assert limits.pop(HUB_USER) == {}
    assert limits.keys() >= {X, Y, GONE}
    assert all(each == {"max-connections": MAX_CONNECTIONS, "max-channels": 0} for each in limits.values())


@given(agent=IDS, kind=st.sampled_from(DOWN_KINDS))
def test_a_topic_comes_back_from_its_routing_key(agent: str, kind: str) -> None:
    topic = downlink_topic(COOP, agent, kind=kind)
    assert topic_of(routing_key(topic)) == topic


@pytest.mark.parametrize("hosts", [("r1.example.org",), ("r1.example.org", "r2.example.org", "r3.example.org")])
def test_the_configuration_opens_nothing_without_tls(hosts: tuple[str, ...]) -> None:
    text = configuration(Path("/etc/rabbitmq"), coop=COOP, hosts=hosts, homes_port=8883, hub_port=5671)
    lines = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    assert (lines["listeners.tcp"], lines["mqtt.listeners.tcp"]) == ("none", "none")
    assert lines["ssl_options.fail_if_no_peer_cert"] == "true"
    assert [each for each in lines if each.startswith("ssl_options.versions")] == ["ssl_options.versions.1"]
    sizes = {lines[f"mqtt.max_packet_size_{who}"] for who in ("authenticated", "unauthenticated")}
    assert {*sizes, lines["max_message_size"]} == {str(MAX_PACKET_BYTES)}, "over AMQP no more than over MQTT"
    assert [value for key, value in lines.items() if ".nodes." in key] == [f"rabbit@{host}" for host in hosts]
    assert environment(hosts[0]) == f"NODENAME=rabbit@{hosts[0]}\nUSE_LONGNAME=true\n"
