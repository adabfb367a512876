"""What the power says about a counter: how much energy flowed between two readings, and how sure that is.

Pure. The power is read in the same answers as the counter, so it is a second witness of every step. It is a weak one:
it was seen only at the readings, a kettle may have run in between, and after a silence it knows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LONGEST_WITNESSED_S = 630.0
"""Two power values further apart than this say nothing about the time between them: one reading in 300 s may fail."""

HIDDEN_W = 2000
"""A load of this size may run between two readings without being in either."""

OFTEN_S = 60.0
"""Readings this close show what is used, and one that looks odd can be made again in time."""

WOBBLE_WH = 5
"""Counters fall by this much when their firmware rounds differently after a restart; no energy, no error."""

CLOUDED_WH = 100
"""Where more than this may have flowed unseen, the power confirms no number that another register may show as well."""

STARTS_S = 600.0
"""A device that goes on showing 0 everywhere for longer than this is not starting."""

_WH_PER_WS = 1 / 3600


@dataclass(frozen=True, slots=True)
class WitnessMark:
    """The running sums at one instant. Units: s, Ws; `areas_ws` and `spreads_ws` above zero and below."""

    areas_ws: tuple[float, float] = (0.0, 0.0)
    spreads_ws: tuple[float, float] = (0.0, 0.0)
    covered_s: float = 0.0
    squares_s2: float = 0.0
    frozen_s: float = 0.0
    frozen_ws: tuple[float, float] = (0.0, 0.0)
    bridged_s: float = 0.0
    bridged_ws: tuple[float, float] = (0.0, 0.0)

    def before(self, now: WitnessMark) -> WitnessMark:
        """This mark for a witness that begins at `now` with sums of 0; what was bridged is forgotten."""
        (above, below), (above_now, below_now) = self.areas_ws, now.areas_ws
        (spread, other), (spread_now, other_now) = self.spreads_ws, now.spreads_ws
        (frozen, still), (frozen_now, still_now) = self.frozen_ws, now.frozen_ws
        return WitnessMark(
            (above - above_now, below - below_now),
            (spread - spread_now, other - other_now),
            self.covered_s - now.covered_s,
            self.squares_s2 - now.squares_s2,
            self.frozen_s - now.frozen_s,
            (frozen - frozen_now, still - still_now),
        )


@dataclass(frozen=True, slots=True)
class FlowEvidence:
    """What is known of one direction of the power since a mark. Units: Wh, s.

    `spread_wh`: how far the true energy may lie from `energy_wh` if the power changed at any time between two readings.
    `hidden_wh`: what a load between two readings may have used. `unseen_s`: time without power values.
    `pause_wh`: what it did not use if it paused between two readings.
    `frozen_s`: time in which the whole answer stayed the same, so that the power may be an old one.
    `bridged_s`: the part of `unseen_s` with power values at both ends; `bridged_wh` is the greater of the two over it.
    """

    energy_wh: float
    spread_wh: float
    hidden_wh: float
    pause_wh: float
    unseen_s: float
    frozen_s: float
    frozen_wh: float
    bridged_s: float = 0.0
    bridged_wh: float = 0.0

    @property
    def most_wh(self) -> float:
        """What flowed at most where power was seen, if it changed only once between two readings."""
        return self.energy_wh + self.spread_wh + self.bridged_wh

    @property
    def least_wh(self) -> float:
        """What surely flowed: an old answer's power may long be over."""
        return self.energy_wh - self.frozen_wh

    @property
    def is_whole(self) -> bool:
        """Whether power was seen all the time."""
        return self.unseen_s <= 1.0 and self.frozen_s == 0.0

    @property
    def is_often(self) -> bool:
        """Whether the readings were so close that little can hide between them."""
        return self.hidden_wh <= HIDDEN_W * OFTEN_S * _WH_PER_WS + WOBBLE_WH

    def unsure_wh(self, now_w: float, elapsed_s: float) -> float:
        """What flowed at most where the power was old or not seen, if it was no greater there than around."""
        seen_s, open_s = elapsed_s - self.unseen_s - self.frozen_s, max(0.0, self.unseen_s - self.bridged_s)
        mean_w = self.least_wh / seen_s / _WH_PER_WS if seen_s > 1.0 else 0.0
        around_w = max(now_w, mean_w)
        old_wh = max(self.frozen_wh, around_w * self.frozen_s * _WH_PER_WS)
        return self.bridged_wh + old_wh + around_w * open_s * _WH_PER_WS

    @property
    def seldom_wh(self) -> float:
        """What may hide between seldom readings and not between close ones."""
        return 0.0 if self.is_often else self.hidden_wh - HIDDEN_W * OFTEN_S * _WH_PER_WS

    def tight_wh(self, step_wh: int) -> float:
        """A reading that differs by less than this needs no second look.

        Between seldom readings a load may be switched at any time, and clouds come and go.
        """
        unsure_wh = self.spread_wh / 2 if self.is_often else self.spread_wh + self.seldom_wh
        return step_wh + WOBBLE_WH + 0.05 * self.energy_wh + unsure_wh

    def close_wh(self, step_wh: int) -> float:
        """A reading that differs by less than this is what the power saw, if it changed once between two readings."""
        return step_wh + WOBBLE_WH + 0.05 * self.energy_wh + self.spread_wh + self.seldom_wh

    def loose_wh(self, step_wh: int) -> float:
        """A reading that differs by more than this contradicts the power."""
        return step_wh + WOBBLE_WH + 0.1 * self.energy_wh + self.spread_wh + self.hidden_wh

    def least_loose_wh(self, step_wh: int) -> float:
        """The same for a reading below the power: what pauses between two readings is at most what ran."""
        return self.loose_wh(step_wh) - self.hidden_wh + min(self.hidden_wh, self.pause_wh)

    def lost_wh(self, step_wh: int) -> float:
        """The same for a register near an old one; where power was not seen more has flowed, which excuses nothing."""
        return self.least_loose_wh(step_wh) if self.is_whole else 0.1 * self.energy_wh + self.spread_wh

    def keeps_pace(self, run_wh: int, step_wh: int) -> bool:
        """Whether an excursion ran about as the power says: a tenth of it is a wrong scale, no counter."""
        slack_wh = step_wh + 4 * WOBBLE_WH
        return self.energy_wh / 2 - slack_wh <= run_wh <= 2 * self.energy_wh + slack_wh

    def still_wh(self, step_wh: int) -> float:
        """A counter that has not moved at all while more than this flowed is stuck."""
        return step_wh + WOBBLE_WH + 0.1 * self.energy_wh + self.spread_wh


