"""Grid meters whose readings wait for the board, each said once: what is not proven, and what releases it.

The readings themselves are held by the store whether or not this has run.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from hub.core.homes.meter_trust import (
    LATE_NOTICE,
    OTHER_NETTING,
    UNPROVEN_METER,
    MeterSpan,
    ToldMeter,
    late_notices,
    other_nettings,
)
from hub.core.quality.home_checks import Finding
from hub.core.rules.rulebook import Rule
from hub.quality.scale_findings import GRID_ACCESS, QualityStores
from protocols.slots import SLOTS_PER_UTC_DAY, day_of, format_slot
from protocols.wire.meter_notices import ONCE

SENTENCE: Final = (
    "The grid meter is read with a device map that is not proven (bronze): compare it with the legal meter's display;"
    " nothing of it is settled until a board member accepts it"
)

MULTIPLIED: Final = (
    "The household multiplies all that its grid meter shows by {factor} (factor in agent.toml), which no device map"
    " proves: compare it with the legal meter's display and the transformers' plate; nothing of it is settled until a"
    " board member accepts it"
)

NETTING_MIN: Final[Mapping[str, int]] = {"none": 0, "15min": 15, "60min": 60}

LATELY_SLOTS: Final = 7 * SLOTS_PER_UTC_DAY
"""A day without messages is not checked: what came on it is said on one of the next."""
NONE: Final[Mapping[str, tuple[str, int]]] = {}


async def meter_findings(
    store: QualityStores, slots: range, *, rule: Rule, netting_of: Mapping[str, str]
) -> list[Finding]:
    """A finding for each meter that waits in these slots and that no earlier day's finding has named.

    So too, without holding anything back, for each home whose grid operator nets within another time than the rule
    says for it (`netting_of` has the homes that the rule names), and for each that told of its meter late.
    """
    found = []
    for span in await _unsaid(store, slots, await store.unproven_meters(), code=UNPROVEN_METER):
        here = _within(span, slots)
        factor = span.meter.factor_millionths
        multiplied = (("factor_millionths", factor),) if factor != ONCE else ()
        numbers = (("is_derived", int(span.meter.is_derived)), *multiplied)
        says = MULTIPLIED.format(factor=f"{factor / ONCE:.6g}") if multiplied else SENTENCE
        words = f"{says}, from {format_slot(here.start)} on."
        found.append(Finding(UNPROVEN_METER, span.meter.home, None, here.start, len(here), numbers, words, "hold"))

    def rule_says(home: str) -> str:
        return netting_of.get(home, rule.netting)

    told = await store.told_meters()
    found += await _late_findings(store, slots, told, rule)
    others = other_nettings(told, rule.netting, of=netting_of)
    said = {span.meter.home: ("rule_min", NETTING_MIN[rule_says(span.meter.home)]) for span in others}
    for span in await _unsaid(store, slots, others, code=OTHER_NETTING, numbers=said):
        here, home, says = _within(span, slots), span.meter.home, span.meter.netting
        times = (("home_min", NETTING_MIN[says]), said[home])
        words = f"The home says that its grid operator nets within: {says}; the rulebook says: {rule_says(home)}."
        found.append(Finding(OTHER_NETTING, home, None, here.start, len(here), times, words, "check"))
    return found


async def _late_findings(store: QualityStores, slots: range, told: Sequence[ToldMeter], rule: Rule) -> list[Finding]:
    """A finding for each home that told, lately, what counts of days that were over: they are settled again."""
    tz = (await store.coop()).tz
    lately = range(slots.start - LATELY_SLOTS, slots.stop)
    late = []
    for span in late_notices(told, rule.derived):
        days = (day_of(span.meter.told_slot, tz) - day_of(span.first_slot, tz)).days
        if days and span.meter.told_slot in lately:
            late.append((span, days))
    if not late:
        return []
    rows = await store.findings(access=GRID_ACCESS, since=day_of(lately.start, tz).isoformat())
    today = day_of(slots.start, tz).isoformat()
    said = {
        (row.found.home, dict(row.found.numbers)["told_slot"])
        for row in rows
        if row.found.code == LATE_NOTICE and row.day < today
    }
    found = []
    for span, days in late:
        home, at = span.meter.home, span.meter.told_slot
        if (home, at) not in said:
            numbers = (("days", days), ("told_slot", at))
            words = (
                f"At {format_slot(at)} the home told of its grid meter from {format_slot(span.first_slot)} on; days"
                " that were settled before are settled again by it."
            )
            found.append(Finding(LATE_NOTICE, home, None, max(at, slots.start), 1, numbers, words, "check"))
    return found


async def _unsaid(
    store: QualityStores,
    slots: range,
    spans: Sequence[MeterSpan],
    *,
    code: str,
    numbers: Mapping[str, tuple[str, int]] = NONE,
) -> list[MeterSpan]:
    """The meters in use in these slots that no finding of an earlier day with this code has named.

    Of a home in `numbers`, only a finding with that number counts.
    """
    here = [span for span in spans if _reaches(span, slots)]
    if not here:
        return []
    tz = (await store.coop()).tz
    today = day_of(slots.start, tz).isoformat()
    first = day_of(min(span.first_slot for span in here), tz).isoformat()
    rows = await store.findings(access=GRID_ACCESS, since=first)
    told = [
        row.found
        for row in rows
        if row.found.code == code
        and row.day < today
        and (row.found.home not in numbers or numbers[row.found.home] in row.found.numbers)
    ]
    return [
        span
        for span in here
        if not any(each.home == span.meter.home and each.first_slot >= span.first_slot for each in told)
    ]


def _within(span: MeterSpan, slots: range) -> range:
    end = slots.stop if span.until is None else min(span.until, slots.stop)
    return range(max(span.first_slot, slots.start), end)


def _reaches(span: MeterSpan, slots: range) -> bool:
    return span.first_slot < slots.stop and (span.until is None or span.until > slots.start)
