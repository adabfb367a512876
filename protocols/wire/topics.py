"""The MQTT addresses of messages: `cw1/{coop}/{shard}/{agent}/up/{kind}` and `.../down/{kind}`.

Names are lower-case letters, digits and hyphens, so that no name can be a wildcard or split a topic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from protocols.wire.refusal_reasons import RefusalReason, WireError

ROOT = "cw1"
SHARDS = 64
CHAINED_KINDS = ("batch", "answer", "consent")
"""What an agent numbers and the hub stores."""

UP_KINDS = (*CHAINED_KINDS, "time", "meter", "maps")
DOWN_KINDS = ("receipt", "prompt", "revoked", "refused", "time", "keys", "credits", "maps", "broker", "pace")
MAX_TOPIC_CHARS = 128
PARSED_KEPT = 4096
"""How many parsed topics are kept, about 2 MB: a home sends under the same few, several at a time."""

_ID = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_KINDS = {"up": UP_KINDS, "down": DOWN_KINDS}


@dataclass(frozen=True, slots=True)
class Topic:
    """A parsed topic. `direction` is 'up' (agent to hub) or 'down'."""

    coop: str
    shard: int
    agent: str
    direction: str
    kind: str

    def text(self) -> str:
        """The topic as it is sent and signed."""
        return f"{ROOT}/{self.coop}/{self.shard}/{self.agent}/{self.direction}/{self.kind}"


def is_id(text: str) -> bool:
    """Whether this text is a valid id for a co-op, a home, an agent or a device."""
    return _ID.fullmatch(text) is not None


def require_id(text: str, what: str) -> str:
    """The id itself. Raises: ValueError that names `what` if it is not one."""
    if not is_id(text):
        raise ValueError(f"{what} {text[:40]!r} must be 1 to 32 of a-z, 0-9 and -")
    return text


def shard_of(agent: str) -> int:
    """The shard of an agent: the first byte of the SHA-256 of its id, modulo 64.

    >>> shard_of("a-4k2f9c1d")
    41
    """
    return sha256(agent.encode("ascii")).digest()[0] % SHARDS


def uplink_topic(coop: str, agent: str, *, kind: str) -> str:
    """The topic under which an agent publishes a kind of message.

    >>> uplink_topic("sunny-street", "a-4k2f9c1d", kind="batch")
    'cw1/sunny-street/41/a-4k2f9c1d/up/batch'
    """
    return _build(coop, agent, direction="up", kind=kind)


def downlink_topic(coop: str, agent: str, *, kind: str) -> str:
    """The topic under which the hub publishes a kind of message for one agent."""
    return _build(coop, agent, direction="down", kind=kind)


@lru_cache(maxsize=PARSED_KEPT)
def parse_topic(topic: str) -> Topic:
    """The parts of a topic.

    Raises: WireError(FOREIGN_TOPIC) for any topic that `uplink_topic` or `downlink_topic` would not build, such as one
    with a wrong shard.

    >>> parse_topic("cw1/sunny-street/41/a-4k2f9c1d/down/receipt").kind
    'receipt'
    >>> parse_topic("cw1/sunny-street/40/a-4k2f9c1d/down/receipt")
    Traceback (most recent call last):
    protocols.wire.refusal_reasons.WireError: foreign_topic: the shard is not this agent's
    """
    parts = topic.split("/", 6) if len(topic) <= MAX_TOPIC_CHARS else []
    if len(parts) != 6 or parts[0] != ROOT:
        raise _foreign(f"expected {ROOT}/coop/shard/agent/direction/kind")
    _, coop, shard, agent, direction, kind = parts
    if not (is_id(coop) and is_id(agent)):
        raise _foreign("co-op and agent must each be 1 to 32 characters from a-z, 0-9 and -")
    if kind not in _KINDS.get(direction, ()):
        raise _foreign("no such direction and kind")
    if shard != str(shard_of(agent)):
        raise _foreign("the shard is not this agent's")
    return Topic(coop, int(shard), agent, direction, kind)


def require_uplink_topic(topic: str, coop: str) -> Topic:
    """The parts of a topic, which must be one under which an agent of this co-op publishes.

    Raises: WireError(FOREIGN_TOPIC) or WireError(WRONG_COOP).
    """
    parsed = parse_topic(topic)
    if parsed.coop != coop:
        raise WireError(RefusalReason.WRONG_COOP, "the topic names another co-op")
    if parsed.direction != "up":
        raise _foreign("agents publish under up/ only")
    return parsed


def up_filters(coop: str, shards: Iterable[int] | None = None) -> tuple[str, ...]:
    """Subscription filters of a hub worker for its shards; None means all of them, in a single filter.

    Workers share the load by dividing up the 64 shards, so all messages from one agent go to one worker in order.
    """
    require_id(coop, "co-op")
    if shards is None:
        return (f"{ROOT}/{coop}/+/+/up/+",)
    wanted = sorted(set(shards))
    if any(shard not in range(SHARDS) for shard in wanted):
        raise ValueError(f"shards are numbers from 0 to {SHARDS - 1}")
    return tuple(f"{ROOT}/{coop}/{shard}/+/up/+" for shard in wanted)


def down_filter(coop: str, agent: str) -> str:
    """The one subscription of an agent."""
    return f"{_prefix(coop, agent)}/down/+"


def _build(coop: str, agent: str, *, direction: str, kind: str) -> str:
    if kind not in _KINDS[direction]:
        raise ValueError(
            f"{kind!r} is not a kind of message that goes {direction}: expected one of {', '.join(_KINDS[direction])}"
        )
    return f"{_prefix(coop, agent)}/{direction}/{kind}"


def _prefix(coop: str, agent: str) -> str:
    require_id(coop, "co-op")
    require_id(agent, "agent")
    return f"{ROOT}/{coop}/{shard_of(agent)}/{agent}"


def _foreign(detail: str) -> WireError:
    return WireError(RefusalReason.FOREIGN_TOPIC, detail)
