"""A region comes back after an outage: connections at the brokers, then each home's backlog in windows at intake.

Pure. Intake is worked through second by second, in the order of arrival. A home sends its next window when it has the
receipt of the one before, so the windows of all homes push one another back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_agent.uplink.broker_session import IN_FLIGHT
from protocols.slots import SLOT_S
from tests.benchmarks.scale.arrivals import busiest, slot_end_s, slots_since
from tests.benchmarks.scale.queueing import Times, fifo_waits_s, longest_queue

RECEIPT_BACK_S: Final = 1
"""From a receipt to the next window at intake; also the step of time."""

GIVES_UP_S: Final = 5.0
"""How long an agent waits for a connection before it counts as failed (the MQTT client's own limit)."""

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds of one core: `connection_s` and `passed_s` (a message there and its receipt back) at a broker,
    `batch_s` and `receipt_s` at intake.
    """

    connection_s: float
    passed_s: float
    batch_s: float
    receipt_s: float


@dataclass(frozen=True, slots=True)
class Storm:
    """`homes` in all, of which `away` were cut off for `outage_s`, shared out over `workers` and `brokers` of one core.

    The others go on sending each slot within `spread_s`.
    """

    homes: int
    away: int
    outage_s: float
    spread_s: float
    workers: int
    brokers: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the busiest worker and broker see. Times from the moment the network is back."""

    most_connections_a_second: int
    longest_connection_s: float
    gave_up: int
    broker_busy: float
    caught_up_s: float
    longest_queue: int
    live_receipt_s: tuple[float, float]
    """The median and the 99th percentile, of what homes send that are up to date."""

    stored: float


def simulate(storm: Storm, back_s: Times, work: Work, dice: np.random.Generator) -> Outcome:
    """Let homes come back at `back_s`, one time for each that was away, in order.

    Raises: ValueError if even without a storm more comes than the busiest worker can store.
    """
    at_broker = _share(back_s, busiest(dice, back_s.size, workers=storm.brokers), dice)
    waits_s = fifo_waits_s(at_broker, work.connection_s)
    worker_homes = busiest(dice, storm.homes, workers=storm.workers)
    if worker_homes * (work.batch_s + work.receipt_s) >= SLOT_S:
        raise ValueError(f"never caught up: more comes than {storm.workers} workers can store")
    share = worker_homes / storm.homes
    came_s = _share(back_s, round(back_s.size * share), dice)
    # A connection that had to wait at the broker sends later; the busiest broker's waits stand for all.
    if at_broker.size:
        came_s = np.sort(came_s + np.interp(came_s, at_broker, waits_s))
    intake = _Intake(storm, work, came_s, live=worker_homes - came_s.size, dice=dice)
    intake.run()
    connected = np.bincount((at_broker + waits_s).astype(np.int64), minlength=1)
    passed = np.zeros(max(connected.size, len(intake.served)))
    passed[: len(intake.served)] = np.array(intake.served) * storm.workers / storm.brokers * work.passed_s
    passed[: connected.size] += connected * work.connection_s
    minutes = np.add.reduceat(passed, np.arange(0, passed.size, 60)) / 60
    return Outcome(
        most_connections_a_second=int(np.bincount(back_s.astype(np.int64), minlength=1).max()),
        longest_connection_s=float(waits_s.max(initial=0)),
        gave_up=int((waits_s > GIVES_UP_S).sum() * storm.brokers),
        broker_busy=float(minutes.max()),
        caught_up_s=intake.caught_up_s,
        longest_queue=round(intake.longest),
        live_receipt_s=intake.live_receipt_s(),
        stored=intake.stored,
    )


@dataclass(frozen=True, slots=True)
class SlotEnd:
    """One quarter hour's end at the busiest of several workers, when nothing is wrong."""

    median_s: float
    most_s: float
    longest_queue: int


def slot_end(homes: int, *, spread_s: float, workers: int, work: Work, dice: np.random.Generator) -> SlotEnd:
    """How long receipts take when so many homes send within `spread_s`, each message one by one."""
    arrivals_s = slot_end_s(dice, busiest(dice, homes, workers=workers), spread_s=spread_s)
    service_s = work.batch_s + work.receipt_s
    waits_s = fifo_waits_s(arrivals_s, service_s)
    there_s = waits_s + service_s
    return SlotEnd(float(np.median(there_s)), float(there_s.max()), longest_queue(arrivals_s, waits_s, service_s))


def _share(times_s: Times, count: int, dice: np.random.Generator) -> Times:
    """A random part of what is sorted, still sorted."""
    return np.sort(dice.choice(times_s, min(count, times_s.size), replace=False))


class _Intake:
    """One worker. Column 0 counts single messages of homes that are up to date, column k the k-th window of others."""

    def __init__(self, storm: Storm, work: Work, came_s: Times, *, live: int, dice: np.random.Generator) -> None:
        backlog = int(storm.outage_s // SLOT_S)
        windows = [IN_FLIGHT] * (backlog // IN_FLIGHT) + [backlog % IN_FLIGHT] * (backlog % IN_FLIGHT > 0)
        self.sizes = np.array([1, *windows], dtype=np.float64)
        self.work_s = self.sizes * work.batch_s + work.receipt_s
        self._came_s = came_s
        self._live = live
        self._spread_s = storm.spread_s
        self._dice = dice
        self._due: dict[int, Counts] = {}
        self._waiting: deque[tuple[int, Counts]] = deque()
        self._latencies: dict[int, float] = {}
        self.total = came_s.size * float(backlog)
        self.caught_up_s = self.longest = self.stored = 0.0
        self.served: list[float] = []

    def run(self) -> None:
        """Until every window is stored, and for at least one slot."""
        came = np.bincount(self._came_s.astype(np.int64), minlength=1)
        for at_s in np.flatnonzero(came):
            if self.sizes.size > 1:
                self._row(int(at_s))[1] += came[at_s]
        # What a home measured before it came back it sends then as well.
        extra = np.bincount(self._came_s.astype(np.int64), weights=slots_since(self._came_s), minlength=1)
        for at_s in np.flatnonzero(extra):
            self._row(int(at_s))[0] += extra[at_s]
        left, late, at_s = 0.0, 0.0, 0
        while late < self.total - 0.5 or at_s < max(came.size, SLOT_S):
            if at_s % SLOT_S == 0:
                self._end_slot(at_s)
            arrived = self._due.pop(at_s, None)
            if arrived is not None:
                self._waiting.append((at_s, arrived))
                left += float(arrived @ self.sizes)
            served, of_late = self._serve(at_s)
            left, late = left - served, late + of_late
            self.longest = max(self.longest, left)
            if of_late:
                self.caught_up_s = float(at_s + 1)
            self.served.append(served)
            self.stored += served
            at_s += 1

    def live_receipt_s(self) -> tuple[float, float]:
        """The median and the 99th percentile of how long single messages waited for their receipt."""
        waits = np.array(sorted(self._latencies))
        if not waits.size:
            return 0.0, 0.0
        share = np.cumsum([self._latencies[wait] for wait in waits])
        share /= share[-1]
        return float(waits[np.searchsorted(share, 0.5)]), float(waits[np.searchsorted(share, 0.99)])

    def _end_slot(self, at_s: int) -> None:
        homes = self._live + int(np.searchsorted(self._came_s, at_s))
        times = np.bincount((at_s + slot_end_s(self._dice, homes, spread_s=self._spread_s)).astype(np.int64))
        for each_s in np.flatnonzero(times):
            self._row(int(each_s))[0] += times[each_s]

    def _serve(self, at_s: int) -> tuple[float, float]:
        """One second of work; how many messages were stored, and how many of them were in windows."""
        room_s, served, late = 1.0, 0.0, 0.0
        while self._waiting and room_s > 0:
            since_s, counts = self._waiting[0]
            needed_s = float(counts @ self.work_s)
            part = min(1.0, room_s / needed_s) if needed_s else 1.0
            done = counts * part
            if part < 1:
                self._waiting[0], room_s = (since_s, counts - done), 0.0
            else:
                self._waiting.popleft()
                room_s -= needed_s
            messages = done * self.sizes
            served, late = served + float(messages.sum()), late + float(messages[1:].sum())
            if done[0]:
                self._latencies[at_s - since_s] = self._latencies.get(at_s - since_s, 0.0) + float(done[0])
            if done[1:-1].any():
                self._row(at_s + RECEIPT_BACK_S)[2:] += done[1:-1]
        return served, late

    def _row(self, at_s: int) -> Counts:
        return self._due.setdefault(at_s, np.zeros(self.sizes.size))
