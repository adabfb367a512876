"""Keeps the sums over homes of the last weeks from one hour to the next: only slots with something new are read again.

What was read stays right because readings change only by messages, and each message says which slots it is about.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hub.core.neighbourhood import MeasureSums
from hub.storage.contract import ReadingStore
from hub.storage.records import Access
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_UTC_DAY, Slot

MOST_RANGES: Final = 8
"""More ranges than these are read as one: each costs a read and a commit to the access log."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """One measure's sums over these homes. Shape: both arrays (slots,)."""

    homes: tuple[str, ...]
    slots: range
    energy_wh: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int32]


class KeptSums:
    """The sums of each measure over the homes that were asked for last."""

    def __init__(self, store: ReadingStore) -> None:
        self._store = store
        self._kept: dict[Measure, _Kept] = {}
        self._position: int | None = None

    async def read(
        self, homes: Mapping[Measure, tuple[str, ...]], *, slots: range, access: Access
    ) -> dict[Measure, MeasureSums]:
        """The sums of these slots. The access is logged for each home whenever something of it is read.

        Other homes than the last time are read from the first slot on.
        """
        # The position is taken first: what comes while this reads is read once more the next time.
        position, changed = await self._store.slots_changed(after=self._position)
        asked: dict[tuple[str, ...], list[Measure]] = defaultdict(list)
        for measure, names in homes.items():
            asked[names].append(measure)
        found: dict[Measure, _Kept] = {}
        for names, measures in asked.items():
            known = [each for each in measures if self._goes_on(each, names, slots)]
            for each in known:
                found[each] = _moved_on(self._kept[each], slots)
            if known:
                ranges = _ranges(changed, slots, kept_until=min(self._kept[each].slots.stop for each in known))
                for part in ranges:
                    await self._fill(found, known, part, access=access)
            if fresh := [each for each in measures if each not in known]:
                for each in fresh:
                    found[each] = _empty(names, slots)
                await self._fill(found, fresh, slots, access=access)
        self._kept, self._position = found, position
        return {measure: MeasureSums(each.energy_wh.copy(), each.counts.copy()) for measure, each in found.items()}

    def _goes_on(self, measure: Measure, names: tuple[str, ...], slots: range) -> bool:
        kept = self._kept.get(measure)
        return kept is not None and kept.homes == names and kept.slots.start <= slots.start < kept.slots.stop

    async def _fill(
        self, found: Mapping[Measure, _Kept], measures: Sequence[Measure], part: range, *, access: Access
    ) -> None:
        homes = found[measures[0]].homes
        series = await self._store.hood_series(measures, slots=part, access=access, homes=homes)
        for measure in measures:
            here = slice(part.start - found[measure].slots.start, part.stop - found[measure].slots.start)
            found[measure].energy_wh[here] = series[measure].energy_wh
            found[measure].counts[here] = series[measure].homes


def _empty(names: tuple[str, ...], slots: range) -> _Kept:
    return _Kept(names, slots, np.zeros(len(slots), dtype=np.int64), np.zeros(len(slots), dtype=np.int32))


def _moved_on(kept: _Kept, slots: range) -> _Kept:
    """The same for these slots, 0 where nothing is kept."""
    moved = _empty(kept.homes, slots)
    end = min(kept.slots.stop, slots.stop)
    old = slice(slots.start - kept.slots.start, end - kept.slots.start)
    moved.energy_wh[: end - slots.start] = kept.energy_wh[old]
    moved.counts[: end - slots.start] = kept.counts[old]
    return moved


def _ranges(changed: Sequence[tuple[Slot, Slot]], slots: range, *, kept_until: Slot) -> list[range]:
    """What is to be read again: what messages were about, and what is not kept yet; nearby ranges are one."""
    spans = [(max(first, slots.start), min(last + 1, slots.stop)) for first, last in changed]
    spans.append((kept_until, slots.stop))
    ranges: list[range] = []
    for first, end in sorted(span for span in spans if span[0] < span[1]):
        if ranges and first <= ranges[-1].stop + SLOTS_PER_UTC_DAY:
            ranges[-1] = range(ranges[-1].start, max(ranges[-1].stop, end))
        else:
            ranges.append(range(first, end))
    return ranges if len(ranges) <= MOST_RANGES else [range(ranges[0].start, ranges[-1].stop)]
