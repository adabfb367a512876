"""Which reading of one counter is believed: the state machine behind `CounterMeter`.

Pure. It has three states. *Following*: the reference is the highest confirmed reading, and each reading that the
counter's limits and the power allow confirms it. *Straying*: readings contradict the reference (a dip, garbage, a
frozen register, a wrong scale, a reset); they are kept beside it as an `Excursion` and are no energy. The excursion
ends when a reading fits the reference again, whenever and after whatever that is; only if it has behaved like a
counter for an hour (`_is_established`) does it become the reference. *Doubting*: the power has contradicted a counter
that runs steadily so often that it is the power that is wrong; then only the limits count, and nothing is measured.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.metering.counter_records import (
    FITS,
    CounterLimits,
    CounterMemory,
    CounterReading,
    Excursion,
    Fit,
    NewBase,
    ReadingVerdict,
    SlotBase,
    moved,
)
from edge_agent.metering.fitting import DOUBT_AT, REFRESH_SLACK_S
from edge_agent.metering.turning import TurningComparison
from edge_agent.metering.witness import OFTEN_S, WOBBLE_WH, PowerWitness
from protocols.quantities import Gap
from protocols.slots import SLOT_S

ESTABLISHED_S = 3600
"""A counter that begins again must run this long, moving as the power does, before it becomes the reference."""

UNSEEN_STEP_WH = 30
"""More than this between two readings without power is no measurement: no second witness bounds what is wrong in it."""

RIVAL_S = 240
"""Readings that agree with each other for this long take the place of an earlier excursion."""

ZERO_S = 86_400
"""A register that shows 0 this long, with no power against it, has begun again."""

SLEEP_S = 3 * 86_400
"""The same for a device that sleeps at night, and for a register that only stays at some lower value."""


class CounterReference(TurningComparison):
    """The reference of one counter, and what contradicts it. `half`: which direction of the power drives it."""

    def __init__(self, limits: CounterLimits, witness: PowerWitness, half: int) -> None:
        super().__init__(limits, witness, half)
        self.reference: CounterReading | None = None
        self.excursion: Excursion | None = None
        self.rival: Excursion | None = None
        self._aside: Excursion | None = None
        self._other: Excursion | None = None
        self._away_moved: CounterReading | None = None
        self.awaiting: CounterReading | None = None
        self._first_look: CounterReading | None = None
        self.reason = Gap.NONE
        self.new_base: NewBase | None = None
        self.ended: Excursion | None = None
        self.returned_to: CounterReading | None = None
        self.offset_wh: int | None = None
        self.stuck_wh: float | None = None
        self.run_wh = 0
        self.has_leapt = self.is_unsure = self.is_barely = False
        self._barely_s = 0.0
        self.most_unseen_wh = 0
        self._shown_wh: int | None = None
        self._changed_at_s = float("-inf")
        self.former: CounterReading | None = None
        self._before: CounterReading | None = None
        self._fallback: CounterReading | None = None
        self._is_proven = self._is_resumed = False
        self._companion_s: float | None = None

    def begin(self, reference: CounterReading, memory: CounterMemory | None) -> None:
        """Continue from what was kept."""
        kept = reference if memory is None else memory.reference
        self.reference = self._marked(kept)
        self._is_proven = self._is_resumed = True
        if memory is None:
            return
        self.is_doubted, self._score = memory.is_doubted, DOUBT_AT if memory.is_doubted else 0
        self.former = None if memory.former is None else self._marked(memory.former)
        if (away := memory.excursion) is not None:
            first, last = self._marked(away.first), self._marked(away.last)
            self.excursion = replace(away, first=first, last=first if first == last else last)

    def _marked(self, kept: CounterReading) -> CounterReading:
        return kept if kept.mark is not None else replace(kept, mark=self.witness.mark())

    def memory(self, base: SlotBase) -> CounterMemory | None:
        """What must survive a restart beside this base; None if the base says it all."""
        if self.reference is None:
            return None
        is_plain = self.former is None and self.excursion is None and not self.is_doubted
        if is_plain and abs(self.reference.counter_wh - base.counter_wh) <= self.limits.wobble_wh:
            return None
        return CounterMemory(self.reference, self.former, self.excursion, self.is_doubted).before(self.witness.mark())

    def judge(self, at_s: float, counter_wh: int | None, *, excess_wh: float = 0.0) -> ReadingVerdict:
        """Judge one reading. `excess_wh`: what the opposite counter ran beyond the power; this one may have as well.

        `reason` and `new_base` say more about it.
        """
        self.reason, self.new_base, self.stuck_wh = Gap.NONE, None, None
        self.returned_to = None
        if counter_wh is None:
            return ReadingVerdict.NOTHING
        if self._shown_wh not in (None, counter_wh):
            self._changed_at_s = at_s
        self._shown_wh = counter_wh
        if not 0 <= counter_wh <= self.limits.lifetime_wh:
            self.reason = Gap.IMPLAUSIBLE
            return ReadingVerdict.SUSPECT
        self._note_answer(at_s, counter_wh, self.reference)
        if self.reference is None:
            if counter_wh == 0 and self.limits.sleeps:
                return ReadingVerdict.NOTHING
            self.reference = self.moved = CounterReading(at_s, counter_wh, self.witness.mark(), self._other_wh)
            return ReadingVerdict.GOOD
        if self.moved is None:
            self.moved = CounterReading(at_s, self.reference.counter_wh, self.witness.mark())
        shown = CounterReading(at_s, counter_wh, self.witness.mark(), self._other_wh)
        point = self._unwrapped(self.reference, shown, look=self.awaiting)
        fit, before = self._fit(self.reference, point, excess_wh=excess_wh), self._before
        is_one = self.excursion is None or self.excursion.first is self.excursion.last
        if is_one and fit is Fit.FALLEN and before and self._was_odd(before, self.reference, point):
            self.reference = self.moved = before
            fit = self._fit(before, point, excess_wh=excess_wh)
        away = self.excursion
        has_stood = away is None or abs(away.last.counter_wh - self.reference.counter_wh) <= self.limits.wobble_wh
        self._barely_s = self._barely_s if self.is_barely else at_s
        self.is_barely = has_stood and fit is Fit.ABOVE and self._is_possible(self.reference, point)
        fit = Fit.LOOSE if self.is_barely else fit
        has_left = self._has_left(self.reference, point, fit)
        if has_left and fit in FITS and (look := self._first_look) and self.is_confirmed(look, point):
            # One odd answer came between a first look and this second one.
            has_left, self.awaiting = point.at_s - look.at_s > SLOT_S, look
        if fit in FITS and not has_left:
            return self._follow(point, fit)
        return self._stray(point, fit)

    @property
    def single_look(self) -> CounterReading | None:
        """A first look that may say where the counter is; not if the power has contradicted it only since now."""
        known, look = self.reference, self.awaiting
        if known is None or look is None or self._may_be_third(known, look):
            return None
        return None if self.is_barely and look.at_s - self._barely_s < RIVAL_S else look

    def surplus_wh(self, at_s: float, counter_wh: int | None) -> float:
        """How far this reading is above the power, at most what one phase can carry.

        A meter that counts each phase has import and export at once, and both then exceed the power alike.
        """
        if (known := self.reference) is None or counter_wh is None or self.excursion is not None:
            return 0.0
        elapsed_s = at_s - known.at_s
        found = self.witness.since(known.mark, self.half, elapsed_s=elapsed_s)
        phase_wh = self.limits.max_power_w / 3 * min(elapsed_s, REFRESH_SLACK_S) / 3600
        return min(max(0.0, counter_wh - known.counter_wh - found.energy_wh), phase_wh)

    def note_companion(self, began_s: float) -> None:
        """Another register of the same device began again at this time, and that is established."""
        self._companion_s = began_s

    def note_loss(self) -> None:
        """Something may have flowed that no register shows: no measurement."""
        self.most_unseen_wh = max(self.most_unseen_wh, UNSEEN_STEP_WH + 1)

    def shift(self, by_wh: int) -> None:
        """Shift the reference: only now is it known where the counter started."""
        if self.reference is not None:
            self.reference = replace(self.reference, counter_wh=self.reference.counter_wh + by_wh)

    def step_time(self, by_s: float) -> None:
        """The clock was changed: earlier readings move with it."""
        self.reference, self.moved = moved(self.reference, by_s), moved(self.moved, by_s)
        self.awaiting, self.former = moved(self.awaiting, by_s), moved(self.former, by_s)
        self._before, self._first_look = moved(self._before, by_s), moved(self._first_look, by_s)
        self._barely_s += by_s
        self._shift_answers(by_s)
        if (away := self.excursion) is not None:
            first, last = (replace(each, at_s=each.at_s + by_s) for each in (away.first, away.last))
            self.excursion, self.rival, self._aside = replace(away, first=first, last=last), None, None

    def _follow(self, point: CounterReading, fit: Fit) -> ReadingVerdict:
        known, moved = self.reference, self.moved
        assert known is not None, "a counter without a reference cannot be followed"
        assert moved is not None, "what has a reference has moved"
        if not self.is_doubted and (self.witness.is_frozen or point.counter_wh <= known.counter_wh):
            still = self.evidence_between(moved, point)
            flowed_wh = still.energy_wh if self.witness.is_frozen else still.least_wh
            if self.witness.is_frozen or flowed_wh > still.still_wh(self.limits.step_wh):
                self.stuck_wh, self.reason = flowed_wh, Gap.IMPLAUSIBLE
                return ReadingVerdict.SUSPECT
        if fit is not Fit.TIGHT and not self._is_seconded(point):
            self.awaiting = self._first_of(point)
            self.reason = Gap.IMPLAUSIBLE
            return ReadingVerdict.SUSPECT
        self._count_agreement(known, point)
        if not self.witness.has_worked and self._is_resumed and point.counter_wh > known.counter_wh:
            # The first reading after a restart has no witness: the next one that contradicts it wins.
            self._fallback, self._is_proven = known, False
        else:
            self._fallback, self._is_proven = None, True
        if (away := self.excursion) is not None and self._may_be_third(known, point):
            # What it ran since its own first boundary is known if the power has seen that.
            is_seen = self._is_what_flowed(away.first, point)
            self.new_base, self.ended = NewBase.UNKNOWN, away if is_seen else replace(away, base=None)
        return self._believe(point)

    def _may_be_third(self, known: CounterReading, point: CounterReading) -> bool:
        return any(self._may_be_another(each, known, point) for each in (self._other, self.excursion))

    def _is_seconded(self, point: CounterReading) -> bool:
        if self.awaiting is None or self.witness.is_frozen:
            # An old answer given again is no second look.
            return False
        # A second look at once is the same answer: what the power contradicts must last.
        is_soon = self.is_barely and point.at_s - self.awaiting.at_s < OFTEN_S
        return not is_soon and self._agrees(self.awaiting, point)

    def _first_of(self, point: CounterReading) -> CounterReading | None:
        if self.witness.is_frozen:
            return None
        is_same = self.is_barely and self.awaiting is not None and self._agrees(self.awaiting, point)
        return self.awaiting if is_same else point

    def _has_left(self, known: CounterReading, point: CounterReading, fit: Fit) -> bool:
        """Whether this reading, possible after the reference as well, is rather of another register."""
        if self.former is not None and self._is_back(self.former, known, point):
            return True
        if self.excursion is not None and self._continues(self.excursion, known, point, fit=fit):
            return True
        return not self._is_proven and fit is Fit.UNSEEN and self._was_never_alive(known, point)

    def _believe(self, point: CounterReading) -> ReadingVerdict:
        known, moved = self.reference, self.moved or point
        if known is None or point.counter_wh > known.counter_wh:
            self.moved = point
        self.run_wh = max(0, point.counter_wh - known.counter_wh) if known else 0
        self.has_leapt = self.has_leapt or (known is not None and self._leaps(known, point))
        self._note_unseen(known, point, moved)
        self._before, self._is_resumed = known, False
        has_fallen = known is not None and point.counter_wh < known.counter_wh
        self.reference = replace(point, counter_wh=known.counter_wh) if known and has_fallen else point
        self._forget_zeros()
        self.excursion = self.rival = self._aside = self._other = self.awaiting = self._first_look = None
        if self.former is not None and self._is_past(self.former, self.reference):
            self.former = None
        return ReadingVerdict.GOOD

    def _note_unseen(self, known: CounterReading | None, point: CounterReading, moved: CounterReading) -> None:
        """Without power a reading is sure only if the counter moved just now, by no more than an error may be."""
        is_unseen = known is None or self.evidence_between(known, point).unseen_s > 1.0
        is_unseen = is_unseen and not self.limits.is_recorded
        step_wh = self.run_wh if is_unseen and not self.is_doubted else 0
        self.most_unseen_wh = max(self.most_unseen_wh, step_wh)
        if known is not None and not self.limits.is_recorded:
            has_fallen = self.excursion is not None and self.excursion.first.counter_wh < known.counter_wh
            has_started = known.at_s < self.witness.started_at_s <= point.at_s
            if has_started or self._has_missed(known, point, has_fallen=has_fallen):
                self.note_loss()
        is_still = point.at_s - self._changed_at_s > OFTEN_S or self.run_wh == 0 < self.most_unseen_wh - WOBBLE_WH
        self.is_unsure = is_unseen and (is_still or step_wh > UNSEEN_STEP_WH or self.former is not None)
        if known is not None:
            self.is_unsure |= self._lags(known, point) or self._is_slow(moved, known, point)

    def _stray(self, point: CounterReading, fit: Fit) -> ReadingVerdict:
        known, away = self.reference, self.excursion
        assert known is not None, "a counter without a reference cannot be left"
        self._first_look, self.awaiting = self.awaiting or self._first_look, None
        if self._count_contradiction(away.last if away else known, point, fit) and fit is not Fit.FALLEN:
            return self._believe(point)
        before, self.excursion = away, self._extended(point)
        away = self.excursion
        if before is not None and before.first is not away.first and before.stays_off(known):
            # What was read for long is remembered until the counter is back.
            self._other = self._other if self.is_zero(before.last) and self._other else before
        if before is None or self._away_moved is None or away.last.counter_wh != before.last.counter_wh:
            self._away_moved = away.last
        if (new_base := self._ending(away, known)) is not None:
            self._adopt(away, known, new_base)
            return ReadingVerdict.GOOD
        if point.counter_wh == 0:
            return ReadingVerdict.NOTHING
        self.reason = Gap.COUNTER_RESET if away.first.counter_wh < known.counter_wh else Gap.IMPLAUSIBLE
        return ReadingVerdict.SUSPECT

    def _extended(self, point: CounterReading) -> Excursion:
        """The excursion with this reading; one odd reading does not end it, several that agree take its place."""
        away, rival, aside = self.excursion, self.rival, self._aside
        if away is not None and aside is not None and self._is_nearer(aside, away, point):
            self._aside, self.rival = away, None
            return self._longer(aside, point)
        if away is None or (self._fit(away.last, point) in FITS and not self._is_of_rival(away, rival, point)):
            self.rival = None
            return Excursion(point, point) if away is None else self._longer(away, point)
        fits = rival is not None and self._fit(rival.last, point) in FITS
        rival = self._longer(rival, point) if rival is not None and fits else Excursion(point, point)
        if away.first is not away.last and rival.last.at_s - rival.first.at_s < RIVAL_S:
            self.rival = rival
            return away
        self.rival = None
        if self._was_passed_over(away, rival) and self._may_return(away.first, rival.last):
            # One reading in between was odd: it is the same excursion.
            return rival.after(away)
        if aside is None or away.rises >= aside.rises:
            self._aside = away
        return rival

    def _ending(self, away: Excursion, known: CounterReading) -> NewBase | None:
        """How the excursion becomes the reference; None while it does not."""
        if away.first is away.last:
            return None
        for earlier in (self.former, self._fallback):
            if earlier is None or not self._may_return(earlier, away.first):
                continue
            if self._distance_wh(known, away.first) <= self._distance_wh(earlier, away.first):
                continue
            # Down again is no return before it has run there for a while: that would be a dip as well.
            is_up = earlier is not self.former or away.first.counter_wh > known.counter_wh
            if is_up or (away.rises and away.last.at_s - away.first.at_s >= SLOT_S):
                self.returned_to = earlier
                return NewBase.IF_OLDER
        if (
            not self._is_proven
            and self._fallback is None
            and away.rises >= 2
            and away.last.at_s - away.first.at_s >= REFRESH_SLACK_S
        ):
            return NewBase.OF_EXCURSION
        if not self._is_established(away, known):
            return None
        fell_wh = known.counter_wh - away.first.counter_wh
        is_near = abs(fell_wh) <= self.limits.near_wh and known.counter_wh <= away.last.counter_wh
        is_near = is_near and not self._is_far_behind(known, away.first)
        # At 0 after a gap it is a reset: what ran in the gap is in no register.
        is_reset = away.first.counter_wh == 0 and not self.evidence_between(known, away.first).is_whole
        return NewBase.KEPT if is_near and not is_reset else NewBase.OF_EXCURSION

    def _is_established(self, away: Excursion, known: CounterReading) -> bool:
        """Whether the excursion has behaved like a counter for long enough."""
        age_s = away.last.at_s - away.first.at_s
        still = self.evidence_between(self._away_moved or away.first, away.last)
        has_stood = self.witness.is_frozen or still.energy_wh > still.still_wh(self.limits.step_wh)
        if has_stood or self._by_power(away.first, away.last) not in FITS:
            return False
        if self._companion_s is not None and away.first.at_s <= self._companion_s + REFRESH_SLACK_S:
            return True
        run_wh = away.last.counter_wh - away.first.counter_wh
        if away.rises >= 2 and run_wh >= max(2 * self.limits.step_wh, 4 * WOBBLE_WH):
            # Nothing but a restart begins at 0 and then runs as the power says.
            began_s = away.first.at_s - known.at_s
            from_zero = began_s <= 2 * REFRESH_SLACK_S and self._is_sure(replace(known, counter_wh=0), away.first)
            is_seen = self.evidence_between(away.first, away.last).is_whole
            has_aged = age_s >= (REFRESH_SLACK_S if from_zero and is_seen else ESTABLISHED_S)
            return has_aged and (
                not is_seen or self.evidence_between(away.first, away.last).keeps_pace(run_wh, self.limits.step_wh)
            )
        if away.first.counter_wh >= known.counter_wh:
            return False
        is_zero = away.last.counter_wh == 0
        return age_s >= (ZERO_S if is_zero and not self.limits.sleeps else SLEEP_S)

    def _adopt(self, away: Excursion, known: CounterReading, new_base: NewBase) -> None:
        if new_base is not NewBase.KEPT and self._is_proven:
            self.former = known
        # Without power, a leap inside the excursion is not counted as energy.
        is_known = self.witness.has_worked or not away.is_leap
        self.note_loss()
        self.new_base, self.ended = new_base, away if is_known else replace(away, base=None)
        self.offset_wh = self._offset_wh(known, away.first)
        self.reference = self.moved = away.last
        self._forget_zeros()
        self._before = None
        self.excursion = self.rival = self._aside = self._other = self._companion_s = self._fallback = None
        self._is_proven = True

    def _count_contradiction(self, before: CounterReading, point: CounterReading, fit: Fit) -> bool:
        """One more reading speaks against the power, if the counter itself does nothing odd. Returns the doubt."""
        rise_wh, found = point.counter_wh - before.counter_wh, self.evidence_between(before, point)
        most_wh = self.limits.energy_wh(point.at_s - before.at_s)
        # A wrong scale makes many times the power; no power register errs like that and counts as well.
        is_scale = rise_wh > 4 * found.energy_wh > 4 * WOBBLE_WH or found.energy_wh > 4 * rise_wh > 4 * WOBBLE_WH
        if 0 < rise_wh <= most_wh and not is_scale and found.is_whole and self._by_power(before, point) not in FITS:
            self.contradict_power(1)
        return self.is_doubted and self.reference is not None and self._fit(self.reference, point) in FITS
