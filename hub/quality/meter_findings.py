"""Grid meters whose readings wait for the board, each said once: what is not proven, and what releases it.

The readings themselves are held by the store whether or not this has run.
"""

from typing import Final

from hub.core.homes.meter_trust import UNPROVEN_METER, MeterSpan
from hub.core.quality.home_checks import Finding
from hub.quality.scale_findings import GRID_ACCESS, QualityStores
from protocols.slots import day_of, format_slot

SENTENCE: Final = (
    "The grid meter is read with a device map that is not proven (bronze): compare it with the legal meter's display;"
    " nothing of it is settled until a board member accepts it"
)


async def meter_findings(store: QualityStores, slots: range) -> list[Finding]:
    """A finding for each meter that waits in these slots and that no earlier day's finding has named."""
    waiting = [span for span in await store.unproven_meters() if _reaches(span, slots)]
    if not waiting:
        return []
    tz = (await store.coop()).tz
    today = day_of(slots.start, tz).isoformat()
    first = day_of(min(span.first_slot for span in waiting), tz).isoformat()
    rows = await store.findings(access=GRID_ACCESS, since=first)
    told = [row.found for row in rows if row.found.code == UNPROVEN_METER and row.day < today]
    found = []
    for span in waiting:
        mine = [each for each in told if each.home == span.meter.home and each.first_slot >= span.first_slot]
        if not mine:
            start = max(span.first_slot, slots.start)
            end = slots.stop if span.until is None else min(span.until, slots.stop)
            numbers = (("is_derived", int(span.meter.is_derived)),)
            words = f"{SENTENCE}, from {format_slot(start)} on."
            found.append(Finding(UNPROVEN_METER, span.meter.home, None, start, end - start, numbers, words, "hold"))
    return found


def _reaches(span: MeterSpan, slots: range) -> bool:
    return span.first_slot < slots.stop and (span.until is None or span.until > slots.start)
