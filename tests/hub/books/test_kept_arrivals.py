"""What has arrived, kept and brought up to date, is what a fresh look at the store says."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.books.kept import arrivals as kept_arrivals
from hub.books.kept.arrivals import KeptArrivals
from protocols.slots import Slot

FIRST, COUNT = 2_000_000, 12
slots = st.integers(FIRST, FIRST + COUNT - 1)
looks = st.tuples(st.just("look"), slots, st.integers(1, COUNT))
arrivals = st.tuples(st.just("arrive"), slots, st.just(0))


class Messages:
    """A store's messages: the slot of each, by position; each look at all that has a slot is counted."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.looked_up: list[range] = []

    async def newest_messages(self, *, slots: range) -> dict[Slot, int]:
        self.looked_up.append(slots)
        return self._of(slots)

    async def newest_since(self, after: int) -> tuple[int, dict[Slot, int]]:
        rows = [(slot, position) for position, slot in enumerate(self.slots, start=1) if position > after]
        return len(self.slots), dict(rows)

    def _of(self, slots: range) -> dict[Slot, int]:
        return {slot: position for position, slot in enumerate(self.slots, start=1) if slot in slots}


@given(st.lists(arrivals | looks, max_size=40), st.integers(1, 60))
def test_a_kept_answer_is_that_of_a_fresh_look(steps: list[Any], behind: int) -> None:
    async def work() -> None:
        store = Messages()
        kept = KeptArrivals(store)
        for what, slot, count in steps:
            if what == "arrive":
                store.slots.append(slot)
            else:
                assert await kept.newest_messages(slots=range(slot, slot + count)) == store._of(
                    range(slot, slot + count)
                )

    held = kept_arrivals.MOST_BEHIND
    kept_arrivals.MOST_BEHIND = behind  # type: ignore[misc]
    try:
        asyncio.run(work())
    finally:
        kept_arrivals.MOST_BEHIND = held  # type: ignore[misc]


async def test_slots_are_looked_up_once() -> None:
    store = Messages()
    store.slots = [FIRST, FIRST + 1, FIRST]
    kept = KeptArrivals(store)
    for _ in range(3):
        assert await kept.newest_messages(slots=range(FIRST, FIRST + 3)) == {FIRST: 3, FIRST + 1: 2}
    store.slots.append(FIRST + 2)
    assert await kept.newest_messages(slots=range(FIRST, FIRST + 3)) == {FIRST: 3, FIRST + 1: 2, FIRST + 2: 4}
    assert store.looked_up == [range(FIRST, FIRST + 3)]
