"""The limit of each home's grid connection as the hub has it: the board's figure, the rulebook's, or the country's."""

from collections.abc import Mapping
from typing import Final, Protocol

from hub.books.stored_rules import read_rule
from hub.core.quality.connection_limits import ConnectionLimit, connection_limits
from hub.storage.contract import BookStore, FindingStore, MemberStore
from protocols.slots import Slot, day_of

MOST_CONNECTION_W: Final = 1_000_000


class ConnectionStores(MemberStore, BookStore, FindingStore, Protocol):
    """The parts of the store that know about connections."""


async def home_limits(store: ConnectionStores, *, slot: Slot) -> dict[str, ConnectionLimit]:
    """Every home's limit in this slot."""
    homes, tz = await store.homes(), (await store.coop()).tz
    if not homes:
        return {}
    agreements = await store.connection_agreements(slot)
    day = day_of(slot, tz).isoformat()
    # A hub that has never run has no rule yet.
    has_rule = bool(await store.rule_hashes([day]))
    rule_w = read_rule((await store.rule_on(day))[1]).connection_w if has_rule else 0
    return connection_limits(
        [home.id for home in homes],
        agreed_w={home: row.power_w for home, row in agreements.items()},
        rule_w=rule_w,
        tz=tz,
    )


def unstated_connections(limits: Mapping[str, ConnectionLimit]) -> str | None:
    """A line for the board about homes without a figure from their agreement; None if all have one."""
    without = sorted(home for home, limit in limits.items() if limit.source != "agreement")
    if not without:
        return None
    shown = ", ".join(without[:5]) + (" ..." if len(without) > 5 else "")
    most = limits[without[0]].power_w
    return (
        f"no connection agreement is entered for {len(without)} of {len(limits)} homes ({shown}): up to {most} W counts"
        " there; enter the figures with `commonwatt-hub connections`"
    )
