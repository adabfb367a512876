"""A timeline maps real time to the time a program works with, so that a demonstration can run faster than real time.

`Timeline` is arithmetic; `Clock` joins it to a real clock and a way to sleep, both passed in.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf, isfinite

FOLLOW_EVERY_S = 0.05
"""A clock that follows a timeline reads it again at least this often (real seconds)."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """From `anchor_real_s` on, time runs from `anchor_s` at `rate`, and stops at `hold_at_s`.

    Raises: ValueError for numbers that are not finite or a negative rate.

    A day that takes 144 real seconds and stops at its end:

    >>> day = Timeline(anchor_real_s=1000.0, anchor_s=0.0, rate=600.0, hold_at_s=86_400.0)
    >>> day.at(1000), day.at(1006), day.at(2000)
    (0.0, 3600.0, 86400.0)
    >>> day.real_wait_s(3600, 7200)
    6.0
    """

    anchor_real_s: float
    anchor_s: float
    rate: float
    hold_at_s: float | None

    def __post_init__(self) -> None:
        numbers = (self.anchor_real_s, self.anchor_s, self.rate, self.hold_at_s or 0.0)
        if not all(isfinite(number) for number in numbers) or self.rate < 0:
            raise ValueError("a timeline needs finite numbers and a rate of 0 or more")

    def at(self, real_s: float) -> float:
        """The time at this real instant. It never passes the hold and never goes back while real time goes forward."""
        now_s = self.anchor_s + max(0.0, real_s - self.anchor_real_s) * self.rate
        return now_s if self.hold_at_s is None else min(now_s, self.hold_at_s)

    def real_wait_s(self, now_s: float, until_s: float) -> float:
        """Real seconds from `now_s` to `until_s`: 0 if that time has passed, infinite if it never comes."""
        if until_s <= now_s:
            return 0.0
        if self.rate == 0 or (self.hold_at_s is not None and until_s > self.hold_at_s):
            return inf
        return (until_s - now_s) / self.rate

    def text(self) -> str:
        """The timeline as one line of JSON."""
        return json.dumps(
            {
                "anchor_real_s": self.anchor_real_s,
                "anchor_s": self.anchor_s,
                "rate": self.rate,
                "hold_at_s": self.hold_at_s,
            }
        )


REAL = Timeline(0, 0, 1, None)
"""Real time."""

_KEYS = {"anchor_real_s", "anchor_s", "rate", "hold_at_s"}


def parse_timeline(text: str) -> Timeline:
    """The inverse of `Timeline.text`.

    Raises: ValueError for anything that is not exactly a timeline, such as a half-written file.

    >>> parse_timeline('{"anchor_real_s": 1000, "anchor_s": 0, "rate": 600.0, "hold_at_s": null}').at(1006)
    3600.0
    """
    if len(text) > 4096:
        raise ValueError("not a timeline: more than 4096 characters")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a timeline: {error}") from None
    if not isinstance(fields, dict) or set(fields) != _KEYS:
        raise ValueError(f"not a timeline: expected an object with exactly {', '.join(sorted(_KEYS))}")
    for key, value in fields.items():
        if key == "hold_at_s" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"not a timeline: {key} must be a number")
    try:
        return Timeline(**fields)
    except OverflowError as error:
        raise ValueError(f"not a timeline: {error}") from None


async def _no_sleep(_seconds: float) -> None:
    raise RuntimeError("this clock was made without a way to sleep: pass sleep=asyncio.sleep")


class Clock:
    """A program's only clock, made from callables that the program passes in.

    With `read_text` the clock follows a timeline that another process may rewrite: it reads it again whenever
    `stamp()` changes, keeps the last good one if a text is torn or unreadable, and never steps back.
    Without it, the clock shows real time.
    """

    def __init__(
        self,
        real: Callable[[], float],
        read_text: Callable[[], str] | None = None,
        stamp: Callable[[], int] | None = None,
        sleep: Callable[[float], Awaitable[None]] = _no_sleep,
    ) -> None:
        self._real = real
        self._read_text = read_text
        self._stamp = stamp
        self._sleep = sleep
        self._timeline = REAL
        self._seen_stamp: int | None = None
        self._latest_s = -inf

    def now(self) -> float:
        """Unix seconds on the timeline."""
        if self._read_text is None:
            return self._real()
        self._follow(self._read_text)
        self._latest_s = max(self._latest_s, self._timeline.at(self._real()))
        return self._latest_s

    @property
    def rate(self) -> float:
        """How many seconds of the timeline pass in one real second."""
        if self._read_text is not None:
            self._follow(self._read_text)
        return self._timeline.rate

    async def sleep_until(self, when_s: float) -> None:
        """Return once `now()` has reached `when_s`, even if the timeline changes in the meantime."""
        while self.now() < when_s:
            await self.sleep_towards(when_s)

    async def sleep_towards(self, when_s: float, *, at_most_s: float = inf) -> None:
        """Sleep once, for `at_most_s` real seconds at most, even if the timeline changes in the meantime."""
        wait_s = min(self._timeline.real_wait_s(self.now(), when_s), at_most_s)
        await self._sleep(wait_s if self._read_text is None else min(wait_s, FOLLOW_EVERY_S))

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds of the timeline."""
        await self.sleep_until(self.now() + seconds)

    async def pause(self, seconds: float) -> None:
        """Sleep once for this many seconds of the timeline, but for no more than as many real ones."""
        await self.sleep_towards(self.now() + seconds, at_most_s=seconds)

    def _follow(self, read_text: Callable[[], str]) -> None:
        try:
            stamp = self._stamp() if self._stamp is not None else None
            if stamp is not None and stamp == self._seen_stamp:
                return
            self._timeline = parse_timeline(read_text())
            self._seen_stamp = stamp
        except (ValueError, OSError):
            # Torn or missing for a moment: keep the last good timeline and try again the next time the clock is read.
            return
