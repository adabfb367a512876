"""One queue for each sender, served in turn by work: nobody's flood makes another's message wait. No I/O, no clock.

Those that are up to date come before those that catch up; those that were slowed come last, and seldom.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final

from hub.broker.connection import Delivery

MAX_WAITING: Final = 1500
"""Over all senders. More than the link lets through unacknowledged: what honest agents send never finds it full.

A flood of one sender stops at MAX_EACH, and who sends in vain is slowed: what it has waiting is acknowledged already.
"""

MAX_WAITING_BYTES: Final = 8 * 2**20
MAX_EACH: Final = 400
MAX_EACH_SLOWED: Final = 20
MAX_GROUP: Final = 500
MAX_GROUP_EACH: Final = 64
"""As many as a sender may have ahead of a gap: a group serves any honest sender's share whole, and stays short."""

QUANTUM: Final = 32_768
"""What a sender has at a turn: all that an agent may have on the way at once, so that one receipt answers it."""

MESSAGE_COST: Final = 1024
"""What checking a message costs besides its bytes, in the same unit."""

SLOWED_EACH_S: Final = 0.1
SHARE_UP_TO_DATE: Final = 0.75
"""The most of a group for those that are up to date while others wait: who catches up is never starved."""


@dataclass(slots=True)
class _Queue:
    waiting: deque[Delivery] = field(default_factory=deque)
    bytes: int = 0
    credit: int = 0


class FairQueues:
    """Bounded queues by sender. If all are full together, the longest gives way: short queues lose nothing."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}
        self._behind: set[str] = set()
        self._slowed: dict[str, float] = {}
        self._count = 0
        self._bytes = 0

    def __len__(self) -> int:
        return self._count

    def put(self, sender: str, delivery: Delivery) -> tuple[str, Delivery] | None:
        """Queue a delivery. Returns the one that finds no room, this or another, with its sender."""
        queue = self._queues.setdefault(sender, _Queue())
        most = MAX_EACH_SLOWED if sender in self._slowed else MAX_EACH
        if len(queue.waiting) >= most:
            return sender, delivery
        queue.waiting.append(_settled(delivery) if sender in self._slowed else delivery)
        queue.bytes += len(delivery.payload)
        self._count += 1
        self._bytes += len(delivery.payload)
        if self._count <= MAX_WAITING and self._bytes <= MAX_WAITING_BYTES:
            return None
        by_bytes = self._bytes > MAX_WAITING_BYTES
        longest = max(self._queues, key=lambda name: self._size(name, by_bytes=by_bytes))
        return longest, self._pop(longest, newest=True)

    def note_behind(self, sender: str, *, is_behind: bool) -> None:
        """Say whether a sender's newest message was about long ago: then it waits for those that are up to date."""
        if is_behind:
            self._behind.add(sender)
        else:
            self._behind.discard(sender)

    def is_slowed(self, sender: str) -> bool:
        """Whether this sender is served seldom: the broker need not wait until its deliveries are handled."""
        return sender in self._slowed

    @property
    def senders(self) -> tuple[str, ...]:
        """Those of whom something waits."""
        return tuple(self._queues)

    def has_waiting(self, sender: str) -> bool:
        """Whether a delivery of this sender waits."""
        queue = self._queues.get(sender)
        return queue is not None and bool(queue.waiting)

    def slow(self, senders: Collection[str]) -> tuple[list[tuple[str, Delivery]], list[Delivery]]:
        """Serve exactly these senders seldom, until this is called again.

        Returns what finds no room any more, and what goes on waiting although the broker may forget it now.
        """
        new = [name for name in senders if name not in self._slowed and name in self._queues]
        self._slowed = {name: self._slowed.get(name, float("-inf")) for name in senders}
        left: list[tuple[str, Delivery]] = []
        settled: list[Delivery] = []
        for name in new:
            queue = self._queues[name]
            while len(queue.waiting) > MAX_EACH_SLOWED:
                left.append((name, self._pop(name, newest=True)))
            settled += queue.waiting
            queue.waiting = deque(_settled(each) for each in queue.waiting)
        return left, settled

    def drop(self, senders: Collection[str]) -> list[tuple[str, Delivery]]:
        """Forget everything that waits of these senders; returns it."""
        dropped: list[tuple[str, Delivery]] = []
        for name in [name for name in senders if name in self._queues]:
            while self._queues[name].waiting:
                dropped.append((name, self._pop(name)))
            del self._queues[name]
        return dropped

    def ready_in_s(self, now_s: float) -> float | None:
        """How long until `take` gives something: 0 for now, None if nothing waits."""
        waits = [self._wait_s(name, now_s) for name, queue in self._queues.items() if queue.waiting]
        return min(waits, default=None)

    def ready_count(self, now_s: float) -> int:
        """How many deliveries `take` could give now, the limit of a group aside."""
        return sum(len(q.waiting) for name, q in self._queues.items() if self._wait_s(name, now_s) <= 0)

    def take(self, now_s: float) -> list[Delivery]:
        """The next group. Each sender's deliveries keep their order."""
        ready = [name for name, q in self._queues.items() if q.waiting and self._wait_s(name, now_s) <= 0]
        live = [name for name in ready if name not in self._behind and name not in self._slowed]
        late = [name for name in ready if name in self._behind and name not in self._slowed]
        slowed = [name for name in ready if name in self._slowed]
        most_live = MAX_GROUP if not late else int(MAX_GROUP * SHARE_UP_TO_DATE)
        group: list[Delivery] = []
        self._serve(live, group, most=most_live)
        self._serve(late, group, most=MAX_GROUP)
        for name in slowed:
            if len(group) < MAX_GROUP:
                self._slowed[name] = now_s
                group.append(self._pop(name))
        self._forget_empty()
        return group

    def _serve(self, names: list[str], group: list[Delivery], *, most: int) -> None:
        given = dict.fromkeys(names, 0)
        while names and len(group) < most:
            for name in names:
                queue = self._queues[name]
                queue.credit += QUANTUM
                while queue.waiting and given[name] < MAX_GROUP_EACH and len(group) < most:
                    cost = MESSAGE_COST + len(queue.waiting[0].payload)
                    if cost > queue.credit:
                        break
                    queue.credit -= cost
                    group.append(self._pop(name))
                    given[name] += 1
            names = [name for name in names if self._queues[name].waiting and given[name] < MAX_GROUP_EACH]
        for name in given:
            # Whoever was served goes to the back: the next group begins with somebody else.
            queue = self._queues.pop(name)
            queue.credit = 0
            self._queues[name] = queue

    def _pop(self, name: str, *, newest: bool = False) -> Delivery:
        queue = self._queues[name]
        delivery = queue.waiting.pop() if newest else queue.waiting.popleft()
        queue.bytes -= len(delivery.payload)
        self._count -= 1
        self._bytes -= len(delivery.payload)
        return delivery

    def _wait_s(self, name: str, now_s: float) -> float:
        return max(0.0, self._slowed[name] + SLOWED_EACH_S - now_s) if name in self._slowed else 0.0

    def _size(self, name: str, *, by_bytes: bool) -> int:
        queue = self._queues[name]
        return queue.bytes if by_bytes else len(queue.waiting)

    def _forget_empty(self) -> None:
        for name in [name for name, queue in self._queues.items() if not queue.waiting]:
            del self._queues[name]
        if len(self._behind) > MAX_WAITING:
            self._behind &= self._queues.keys()


def _settled(delivery: Delivery) -> Delivery:
    """The same delivery, for which the broker waits no longer."""
    return replace(delivery, qos=0)
