"""What of a batch counts where a home has several agents: each meter is brought by one of them. No I/O."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from hub.core.homes.measure_sources import MeterShare, MeterSource, meter_of, share_of
from hub.intake.state import AgentChain, IntakeState
from protocols.quantities import Measure
from protocols.wire.readings import Batch

WAY_ON: Final = "put both devices into one agent, or shut out the one that is no longer needed"


class CountedBatch(NamedTuple):
    """A batch without what does not count, and the meters whose source its agent becomes.

    `elsewhere` names, for energy that does not count, the meter and the agent that brings it.
    """

    batch: Batch
    sources: tuple[MeterSource, ...]
    elsewhere: tuple[tuple[Measure, str], ...]

    @property
    def detail(self) -> str:
        """What does not count, in one line without values; empty if everything does."""
        if not self.elsewhere:
            return ""
        named = ", ".join(f"{meter.code} is brought by agent {agent}" for meter, agent in self.elsewhere)
        return f"{named}: {WAY_ON}"


def count_batch(batch: Batch, chain: AgentChain, *, state: IntakeState, now_s: float) -> CountedBatch:
    """Leave out what another agent of the home brings, and let the agent bring what nobody brings. Changes no state."""
    if _brings_all(batch, chain, state):
        return CountedBatch(batch, (), ())
    shares = {meter: _share(meter, chain, batch.agent, state=state) for meter in _meters(batch)}
    allowed = _only(batch, {meter: share for meter, share in shares.items() if share.brought_by is None})
    energetic, sent = _with_energy(allowed), _with_energy(batch)
    # Before it takes a meter over, an agent's gaps say nothing about what another one brought.
    counting = {meter: share for meter, share in shares.items() if not share.is_takeover or meter in energetic}
    sources = tuple(
        MeterSource(chain.home, meter, batch.agent, chain.seat, share.first_slot, int(now_s))
        for meter, share in shares.items()
        if share.is_new and meter in energetic
    )
    elsewhere = tuple(
        (meter, share.brought_by) for meter, share in shares.items() if share.brought_by is not None and meter in sent
    )
    return CountedBatch(_only(allowed, counting), sources, elsewhere)


def _brings_all(batch: Batch, chain: AgentChain, state: IntakeState) -> bool:
    """Whether this agent is the source of everything in the batch already: so it is in nearly every batch."""
    home, seat, agent, after, sources = chain.home, chain.seat, batch.agent, batch.slot + 1, state.sources
    for measure, span, *_ in batch.columns:
        held = sources.get((home, meter_of(measure)))
        if held is None or held.seat != seat or held.agent != agent or after - span < held.first_slot:
            return False
    for each in batch.long_intervals:
        held = sources.get((home, meter_of(each.measure)))
        if held is None or held.seat != seat or held.agent != agent or each.first_slot < held.first_slot:
            return False
    return True


def _only(batch: Batch, shares: Mapping[Measure, MeterShare]) -> Batch:
    """The batch with the values that these shares count, and without all other meters."""

    def counts(measure: Measure, first_slot: int) -> bool:
        share = shares.get(meter_of(measure))
        return share is not None and share.counts(first_slot)

    return replace(
        batch,
        columns=tuple(column for column in batch.columns if counts(column.measure, batch.slot - column.span + 1)),
        long_intervals=tuple(each for each in batch.long_intervals if counts(each.measure, each.first_slot)),
    )


def _meters(batch: Batch) -> list[Measure]:
    named = {meter_of(c.measure) for c in batch.columns} | {meter_of(i.measure) for i in batch.long_intervals}
    return sorted(named)


def _share(meter: Measure, chain: AgentChain, agent: str, *, state: IntakeState) -> MeterShare:
    held = state.sources.get((chain.home, meter))
    is_other = held is not None and held.seat != chain.seat
    vacant_from = state.vacant_from(chain.home, held.seat) if held is not None and is_other else None
    return share_of(held, agent=agent, seat=chain.seat, vacant_from=vacant_from)


def _with_energy(batch: Batch) -> set[Measure]:
    found = {meter_of(column.measure) for column in batch.columns if column.energy_wh is not None}
    return found | {meter_of(interval.measure) for interval in batch.long_intervals}
