"""How one reading of a counter agrees with an earlier one: with the counter's limits, and with the power between them.

Pure. What follows from it for the reference is decided in `reference`.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.metering.counter_records import FITS, CounterLimits, CounterReading, Excursion, Fit
from edge_agent.metering.witness import CLOUDED_WH, OFTEN_S, WOBBLE_WH, FlowEvidence, PowerWitness
from protocols.slots import SLOT_S

REFRESH_SLACK_S = 300
"""A device may show a counter value this old; two readings may then differ by more than their distance allows."""

UNSEEN_S = SLOT_S * 3 // 2
"""A device that showed 0 asleep and was not seen for this long is not believed when it shows a number."""

MORE_UNSEEN_WH = 500
"""A counter that returns may have run twice what the power saw, a fifteenth of the nameplate unseen, and this more."""

HOLE_PACES = 1.25
"""Readings further apart than so many intervals have one missing in between, or one late."""

DOUBT_AT = -20
SURE_AT = 20

FORMER_S = 6 * 3600
"""A reference left for one that has run this long since is over."""


class ReadingComparison:
    """Compares readings of one counter. `half`: which direction of the power drives it."""

    def __init__(self, limits: CounterLimits, witness: PowerWitness, half: int) -> None:
        self.limits = limits
        self.witness = witness
        self.half = half
        self.moved: CounterReading | None = None
        """The reading at which the counter was last seen to move."""
        self.pace_s = float("inf")
        """How far apart readings are wanted: the shortest time seen between two."""
        self._answered_at_s = self._hole_at_s = float("-inf")
        self.is_doubted = False
        """The power has contradicted this counter so often that only its limits count."""
        self._score = 0

        self._compared_to: CounterReading | None = None
        self._evidence: list[tuple[CounterReading, FlowEvidence]] = []
        """What was found of the newest reading and earlier ones: one judgement asks for the same again and again."""

    def evidence_between(self, first: CounterReading, last: CounterReading) -> FlowEvidence:
        """What the power says of the time between two readings."""
        if last is not self._compared_to:
            self._compared_to, self._evidence = last, []
        for known, evidence in self._evidence:
            if known is first:
                return evidence
        found = self.witness.since(first.mark, self.half, elapsed_s=last.at_s - first.at_s, until=last.mark)
        if last.mark is not None:
            self._evidence.append((first, found))
        return found

    def is_confirmed(self, first: CounterReading, last: CounterReading) -> bool:
        """Whether the power saw all of the time between two readings, and what the counter ran in it."""
        return self.evidence_between(first, last).is_whole and self._by_power(first, last) in FITS

    def _fit(self, since: CounterReading, point: CounterReading, *, excess_wh: float = 0.0) -> Fit:
        limits, elapsed_s = self.limits, point.at_s - since.at_s
        rise_wh = point.counter_wh - since.counter_wh
        if rise_wh < -limits.wobble_wh:
            return Fit.FALLEN
        was_asleep = limits.sleeps and since.counter_wh == 0 < rise_wh and elapsed_s > UNSEEN_S
        was_asleep = was_asleep and not self.evidence_between(since, point).is_whole
        if was_asleep or rise_wh > limits.energy_wh(elapsed_s + REFRESH_SLACK_S):
            return Fit.ABOVE
        return Fit.TIGHT if self.is_doubted else self._by_power(since, point, excess_wh=excess_wh)

    def is_zero(self, reading: CounterReading) -> bool:
        """Whether the register showed 0, also one that has turned before."""
        return (reading.counter_wh % self.limits.wraps_wh if self.limits.wraps_wh else reading.counter_wh) == 0

    def _has_more_turns(self, since: CounterReading, point: CounterReading) -> bool:
        wraps_wh = self.limits.wraps_wh
        return wraps_wh is not None and wraps_wh > 0 and point.counter_wh // wraps_wh > since.counter_wh // wraps_wh

    def _by_power(self, since: CounterReading, point: CounterReading, *, excess_wh: float = 0.0) -> Fit:
        """How the rise between two readings agrees with the power between them."""
        limits, found = self.limits, self.evidence_between(since, point)
        if not self.witness.has_worked and found.unseen_s + 1.0 >= point.at_s - since.at_s:
            return Fit.UNSEEN if self._leaps(since, point) else Fit.TIGHT
        over_wh = point.counter_wh - since.counter_wh - found.energy_wh
        loose_wh = found.loose_wh(limits.step_wh)
        if over_wh + found.frozen_wh < -found.least_loose_wh(limits.step_wh):
            return Fit.BEHIND
        # Clouds part between two readings; any other load that neither saw is looked at twice.
        beyond_wh = found.seldom_wh / (2 if limits.sleeps else 1)
        if -found.tight_wh(limits.step_wh) <= over_wh <= found.tight_wh(limits.step_wh) - beyond_wh:
            return Fit.TIGHT
        if not found.is_whole:
            open_s = found.unseen_s + found.frozen_s + REFRESH_SLACK_S
            return Fit.ABOVE if over_wh > loose_wh + limits.energy_wh(open_s) else Fit.UNSEEN
        return Fit.ABOVE if over_wh > loose_wh + excess_wh else Fit.LOOSE

    def contradict_power(self, weight: int) -> None:
        """The power did not agree with what this counter ran, over a whole slot."""
        self._score = max(DOUBT_AT, self._score - weight)
        self.is_doubted = self.is_doubted or self._score <= DOUBT_AT

    def _count_agreement(self, known: CounterReading, point: CounterReading) -> None:
        """A reading that both agree on, with something to agree on, speaks for the power; in doubt also against it."""
        found, rise_wh = self.evidence_between(known, point), point.counter_wh - known.counter_wh
        if not found.is_whole or max(found.energy_wh, rise_wh) <= self.limits.wobble_wh:
            return
        agrees = not self.is_doubted or self._by_power(known, point) in FITS
        self._score = min(SURE_AT, self._score + 1) if agrees else max(DOUBT_AT, self._score - 1)
        self.is_doubted = self.is_doubted and self._score < 0

    def _is_far_behind(self, since: CounterReading, point: CounterReading) -> bool:
        """Whether far more has flowed than a register that is near shows of it: then it is near by chance."""
        found = self.evidence_between(since, point)
        behind_wh = found.least_wh - (point.counter_wh - since.counter_wh)
        return behind_wh > self.limits.near_wh + found.lost_wh(self.limits.step_wh)

    def _leaps(self, since: CounterReading, point: CounterReading) -> bool:
        """Whether more was counted than can have flowed since the reading before, if both were fresh."""
        return point.counter_wh - since.counter_wh > self.limits.energy_wh(point.at_s - since.at_s)

    def _lags(self, since: CounterReading, point: CounterReading) -> bool:
        """Whether less was counted than the power says, whatever it changed by: stuck or paused."""
        found = self.evidence_between(since, point)
        over_wh = point.counter_wh - since.counter_wh - found.energy_wh
        allowed_wh = found.still_wh(self.limits.step_wh) + (0 if found.is_often else found.hidden_wh / 2)
        return found.is_whole and over_wh < -allowed_wh

    def _note_answer(self, at_s: float, counter_wh: int, known: CounterReading | None) -> None:
        """The device shows a number now; one that starts shows 0 as well."""
        if counter_wh == 0 and known is not None and known.counter_wh:
            return
        if at_s - self._answered_at_s > HOLE_PACES * self.pace_s and self.pace_s <= OFTEN_S:
            self._hole_at_s = at_s
        self._answered_at_s = at_s

    def _shift_answers(self, by_s: float) -> None:
        """The clock was changed."""
        self._answered_at_s += by_s
        self._hole_at_s += by_s

    def has_hole(self, since: CounterReading, point: CounterReading) -> bool:
        """Whether a device that is read often gave no answer for a while in between: it may have restarted there."""
        return since.at_s < self._hole_at_s <= point.at_s

    def _has_missed(self, since: CounterReading, point: CounterReading, *, has_fallen: bool) -> bool:
        """Whether it ran less while it was not read than the power around makes: it may have fallen back there.

        What a counter loses in a restart only the power can tell. So where it may have restarted, it must have run
        the most that the power allows; between seldom readings at least what surely flowed. A turn in such a time may
        be a beginning at 0.
        """
        is_blind = has_fallen or self.has_hole(since, point)
        found, now_w = self.evidence_between(since, point), self.witness.power_w or 0
        if self._has_more_turns(since, point) and (is_blind or not found.is_whole):
            return True
        if self.is_doubted or not (is_blind or point.at_s - since.at_s >= 1.5 * OFTEN_S):
            return False
        flowed_wh = found.most_wh if is_blind else found.energy_wh - found.spread_wh
        unknown_s = found.unseen_s - (found.bridged_s if is_blind else 0.0)
        flowed_wh += max(0, now_w if self.half == 0 else -now_w) * max(0.0, unknown_s) / 3600
        behind_wh = flowed_wh - max(0, point.counter_wh - since.counter_wh)
        return behind_wh > self.limits.step_wh + 2 * WOBBLE_WH

    def _is_slow(self, moved: CounterReading, known: CounterReading, point: CounterReading) -> bool:
        """Whether a counter read seldom ran less than the readings at both ends show: paused, stuck or an old answer.

        `moved` is where it moved last. What flows only since this reading leaves the counter where it is; what stopped
        just after the one before it looks like a stuck register.
        """
        found, last = self.evidence_between(moved, point), self.evidence_between(known, point)
        if not found.is_whole or found.is_often:
            return False
        sign = 1 if self.half == 0 else -1
        now_w, before_w = (max(0, sign * (each or 0)) for each in (self.witness.power_w, self.witness.power_before_w))
        if now_w == before_w == 0:
            # Nothing flows here now: what the counter did before belongs to the slot before.
            return False
        began_wh = max(0, now_w - before_w) / 2 * (point.at_s - known.at_s) / 3600
        has_stood = point.counter_wh <= moved.counter_wh and found.energy_wh - began_wh > self.limits.wobble_wh
        least_wh = (last.energy_wh - last.spread_wh) / 2 - self.limits.wobble_wh
        return has_stood or point.counter_wh - known.counter_wh < least_wh

    def _was_never_alive(self, known: CounterReading, point: CounterReading) -> bool:
        """Whether the reference is a first answer that was only repeated: what it leaps from may be anything."""
        has_risen = point.counter_wh - known.counter_wh > self.limits.wobble_wh
        return has_risen and self.evidence_between(known, point).frozen_s > 0

    def _is_back(self, former: CounterReading, known: CounterReading, point: CounterReading) -> bool:
        """Whether this reading leaps from a lower counter to where the former one must be now."""
        if point.counter_wh < former.counter_wh - self.limits.wobble_wh:
            return False
        gap_wh = former.counter_wh - known.counter_wh
        is_sudden = self.evidence_between(known, point).is_whole or self._leaps(known, point)
        return is_sudden and gap_wh > self.limits.wobble_wh and self._may_return(former, point)

    def _is_possible(self, since: CounterReading, point: CounterReading) -> bool:
        """Whether a load that no reading saw may have made this rise: to be looked at twice, and no measurement."""
        was_seen = self.evidence_between(since, point).is_whole
        return was_seen and not self.is_doubted and not self._leaps(since, point)

    def _may_return(self, earlier: CounterReading, point: CounterReading) -> bool:
        """Whether this reading is where an earlier reference must be now; not anywhere after a gap."""
        fit, found = self._fit(earlier, point), self.evidence_between(earlier, point)
        unseen_wh = self.limits.max_power_w / 15 * (found.unseen_s + found.frozen_s) / 3600
        most_wh = 2 * found.energy_wh + found.loose_wh(self.limits.step_wh) + MORE_UNSEEN_WH + unseen_wh
        return fit in FITS and (fit is not Fit.UNSEEN or point.counter_wh - earlier.counter_wh <= most_wh)

    def _may_be_another(self, away: Excursion | None, known: CounterReading, point: CounterReading) -> bool:
        """Whether this reading, where the counter may be after long away, may be of another register put in since."""
        if away is None or self.is_doubted or not self.witness.has_worked or not away.stays_off(known):
            return False
        if self._goes_on_below(away, known, point) or self._is_of_one_device(known, point):
            return False
        found = self.evidence_between(known, point)
        if not self.is_zero(away.last) and (away.rises > 0 or found.is_whole):
            return not self._is_what_flowed(known, point)
        over_wh = point.counter_wh - known.counter_wh - found.least_wh
        return over_wh > found.loose_wh(self.limits.step_wh) + self._unsure_wh(known, point)

    def _is_of_one_device(self, first: CounterReading, last: CounterReading) -> bool:
        """Whether the device's other register ran just what the power saw: then neither of the two was exchanged.

        One that has hardly counted, or whose power is too unsure, shows that by chance as well.
        """
        first_wh, last_wh = first.other_wh, last.other_wh
        if first_wh is None or last_wh is None or min(first_wh, last_wh) <= 2 * self.limits.near_wh:
            return False
        elapsed_s = last.at_s - first.at_s
        found = self.witness.since(first.mark, 1 - self.half, elapsed_s=elapsed_s, until=last.mark)
        tight_wh = found.tight_wh(self.limits.step_wh)
        return tight_wh <= CLOUDED_WH and abs(last_wh - first_wh - found.energy_wh) <= tight_wh

    def _is_what_flowed(self, since: CounterReading, point: CounterReading) -> bool:
        """Whether a rise is what the power saw, if it saw nearly all: then it is right, whatever the registers are."""
        found, unsure_wh = self.evidence_between(since, point), self._unsure_wh(since, point)
        over_wh, close_wh = point.counter_wh - since.counter_wh - found.least_wh, found.close_wh(self.limits.step_wh)
        is_seen = unsure_wh <= CLOUDED_WH + 0.05 * found.energy_wh
        return is_seen and -close_wh <= over_wh <= close_wh + found.hidden_wh + unsure_wh

    def _unsure_wh(self, since: CounterReading, point: CounterReading) -> float:
        now_w = max(0, (self.witness.power_w or 0) * (1 if self.half == 0 else -1))
        return self.evidence_between(since, point).unsure_wh(now_w, point.at_s - since.at_s)

    def _goes_on_below(self, away: Excursion, known: CounterReading, point: CounterReading) -> bool:
        """Whether it is the register read last, which fell a little, as a meter does that saves its count seldom.

        Then the total is never more than what flowed, whatever was put in, and lacks no more than that.
        """
        fell_wh = known.counter_wh - away.first.counter_wh
        # What it fell shows as up to one step more.
        return 0 <= fell_wh < self.limits.near_wh + self.limits.step_wh and self._fit(away.last, point) in FITS

    def _distance_wh(self, since: CounterReading, point: CounterReading) -> float:
        return abs(point.counter_wh - since.counter_wh - self.evidence_between(since, point).energy_wh)

    def _continues(self, away: Excursion, known: CounterReading, point: CounterReading, *, fit: Fit) -> bool:
        """Whether this reading continues the excursion rather than the reference; `fit` is how it fits the latter."""
        going = self._fit(away.last, point)
        if self.is_zero(away.last) and going not in FITS:
            # It only showed 0, as devices do while they start: no other register that this could be.
            return False
        if not self.witness.has_worked:
            return self._paces_away(away, known, point, going=going)
        if fit is Fit.UNSEEN and not self._may_return(known, point):
            return True
        has_fallen = away.first.counter_wh < known.counter_wh
        is_there = abs(point.counter_wh - known.counter_wh) <= self.limits.wobble_wh
        if going not in FITS or (fit is Fit.TIGHT and (is_there or not has_fallen)):
            return False
        nearer_wh = self._distance_wh(known, point) - self._distance_wh(away.last, point)
        if has_fallen and away.first is away.last and nearer_wh < self.evidence_between(away.last, point).spread_wh:
            # One low answer, and a power that says nothing of what came after: back.
            return False
        return nearer_wh > self.limits.wobble_wh

    def _paces_away(self, away: Excursion, known: CounterReading, point: CounterReading, *, going: Fit) -> bool:
        """The same without power: the pace of the excursion says where the one and the other would be by now."""
        elapsed_s = point.at_s - known.at_s
        pace_w = (away.last.counter_wh - away.first.counter_wh) / max(1.0, away.last.at_s - away.first.at_s)
        far_wh = abs(point.counter_wh - known.counter_wh - pace_w * elapsed_s)
        near_wh = abs(point.counter_wh - away.last.counter_wh - pace_w * (point.at_s - away.last.at_s))
        ran_wh = 2 * pace_w * elapsed_s if away.rises else self.limits.energy_wh(elapsed_s) / 4
        stood_s = away.last.at_s - away.first.at_s
        if not away.rises and 0 < away.first.counter_wh < known.counter_wh and stood_s > REFRESH_SLACK_S:
            # A register that stood still at a lower number was idle: another one that ran meanwhile is not known.
            return far_wh > self.limits.near_wh
        if not away.rises and self.moved is not None and known.at_s - self.moved.at_s > SLOT_S:
            # It stood still before as well: whatever it ran meanwhile nobody saw begin.
            ran_wh = 0
        return far_wh > ran_wh + MORE_UNSEEN_WH or (going in FITS and near_wh + self.limits.wobble_wh < far_wh)

    def _is_of_rival(self, away: Excursion, rival: Excursion | None, point: CounterReading) -> bool:
        """Whether without power this reading goes on from what leapt from the excursion, not from the excursion."""
        if rival is None or self.witness.has_worked or self._fit(rival.last, point) not in FITS:
            return False
        return abs(point.counter_wh - rival.last.counter_wh) < abs(point.counter_wh - away.last.counter_wh)

    def _was_passed_over(self, away: Excursion, rival: Excursion) -> bool:
        """Whether the rival may go on from the excursion's beginning, with one odd reading in between.

        Without power: it is not above the excursion, and below it by no more than one leap. One that ran to where it
        was has fallen, and what it ran is not what the rival ran.
        """
        if self.witness.has_worked:
            return True
        fell_wh = away.last.counter_wh - rival.first.counter_wh
        return 0 <= fell_wh <= away.leap_wh + self.limits.wobble_wh

    def _is_past(self, former: CounterReading, known: CounterReading) -> bool:
        """Whether a former reference is too near to be told from the present one, or below it for too long."""
        above_wh = former.counter_wh - known.counter_wh
        is_over = 0 < above_wh <= self.limits.near_wh or known.at_s - former.at_s > FORMER_S
        return is_over or self.is_confirmed(former, known)

    def _was_odd(self, before: CounterReading, known: CounterReading, point: CounterReading) -> bool:
        """Whether the middle one of three readings is a little too high: the last goes on from the first."""
        if self._fit(before, point) not in FITS:
            return False
        return self._distance_wh(before, point) + self.limits.wobble_wh < self._distance_wh(before, known)

    def _agrees(self, first: CounterReading, point: CounterReading) -> bool:
        """Whether a second look agrees with a first one; one that only repeats it while power flows does not."""
        found = self.evidence_between(first, point)
        has_stood = point.counter_wh <= first.counter_wh and found.energy_wh > found.still_wh(self.limits.step_wh)
        return not has_stood and self._fit(first, point) in FITS

    def _is_nearer(self, aside: Excursion, away: Excursion, point: CounterReading) -> bool:
        """Whether this reading continues the excursion before the present one rather than this."""
        is_going_on = self._fit(away.last, point) in FITS
        if not self._may_return(aside.last, point) or (is_going_on and not self.witness.has_worked):
            return False
        near_wh = self._distance_wh(aside.last, point) + self.limits.wobble_wh
        return not is_going_on or near_wh < self._distance_wh(away.last, point)

    def _longer(self, away: Excursion, point: CounterReading) -> Excursion:
        highest_wh = max(point.counter_wh, away.last.counter_wh)
        rises = away.rises + (highest_wh > away.last.counter_wh)
        leap_wh = max(away.leap_wh, highest_wh - away.last.counter_wh)
        return replace(away, last=replace(point, counter_wh=highest_wh), rises=rises, leap_wh=leap_wh)

    def _is_sure(self, first: CounterReading, last: CounterReading) -> bool:
        """Whether the power confirms a rise without what may hide between two seldom readings."""
        found, fit = self.evidence_between(first, last), self._by_power(first, last)
        return found.is_whole and (fit is Fit.TIGHT or (found.is_often and fit is Fit.LOOSE))

    def _offset_wh(self, since: CounterReading, point: CounterReading) -> int | None:
        """How far apart two registers are, read one after the other; None if the power does not say.

        Between seldom readings nothing is sure to have flowed, and a total may be less than what flowed, never more.
        """
        found = self.evidence_between(since, point)
        is_known = found.is_whole and not self.is_doubted
        flowed_wh = round(found.energy_wh) if found.is_often else 0
        return point.counter_wh - since.counter_wh - flowed_wh if is_known else None
