"""What a check of the broker tries: the filters of someone who wants to listen, and the topics of someone who lies."""

from hub.broker.access_rules import CHECK_NEIGHBOUR
from protocols.wire.topics import downlink_topic, shard_of, uplink_topic


def listening_filters(coop: str) -> tuple[str, ...]:
    """Filters under which nobody but the hub may get anything of the neighbour: wildcards, exact topics, shares."""
    neighbour = f"cw1/{coop}/{shard_of(CHECK_NEIGHBOUR)}/{CHECK_NEIGHBOUR}"
    everything = ("#", "+/#", "+/+/+/+/+/+", "cw1/#", "cw1/+/#", f"cw1/{coop}/#", f"cw1/{coop}/+/+/#")
    by_direction = (
        f"cw1/{coop}/+/+/up/+",
        f"cw1/{coop}/+/+/down/+",
        f"+/{coop}/+/+/up/batch",
        "cw1/+/+/+/down/receipt",
    )
    of_neighbour = (
        f"cw1/{coop}/{shard_of(CHECK_NEIGHBOUR)}/#",
        f"{neighbour}/#",
        f"{neighbour}/up/+",
        f"{neighbour}/up/batch",
        f"{neighbour}/down/+",
        f"{neighbour}/down/receipt",
        f"cw1/{coop}/+/{CHECK_NEIGHBOUR}/+/+",
    )
    shared = (
        "$share/listener/#",
        f"$share/listener/cw1/{coop}/+/+/up/+",
        f"$share/hub/cw1/{coop}/+/+/up/+",
        f"$share/listener/{neighbour}/down/+",
    )
    return (*everything, *by_direction, *of_neighbour, *shared, "$SYS/#", f"cw1/{coop}/rules/+")


def foreign_topics(coop: str, own: str, *, is_exact: bool) -> tuple[str, ...]:
    """Topics on which only the neighbour, the hub or nobody may publish.

    `is_exact`: of the client's own topics, the rules name those of the wire format and no others.
    """
    shard = shard_of(own)
    beside = (f"cw1/{coop}/{(shard + 1) % 64}/{own}/up/batch", f"cw1/{coop}/{shard}/{own}/up/other")
    return (
        uplink_topic(coop, CHECK_NEIGHBOUR, kind="batch"),
        uplink_topic(coop, CHECK_NEIGHBOUR, kind="answer"),
        uplink_topic(coop, CHECK_NEIGHBOUR, kind="consent"),
        uplink_topic(coop, CHECK_NEIGHBOUR, kind="time"),
        downlink_topic(coop, CHECK_NEIGHBOUR, kind="receipt"),
        downlink_topic(coop, CHECK_NEIGHBOUR, kind="revoked"),
        downlink_topic(coop, own, kind="receipt"),
        f"cw1/{coop}-2/{shard}/{own}/up/batch",
        f"cw1/{coop}/rules/check",
        "elsewhere",
        *(beside if is_exact else ()),
    )
