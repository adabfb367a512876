"""Set-up's question to the legal meter's own display: does it net the phases, or count each by itself?

Pure. A person reads the display twice; between the two, the device's counters and its power say what each way of
counting would have shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from edge_agent.metering.phases.overlap import ConnectionEnergy, Counted, net_phases, separate_phases, together
from edge_agent.metering.witness import FlowEvidence, PowerWitness, WitnessMark

PERCENT: Final = 3
"""Two meters of which neither is faulty may differ by this much."""

LONGEST_HOLE_S: Final = 60.0
DeviceCounting = Literal["netted", "separate"]
DisplayVerdict = Literal["netted", "separate", "either", "neither"]
"""`either`: the two ways do not differ enough yet, as at night: look again after an hour of sun. `neither`: another
meter, swapped wires, a wrong transformer factor."""


@dataclass(frozen=True, slots=True)
class BothWays:
    """What each way of counting makes of the same time; `separate` is None where the phases are not known."""

    netted: ConnectionEnergy
    separate: ConnectionEnergy | None


def both_ways(
    device: DeviceCounting, counted: Counted, total: Sequence[FlowEvidence], phases: Sequence[FlowEvidence] | None
) -> BothWays:
    """The energy in both ways. `total` and `phases`: the power above zero and below, of the sum and over the phases."""
    as_counted = ConnectionEnergy(counted.import_wh, counted.export_wh, counted.step_wh)
    if device == "separate":
        return BothWays(net_phases(counted, total[0], total[1]), as_counted)
    apart = None if phases is None else separate_phases(counted, phases[0], phases[1])
    return BothWays(as_counted, apart)


def compare_display(shown: Counted, ways: BothWays) -> DisplayVerdict:
    """Which way of counting the display agrees with. `shown` is what it moved by, with the step it shows.

    >>> way = BothWays(ConnectionEnergy(100, 2000, 5), ConnectionEnergy(900, 2800, 2))
    >>> compare_display(Counted(100, 2000, 10), way), compare_display(Counted(0, 2000, 1000), way)
    ('netted', 'either')
    """
    is_netted = _agrees(shown, ways.netted)
    if ways.separate is None:
        return "netted" if is_netted else "neither"
    is_separate = _agrees(shown, ways.separate)
    if is_netted and is_separate:
        return "either"
    return "netted" if is_netted else "separate" if is_separate else "neither"


class DisplayWatch:
    """Everything read between the two looks at the display. Give it every reading of the grid meter, with its time."""

    def __init__(self, device: DeviceCounting, *, step_wh: int = 1) -> None:
        self._device: DeviceCounting = device
        self._step_wh = step_wh
        self._total = PowerWitness(LONGEST_HOLE_S)
        self._phases: list[PowerWitness] = []
        self._first: tuple[float, int, int] | None = None
        self._last: tuple[float, int, int] | None = None

    def add(
        self, at_s: float, *, import_wh: int, export_wh: int, power_w: int, phases_w: Sequence[int] | None = None
    ) -> None:
        """One reading: the counters, the total power, and the power of each phase if the device gives it."""
        self._total.add(at_s, power_w)
        if phases_w and self._first is None:
            self._phases = [PowerWitness(LONGEST_HOLE_S) for _ in phases_w]
        for witness, phase_w in zip(self._phases, phases_w or (), strict=False):
            witness.add(at_s, phase_w)
        self._last = at_s, import_wh, export_wh
        self._first = self._first or self._last

    def ways(self) -> BothWays | None:
        """What each way of counting makes of the time so far; None before the second reading."""
        if self._first is None or self._last is None or self._last[0] <= self._first[0]:
            return None
        (begun_s, taken, given), (ended_s, taken_now, given_now) = self._first, self._last
        counted = Counted(max(0, taken_now - taken), max(0, given_now - given), self._step_wh)
        start, elapsed_s = WitnessMark(), ended_s - begun_s
        total = [self._total.since(start, half, elapsed_s=elapsed_s) for half in (0, 1)]
        phases = None
        if len(self._phases) > 1:
            each = [[one.since(start, half, elapsed_s=elapsed_s) for half in (0, 1)] for one in self._phases]
            phases = [together(tuple(pair[half] for pair in each)) for half in (0, 1)]
        return both_ways(self._device, counted, total, phases)


def _agrees(shown: Counted, way: ConnectionEnergy) -> bool:
    for mine_wh, theirs_wh in ((shown.import_wh, way.import_wh), (shown.export_wh, way.export_wh)):
        if abs(mine_wh - theirs_wh) > shown.step_wh + way.error_wh + theirs_wh * PERCENT / 100:
            return False
    return True