class PowerWitness:
    """The running integral of one power with its uncertainty; `mark` and `since` give the part between two readings.

    `sleeps`: the device may show 0 everywhere and mean it. Any other that counted a moment ago is starting then.
    """

    def __init__(self, longest_hole_s: float = LONGEST_WITNESSED_S, *, sleeps: bool = False) -> None:
        self._longest_s = min(longest_hole_s, LONGEST_WITNESSED_S)
        self._sleeps = sleeps
        self._counted_at_s = float("-inf")
        self._mark = WitnessMark()
        self._last_at_s = float("-inf")
        self._last_w: int | None = None
        self._seen: tuple[float, int] | None = None
        self.started_at_s = float("-inf")
        """When the device last showed 0 everywhere, as one does that starts."""
        self._last_answer: tuple[int | None, ...] | None = None
        self._same_s = 0.0
        self.is_frozen = False
        self.power_w: int | None = None
        self.power_before_w: int | None = None

    @property
    def has_worked(self) -> bool:
        """Whether two power values were ever close enough to say something."""
        return self._mark.covered_s > 0

    def add(self, at_s: float, power_w: int | None, *, answer: tuple[int | None, ...] = (), step_wh: int = 1) -> None:
        """One reading; `answer` are the counters in it by direction, to notice a gateway that repeats an old one."""
        if any(answer):
            self._counted_at_s = at_s
        elif power_w == 0 and set(answer) == {0} and not self._sleeps and at_s - self._counted_at_s < STARTS_S:
            power_w, self.started_at_s = None, at_s
        self.power_before_w, self.power_w = self.power_w, power_w
        length_s = at_s - self._last_at_s
        if length_s <= 0:
            return
        if power_w is not None and self._last_w is not None and length_s <= self._longest_s:
            self._integrate(self._last_w, power_w, length_s=length_s)
            self._note_repeat(power_w, answer, length_s=length_s, step_wh=step_wh)
        else:
            self._same_s, self.is_frozen = 0.0, False
            self._bridge(at_s, power_w)
        if power_w is not None:
            self._seen = at_s, power_w
        self._last_at_s, self._last_w, self._last_answer = at_s, power_w, answer

    def mark(self) -> WitnessMark:
        """The sums up to the last reading."""
        return self._mark

    def since(
        self, mark: WitnessMark | None, half: int, *, elapsed_s: float, until: WitnessMark | None = None
    ) -> FlowEvidence:
        """What flowed from `mark` to `until` (now), `elapsed_s` later; `half` 0 is power above zero, 1 below."""
        now = until or self._mark
        if mark is None:
            mark = now
        covered_s = now.covered_s - mark.covered_s
        squares_s2 = now.squares_s2 - mark.squares_s2
        energy_wh = (now.areas_ws[half] - mark.areas_ws[half]) * _WH_PER_WS
        between_s = squares_s2 / covered_s if covered_s > 0 else 0.0
        return FlowEvidence(
            energy_wh,
            (now.spreads_ws[half] - mark.spreads_ws[half]) * _WH_PER_WS,
            HIDDEN_W * between_s * _WH_PER_WS,
            energy_wh * between_s / covered_s if covered_s > 0 else 0.0,
            max(0.0, elapsed_s - covered_s),
            now.frozen_s - mark.frozen_s,
            (now.frozen_ws[half] - mark.frozen_ws[half]) * _WH_PER_WS,
            now.bridged_s - mark.bridged_s,
            (now.bridged_ws[half] - mark.bridged_ws[half]) * _WH_PER_WS,
        )

    def step_time(self, by_s: float) -> None:
        """The clock was changed: the last reading moves with it."""
        self._last_at_s += by_s
        self._counted_at_s += by_s
        self.started_at_s += by_s
        if self._seen is not None:
            self._seen = self._seen[0] + by_s, self._seen[1]

    def _integrate(self, first_w: int, last_w: int, *, length_s: float) -> None:
        mark = self._mark
        first, last = max(0, first_w), max(0, last_w)
        first_below, last_below = max(0, -first_w), max(0, -last_w)
        self._mark = replace(
            mark,
            areas_ws=(
                mark.areas_ws[0] + (first + last) / 2 * length_s,
                mark.areas_ws[1] + (first_below + last_below) / 2 * length_s,
            ),
            spreads_ws=(
                mark.spreads_ws[0] + abs(last - first) / 2 * length_s,
                mark.spreads_ws[1] + abs(last_below - first_below) / 2 * length_s,
            ),
            covered_s=mark.covered_s + length_s,
            squares_s2=mark.squares_s2 + length_s * length_s,
        )

    def _bridge(self, at_s: float, power_w: int | None) -> None:
        """Too long without a power value to integrate: at most the greater of the two ends flowed all the time."""
        if self._seen is None or power_w is None:
            return
        (seen_s, seen_w), mark = self._seen, self._mark
        length_s = at_s - seen_s
        above_w, below_w = max(0, seen_w, power_w), max(0, -seen_w, -power_w)
        self._mark = replace(
            mark,
            bridged_s=mark.bridged_s + length_s,
            bridged_ws=(mark.bridged_ws[0] + above_w * length_s, mark.bridged_ws[1] + below_w * length_s),
        )

    def _note_repeat(self, power_w: int, answer: tuple[int | None, ...], *, length_s: float, step_wh: int) -> None:
        """The same power to the watt and the same counters, for longer than the counters could stand still."""
        half = int(power_w < 0)
        is_counted = half < len(answer) and answer[half] is not None
        if not power_w or not is_counted or power_w != self._last_w or answer != self._last_answer:
            self._same_s, self.is_frozen = 0.0, False
            return
        before_s, self._same_s = self._same_s, self._same_s + length_s
        still_wh = abs(power_w) * _WH_PER_WS * 0.9
        if still_wh * self._same_s > step_wh + WOBBLE_WH:
            was_frozen = still_wh * before_s > step_wh + WOBBLE_WH
            more_s = length_s if was_frozen else self._same_s
            mark = self._mark
            frozen_ws = list(mark.frozen_ws)
            frozen_ws[half] += abs(power_w) * more_s
            self._mark = replace(mark, frozen_s=mark.frozen_s + more_s, frozen_ws=(frozen_ws[0], frozen_ws[1]))
            self.is_frozen = True
