"""What the verdicts on a group rest on that agents of the same homes may change in another worker's shard. No I/O.

Only homes with agents in other shards, and those whose meters find a new source, are looked at: for every other home
the worker's own state is the store's, because nobody else writes for its agents.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Final

from hub.core.homes.measure_sources import meter_of
from hub.intake.state import IntakeState
from hub.storage.records import AcceptedMessage
from hub.storage.shared.records import HomeFacts
from protocols.quantities import Measure

_METERS: Final = tuple(measure for measure in Measure if meter_of(measure) is measure)


def facts_before(state: IntakeState, homes: Iterable[str]) -> dict[str, HomeFacts]:
    """What is known of these homes before a group of theirs is judged."""
    return {home: _facts(state, home) for home in homes}


def facts_assumed(
    accepted: Iterable[AcceptedMessage], before: Mapping[str, HomeFacts], shared: Set[str]
) -> dict[str, HomeFacts]:
    """What has to hold still when these messages are stored; `shared` are the homes with agents in other shards."""
    return {m.home: before[m.home] for m in accepted if m.sources or m.home in shared}


def _facts(state: IntakeState, home: str) -> HomeFacts:
    seats = state.seats.get(home, ())
    sources = {meter: state.sources.get((home, meter)) for meter in _METERS}
    consents = {seat: state.consents.get((home, seat)) for seat in seats}
    return HomeFacts(
        {meter: (held.agent, held.first_slot) for meter, held in sources.items() if held is not None},
        {seat: held.version for seat, held in consents.items() if held is not None},
        {seat: state.vacant_from(home, seat) for seat in seats},
    )
