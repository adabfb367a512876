"""Whether a counter has turned: one that was near its end and shows a small number may have begun again as well.

Pure. What follows from it for the reference is decided in `reference`.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.metering.counter_records import FITS, CounterLimits, CounterReading, Fit
from edge_agent.metering.fitting import ReadingComparison
from edge_agent.metering.witness import PowerWitness


class TurningComparison(ReadingComparison):
    """Compares readings of one counter beyond the turns it has made."""

    def __init__(self, limits: CounterLimits, witness: PowerWitness, half: int) -> None:
        super().__init__(limits, witness, half)
        self._zeros: tuple[CounterReading, CounterReading] | None = None
        """The first and the last 0 shown since a reading near the counter's end was believed."""
        self._has_begun = False
        """The number after them was one of a counter that began at 0 for good."""

        self._other_fell: bool | None = None
        """Whether another register of the device is below where it was; None if none can tell."""
        self._other_wh: int | None = None
        """What it shows."""
        self._others_falls = 0
        """How often since a reading was believed."""

    def _unwrapped(
        self, known: CounterReading, shown: CounterReading, *, look: CounterReading | None
    ) -> CounterReading:
        """The reading beyond the turns made so far; one turn more if that is where the counter must be now.

        A turn is made once a reading after it is believed; until then the next is compared with the reference again.
        `look` is a first look that waits for this one.
        """
        if not (wraps_wh := self.limits.wraps_wh):
            return shown
        turns = known.counter_wh // wraps_wh
        here = replace(shown, counter_wh=shown.counter_wh + turns * wraps_wh) if turns else shown
        if self._fit(known, here) in FITS:
            return here
        if shown.counter_wh == 0:
            self._zeros = (self._zeros or (shown, shown))[0], shown
        self._has_begun |= self._is_like_a_beginning(shown)
        turned = replace(here, counter_wh=here.counter_wh + wraps_wh)
        if self._fit(known, turned) in FITS and self._has_turned(known, shown, turned, look=look):
            return turned
        # The reference may be a turn too far, by a 0 that was none of it; or just past the turn, and this rounded down.
        is_before = turns > 0 and here.counter_wh - known.counter_wh > wraps_wh / 2
        return replace(here, counter_wh=here.counter_wh - wraps_wh) if is_before else here

    def _has_turned(
        self, known: CounterReading, shown: CounterReading, turned: CounterReading, *, look: CounterReading | None
    ) -> bool:
        """Whether a counter that may have turned has: it shows 0 as well while its device starts, or begins there.

        So a 0 must be just what the power has seen; else the next reading decides, for all after it. One that begins at
        0 for good takes the device's other registers along, and what is left to the end has not flowed.
        """
        self._others_falls += self._other_fell is True and shown.counter_wh > 0
        if self._other_fell or self._others_falls > 1:
            return False
        is_seen = self.witness.has_worked and self.evidence_between(known, turned).is_whole
        if is_seen and self._by_power(known, turned) is Fit.TIGHT:
            return True
        if shown.counter_wh == 0 or not (self._other_fell is False or self._may_have_run(known, turned)):
            return False
        if look is not None and look.counter_wh > known.counter_wh and self._fit(look, turned) in FITS:
            return True
        self._has_begun |= self._leaps(known, turned)
        return not self._has_begun

    def _may_have_run(self, known: CounterReading, turned: CounterReading) -> bool:
        """Whether the power around allows the rise, and the nameplate where no power was read at both ends."""
        if not self.witness.has_worked or self.is_doubted:
            return True
        found = self.evidence_between(known, turned)
        unknown_s = max(0.0, found.unseen_s - found.bridged_s)
        most_wh = found.most_wh + self.limits.max_power_w * unknown_s / 3600
        return turned.counter_wh - known.counter_wh <= 1.1 * most_wh + self.limits.wobble_wh

    def note_other(self, has_fallen: bool | None, shown_wh: int | None) -> None:
        """Whether another register has fallen in the answer that is judged next, and what one shows; None: unknown."""
        self._other_fell, self._other_wh = has_fallen, shown_wh

    def _is_like_a_beginning(self, shown: CounterReading) -> bool:
        """Whether a counter that showed 0 and began there for good would show as little: no more than surely flowed.

        It may have begun one reading before it was first seen to show 0.
        """
        if shown.counter_wh == 0 or self._zeros is None or (now_w := self.witness.power_w) is None:
            return False
        first, last = self._zeros
        ran_wh = max(0, now_w if self.half == 0 else -now_w) * (2 * shown.at_s - first.at_s - last.at_s) / 3600
        return shown.counter_wh <= ran_wh + self.limits.wobble_wh

    def _forget_zeros(self) -> None:
        """Another reading is believed now."""
        self._zeros, self._has_begun, self._others_falls = None, False, 0

    def _shift_answers(self, by_s: float) -> None:
        super()._shift_answers(by_s)
        if self._zeros is not None:
            first, last = (replace(each, at_s=each.at_s + by_s) for each in self._zeros)
            self._zeros = first, last
