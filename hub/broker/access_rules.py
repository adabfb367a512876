"""Who may read and write which topics on the broker, as the text of Mosquitto's access file. Writes nothing.

Everything that no line allows is refused. Rules for homes name each agent, each of its topics and nothing else: a
wildcard or a shared subscription is granted by Mosquitto, but delivers only what a line allows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from protocols.wire.topics import UP_KINDS, down_filter, downlink_topic, require_id, uplink_topic

HUB_USER: Final = "hub"
CHECK_MEMBER: Final = "check-member"
CHECK_NEIGHBOUR: Final = "check-neighbour"
CHECK_REVOKED: Final = "check-revoked"
CHECK_UNKNOWN: Final = "check-unknown"
CHECK_IDS: Final = (CHECK_MEMBER, CHECK_NEIGHBOUR, CHECK_REVOKED, CHECK_UNKNOWN)
"""Whom `commonwatt-hub broker check` connects as. No agent has such a name, and the hub reads none of their topics."""


@dataclass(frozen=True, slots=True)
class KnownAgents:
    """The agents the rules are made for: those that may send, and those whose key was revoked not long ago."""

    allowed: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()


def known_agents(rows: Iterable[tuple[str, int | None]], *, revoked_since: int) -> KnownAgents:
    """The agents of these rows of id and time of revocation (Unix seconds, or None).

    Those revoked before `revoked_since` are left out: their certificates ended long ago.
    """
    kept = [(agent, at) for agent, at in rows if at is None or at >= revoked_since]
    return KnownAgents(
        allowed=frozenset(agent for agent, at in kept if at is None),
        revoked=frozenset(agent for agent, at in kept if at is not None),
    )


def rules_of_homes(coop: str, agents: KnownAgents) -> str:
    """The rules of a broker that knows each agent by its certificate: the user is the certificate's name.

    A revoked agent may still read that it was revoked, and nothing else.
    """
    lines = [_rules_of_hub(coop)]
    lines += [_rules_of_agent(coop, agent) for agent in sorted({*agents.allowed, CHECK_MEMBER, CHECK_NEIGHBOUR})]
    lines += [_rules_of_revoked(coop, agent) for agent in sorted({*agents.revoked, CHECK_REVOKED} - agents.allowed)]
    return "\n".join(lines)


def rules_by_client_id(coop: str) -> str:
    """The rules of a broker that serves this computer only, where nobody signs in: %c is the client id."""
    return f"{_rules_of_hub(coop)}\npattern write cw1/{coop}/+/%c/up/+\npattern read cw1/{coop}/+/%c/down/+\n"


def rules_topic(coop: str, rules: str) -> str:
    """A topic that the hub may write under exactly these rules: so it sees whether they are in force."""
    return f"cw1/{require_id(coop, 'co-op')}/rules/{sha256(rules.encode('ascii')).hexdigest()[:16]}"


def with_rules_topic(coop: str, rules: str) -> str:
    """The same rules and the line by which the hub sees them in force."""
    return f"{rules}\nuser {HUB_USER}\ntopic write {rules_topic(coop, rules)}\n"


def is_check_topic(topic: str) -> bool:
    """Whether a message comes from `commonwatt-hub broker check`, and so means nothing to the hub."""
    parts = topic.split("/", 4)
    return len(parts) > 3 and parts[3] in CHECK_IDS


def _rules_of_hub(coop: str) -> str:
    require_id(coop, "co-op")
    return f"user {HUB_USER}\ntopic read cw1/{coop}/+/+/up/+\ntopic write cw1/{coop}/+/+/down/+\n"


def _rules_of_agent(coop: str, agent: str) -> str:
    up = "".join(f"topic write {uplink_topic(coop, agent, kind=kind)}\n" for kind in UP_KINDS)
    return f"user {agent}\n{up}topic read {down_filter(coop, agent)}\n"


def _rules_of_revoked(coop: str, agent: str) -> str:
    return f"user {agent}\ntopic read {downlink_topic(coop, agent, kind='revoked')}\n"
