"""Tries the broker as a member, a revoked agent and strangers would: what each can read and write of others.

Blocking; call it in a thread. Nothing of a real home is touched: it uses names that no agent has.
"""

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.broker.access_rules import CHECK_MEMBER, CHECK_NEIGHBOUR, CHECK_REVOKED, CHECK_UNKNOWN
from hub.broker.check.client import CheckClient, HomesPlace
from hub.broker.check.topics import foreign_topics, listening_filters
from hub.broker.connection import BrokerAddress
from hub.broker.plans import BrokerError
from protocols.wire.topics import downlink_topic, uplink_topic

Identity = tuple[Path, Path]
MEMBER: Final = "member"
REVOKED: Final = "revoked"


@dataclass(frozen=True, slots=True)
class Role:
    """Somebody to try the broker as. `may_enter`: the certificate is good, so only the access rules keep it out."""

    words: str
    client_id: str
    identity: Identity | None
    may_enter: bool = False


@dataclass(frozen=True, slots=True)
class RoleResult:
    """What one role came to: how much was tried, whether it got in at all, and each thing it should not have got."""

    role: str
    filters: int
    publishes: int
    entered: bool
    leaks: tuple[str, ...]


def roles_of(identities: Mapping[str, Identity]) -> tuple[Role, ...]:
    """The roles for a broker with certificates.

    `identities` has those of CHECK_MEMBER, CHECK_NEIGHBOUR, CHECK_REVOKED and CHECK_UNKNOWN, and "expired" and
    "foreign": the member's name with a certificate that has ended, and with one of another authority.
    """
    return (
        Role(MEMBER, CHECK_MEMBER, identities[CHECK_MEMBER], may_enter=True),
        Role(REVOKED, CHECK_REVOKED, identities[CHECK_REVOKED], may_enter=True),
        Role("not enrolled", CHECK_UNKNOWN, identities[CHECK_UNKNOWN], may_enter=True),
        Role("stranger", CHECK_NEIGHBOUR, None),
        Role("expired", CHECK_MEMBER, identities["expired"]),
        Role("other authority", CHECK_MEMBER, identities["foreign"]),
    )


def roles_without_certificates() -> tuple[Role, ...]:
    """The one role there is at a broker that serves this computer only: another program, with its own client id."""
    return (Role(MEMBER, CHECK_MEMBER, None, may_enter=True),)


def check_broker(
    place: HomesPlace,
    hub: BrokerAddress,
    *,
    coop: str,
    roles: Sequence[Role],
    neighbour: Identity | None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[RoleResult, ...]:
    """Try every role. Raises: BrokerError if the broker cannot be reached, or does not serve a member at all."""
    own_side = CheckClient.of_hub(hub)
    if not own_side.is_connected:
        own_side.close()
        raise BrokerError(f"the broker on {hub.words} does not accept the hub: is it running with its current files?")
    victim = CheckClient.of_home(place, client_id=CHECK_NEIGHBOUR, identity=neighbour)
    try:
        if not victim.is_connected:
            raise BrokerError(
                f"the broker on {place.host}:{place.port} does not let a member in: is it running, with this co-op's"
                " certificates and access rules?"
            )
        results = []
        for role in roles:
            progress(role.words)
            results.append(_try(role, place, own_side, victim, coop=coop))
        if place.ca_file is not None:
            results.append(_try_old_tls(place))
        return tuple(results)
    finally:
        victim.close()
        own_side.close()


def _try(role: Role, place: HomesPlace, hub: CheckClient, victim: CheckClient, *, coop: str) -> RoleResult:
    filters, topics = listening_filters(coop), foreign_topics(coop, role.client_id, is_exact=place.ca_file is not None)
    if role.words != MEMBER:
        topics = (*topics, uplink_topic(coop, role.client_id, kind="batch"))
    client = CheckClient.of_home(place, client_id=role.client_id, identity=role.identity)
    try:
        if not client.is_connected:
            if role.words == MEMBER:
                raise BrokerError(f"the broker on {place.host}:{place.port} does not let a second member in")
            return RoleResult(role.words, len(filters), len(topics), entered=False, leaks=())
        leaks = [] if role.may_enter else ["was let in"]
        client.listen(filters)
        _speak(hub, victim, coop=coop)
        leaks += [f"could publish on {topic}" for topic in topics if client.publish(topic)]
        if role.words == MEMBER:
            _require_service(client, hub, coop=coop)
        # The answer to one more request comes after everything that was sent before.
        client.listen(filters[:1])
        own = downlink_topic(coop, CHECK_MEMBER, kind="receipt") if role.words == MEMBER else ""
        leaks += sorted({f"read {heard.topic}{_by(heard.filters)}" for heard in client.heard if heard.topic != own})
        leaks += _try_will(role, place, victim, coop=coop)
        leaks += _try_take_over(role, place, victim)
        return RoleResult(role.words, len(filters), len(topics), entered=True, leaks=tuple(leaks))
    finally:
        client.close()


def _speak(hub: CheckClient, victim: CheckClient, *, coop: str) -> None:
    """The traffic there is to overhear: a neighbour's message to the hub, and the hub's to the neighbour."""
    sent = (
        victim.publish(uplink_topic(coop, CHECK_NEIGHBOUR, kind="batch")),
        hub.publish(downlink_topic(coop, CHECK_NEIGHBOUR, kind="receipt")),
    )
    if not all(sent):
        raise BrokerError(
            "the broker refuses what a member and the hub may send: its access rules are not those of this hub"
        )


def _require_service(client: CheckClient, hub: CheckClient, *, coop: str) -> None:
    """Own messages pass: a broker that lets nothing pass would leak nothing either."""
    own = downlink_topic(coop, CHECK_MEMBER, kind="receipt")
    client.listen((own,))
    hub.publish(own)
    client.listen((own,))
    if not client.publish(uplink_topic(coop, CHECK_MEMBER, kind="batch")) or own not in [h.topic for h in client.heard]:
        raise BrokerError("the broker does not pass on a member's own messages: its access rules are not this hub's")


def _try_will(role: Role, place: HomesPlace, victim: CheckClient, *, coop: str) -> list[str]:
    """A will is a message too: the broker sends it when its client is gone."""
    topic = downlink_topic(coop, CHECK_NEIGHBOUR, kind="refused")
    victim.listen((topic,))
    before = len(victim.heard)
    dying = CheckClient.of_home(place, client_id=role.client_id, identity=role.identity, will=topic)
    dying.close(with_will=True)
    victim.listen((topic,))
    return ["could publish a will for another agent"] if topic in [each.topic for each in victim.heard[before:]] else []


def _try_take_over(role: Role, place: HomesPlace, victim: CheckClient) -> list[str]:
    if role.identity is None:
        return []
    thief = CheckClient.of_home(place, client_id=CHECK_NEIGHBOUR, identity=role.identity)
    thief.close()
    # The neighbour would be told that its session is taken before its own request is answered.
    victim.listen(("check",))
    return [] if victim.is_connected else ["could take another agent's session"]


def _try_old_tls(place: HomesPlace) -> RoleResult:
    """TLS 1.2 must be refused."""
    context = ssl.create_default_context(cafile=str(place.ca_file))
    context.check_hostname = False
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    entered = False
    try:
        with socket.create_connection((place.host, place.port), timeout=10) as plain, context.wrap_socket(plain):
            entered = True
    except OSError:
        entered = False
    return RoleResult("TLS 1.2", 0, 0, entered=entered, leaks=("was accepted",) if entered else ())


def _by(filters: Sequence[str]) -> str:
    return f" through the filter {', '.join(filters)}" if filters else ""
