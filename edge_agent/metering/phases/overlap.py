"""Import and export as the legal meter counts its phases, from a counter that adds them up in the other way.

Pure arithmetic. Both ways of counting agree on import less export, to the watt-hour: they differ only in the overlap,
the energy that counts as import and as export within the same time. So one number has to be found, and it is bounded:

* A counter of each phase by itself counts at least what a netting one does, in both directions: the overlap of the
  netted energy lies between 0 and the lesser of the two counters. This bound needs no power.
* Import is the integral of max(0, power). The trapezoid rule errs by at most half a sampling interval times the
  variation of that function between the two samples (integrate by parts: the error is the integral of h/2 - t against
  the variation). The variation that the samples show gives `spread_wh`; `hidden_wh` is for a load that ran between two
  of them and is in neither.
* What the sampling missed in sum is known: by that much its import less export differs from the counters'.

An error of the one direction is an error of the other, so the direction that varied less is used for both; where the
readings are often enough, the one that varied less at each moment (`calmer_side`).
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.metering.phases.calmer_side import SidedImport
from edge_agent.metering.witness import FlowEvidence

TOLERATED_WH = 50
"""200 W on average; counting the phases in the wrong way was off by 130 to 270 Wh a quarter hour on cloudy days."""
TOLERATED_PERCENT = 10


@dataclass(frozen=True, slots=True)
class Counted:
    """What a device counted over a time. Units: Wh; `step_wh` is the coarser of its two counters' steps.

    Not `is_certain`: a reading at one end was in doubt. What that could shift shows against the power alone.
    """

    import_wh: int
    export_wh: int
    step_wh: int = 1
    is_certain: bool = True

    @property
    def difference_wh(self) -> int:
        """Import less export, the same however the phases are counted."""
        return self.import_wh - self.export_wh

    @property
    def both_wh(self) -> int:
        """What was counted in both directions: the most that the two ways of counting can differ by."""
        return min(self.import_wh, self.export_wh)


@dataclass(frozen=True, slots=True)
class ConnectionEnergy:
    """What passed the home's connection as its legal meter counts, give or take `error_wh` in both directions alike."""

    import_wh: int
    export_wh: int
    error_wh: int

    @property
    def is_sure(self) -> bool:
        """Whether the error is small enough to stand for a reading."""
        return self.error_wh <= max(TOLERATED_WH, (self.import_wh + self.export_wh) * TOLERATED_PERCENT // 100)


def net_phases(
    counted: Counted, above: FlowEvidence, below: FlowEvidence, *, sided: SidedImport | None = None
) -> ConnectionEnergy:
    """Netted energy out of counters of each phase, by the total power above and below zero in the same time.

    `sided` is the import by the calmer side at each moment. Never more than was counted, and with the difference of
    what was counted.

    >>> still = FlowEvidence(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    >>> net_phases(Counted(125, 875), still, FlowEvidence(750.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    ConnectionEnergy(import_wh=0, export_wh=750, error_wh=2)
    """
    found_wh, error_wh = _overlap(counted.difference_wh, above, below, step_wh=counted.step_wh, sided=sided)
    overlap_wh = min(max(0, found_wh), counted.both_wh)
    if counted.is_certain:
        error_wh = min(error_wh, max(overlap_wh, counted.both_wh - overlap_wh))
    return _with_overlap(counted.difference_wh, overlap_wh, error_wh=error_wh)


def net_by_counters(counted: Counted) -> ConnectionEnergy:
    """Netted energy where the power says nothing: half of what it can be, which is off by no more than that.

    >>> net_by_counters(Counted(60, 400))
    ConnectionEnergy(import_wh=30, export_wh=370, error_wh=32)
    """
    half_wh = counted.both_wh // 2
    return _with_overlap(counted.difference_wh, half_wh, error_wh=counted.both_wh - half_wh + 2 * counted.step_wh)


def separate_phases(counted: Counted, above: FlowEvidence, below: FlowEvidence) -> ConnectionEnergy:
    """The energy of each phase by itself out of netting counters; `above` and `below` are sums over the phases.

    Never less than was counted, and with the difference of what was counted.
    """
    found_wh, error_wh = _overlap(counted.difference_wh, above, below, step_wh=counted.step_wh)
    return _with_overlap(counted.difference_wh, max(found_wh, counted.both_wh), error_wh=error_wh)


def together(phases: tuple[FlowEvidence, ...]) -> FlowEvidence:
    """The evidence of several phases as one: energies and doubts add up."""
    return FlowEvidence(
        sum(each.energy_wh for each in phases),
        sum(each.spread_wh for each in phases),
        max(each.hidden_wh for each in phases),
        sum(each.pause_wh for each in phases),
        max(each.unseen_s for each in phases),
        max(each.frozen_s for each in phases),
        sum(each.frozen_wh for each in phases),
        max(each.bridged_s for each in phases),
        sum(each.bridged_wh for each in phases),
    )


def _overlap(
    difference_wh: int, above: FlowEvidence, below: FlowEvidence, *, step_wh: int, sided: SidedImport | None = None
) -> tuple[int, int]:
    """The overlap that the power shows, and how far it may be off."""
    ways = [
        (above.spread_wh, above.energy_wh - max(0, difference_wh)),
        (below.spread_wh, below.energy_wh - max(0, -difference_wh)),
    ]
    if sided is not None:
        ways.append((sided.spread_wh, sided.import_wh - max(0, difference_wh)))
    spread_wh, overlap_wh = min(ways, key=lambda way: way[0])
    missed_wh = abs(above.energy_wh - below.energy_wh - difference_wh)
    error_wh = spread_wh + max(above.hidden_wh, below.hidden_wh) + missed_wh + 2 * step_wh
    return round(overlap_wh), int(error_wh) + (error_wh % 1 > 0)


def _with_overlap(difference_wh: int, overlap_wh: int, *, error_wh: int) -> ConnectionEnergy:
    return ConnectionEnergy(max(0, difference_wh) + overlap_wh, max(0, -difference_wh) + overlap_wh, error_wh)
