"""Reduces a home's readings to those its consent allows to leave the home. Stores and sends nothing.

The agent applies `filter_values` before sealing; the hub checks every batch with `find_violations`. Settlement is part
of the membership contract and cannot be switched off here; everything else is off until the home consents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import NamedTuple

from protocols.consent.purposes import CONTRACT, HEALTH, Resolution
from protocols.consent.rules import ConsentSet
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot
from protocols.wire.readings import MAX_SLOT, Batch, Column, DeviceState, LongInterval


@dataclass(frozen=True, slots=True)
class SlotValue:
    """What the agent measured for one measure in one slot, before the consent filter."""

    energy_wh: int | None
    mark: Mark
    gap: Gap = Gap.NONE


class Allowed(NamedTuple):
    """What may leave in these slots, in which the same rules are valid: `finest_spans`, and what the contract needs."""

    consent: ConsentSet
    slots: range
    spans: Mapping[Measure, int]
    contract: Set[Measure]


def allowed_at(consent: ConsentSet, slot: Slot) -> Allowed:
    """What may leave in this slot and in those around it, up to where a rule begins or ends."""
    edges = {edge for rule in consent.rules for edge in (rule.valid_from, rule.valid_until) if edge is not None}
    first = max((edge for edge in edges if edge <= slot), default=0)
    until = min((edge for edge in edges if edge > slot), default=MAX_SLOT + 1)
    return Allowed(consent, range(first, until), finest_spans(consent, slot), _contract_measures(consent, slot))


def finest_spans(consent: ConsentSet, slot: Slot) -> dict[Measure, int]:
    """For each measure that may leave in this slot, how many slots one value covers at the finest resolution allowed.

    Import and export leave in quarter hours by contract; this home also shows its solar production by the hour:

    >>> from protocols.consent.text import parse_consent
    >>> consent = parse_consent('''
    ... home = "h01"
    ... version = 2
    ... [[rule]]
    ... purpose = "peers.view"
    ... measures = ["pv_production"]
    ... resolution = "PT1H"
    ... valid_from = "2026-11-21T00:00Z"
    ... ''')
    >>> {measure.code: span for measure, span in finest_spans(consent, 1_994_731).items()}
    {'grid_import': 1, 'grid_export': 1, 'pv_production': 4}
    """
    spans: dict[Measure, int] = {}
    for rule in consent.rules:
        if rule.resolution is Resolution.NONE or not rule.covers(slot, slot):
            continue
        span = rule.resolution.span
        for measure in rule.measures:
            # Runs for every batch on both sides: a comparison instead of min() halves the time.
            if spans.get(measure, span) >= span:
                spans[measure] = span
    return dict(sorted(spans.items()))


def filter_values(
    consent: ConsentSet, slot: Slot, measured: Mapping[tuple[Measure, Slot], SlotValue]
) -> tuple[Column, ...]:
    """The columns that may leave in this slot's batch, and nothing else.

    An hourly or daily (UTC) value leaves only with the last slot of its hour or day, as the sum of all its slots.
    `measured` holds a value, or a gap with its reason, for every slot the agent knows about; any other slot counts
    as a gap because the agent was off. A measure with no entry in the whole span has no column, except that the
    measures in the contract have one in every slot.

    A home that has decided nothing sends import and export, and nothing of its solar panels:

    >>> from protocols.consent.rules import default_consent
    >>> measured = {
    ...     (Measure.GRID_IMPORT, 1_994_731): SlotValue(250, Mark.MEASURED),
    ...     (Measure.GRID_EXPORT, 1_994_731): SlotValue(0, Mark.MEASURED),
    ...     (Measure.PV_PRODUCTION, 1_994_731): SlotValue(900, Mark.MEASURED),
    ... }
    >>> columns = filter_values(default_consent("h01"), 1_994_731, measured)
    >>> [(column.measure.code, column.energy_wh) for column in columns]
    [('grid_import', 250), ('grid_export', 0)]
    """
    columns = []
    contract = _contract_measures(consent, slot)
    for measure, span in finest_spans(consent, slot).items():
        first = slot + 1 - span
        if (slot + 1) % span or not _held_before(consent, measure, slots=range(first, slot), span=span):
            continue
        parts = [measured.get((measure, part)) for part in range(first, slot + 1)]
        if measure in contract or any(part is not None for part in parts):
            columns.append(_sum_up(measure, parts))
    return tuple(columns)


def filter_long_intervals(consent: ConsentSet, intervals: Iterable[LongInterval]) -> tuple[LongInterval, ...]:
    """The totals over outages that may leave: those that begin and end where values allowed by the consent do."""
    return tuple(interval for interval in intervals if _long_interval_may_leave(consent, interval))


def filter_devices(consent: ConsentSet, slot: Slot, devices: Iterable[DeviceState]) -> tuple[DeviceState, ...]:
    """The device states that may leave: all of them, or none if the home objected to device.health."""
    return tuple(devices) if _health_may_leave(consent, slot) else ()


def find_violations(consent: ConsentSet, batch: Batch, allowed: Allowed | None = None) -> tuple[str, ...]:
    """Everything in a batch that this consent does not allow, described without values; empty if there is nothing.

    `consent` is the one in force at the batch's place in the chain; `allowed` is what it allows in the batch's slot.
    """
    found = []
    if batch.consent_version != consent.version:
        found.append(f"made under consent {batch.consent_version}, but consent {consent.version} is in force")
    slot, spans = batch.slot, finest_spans(consent, batch.slot) if allowed is None else allowed.spans
    for measure, span, *_ in batch.columns:
        least = spans.get(measure)
        if least is None or span % least:
            found.append(f"{measure.code} in values of {span} slots is not allowed")
        elif span > 1 and not _held_before(consent, measure, slots=range(slot + 1 - span, slot), span=span):
            found.append(f"{measure.code} in values of {span} slots was not allowed in all of these slots")
    found.extend(
        f"a total of {interval.measure.code} over an outage is not allowed"
        for interval in batch.long_intervals
        if not _long_interval_may_leave(consent, interval)
    )
    if batch.devices and not _health_may_leave(consent, batch.slot):
        found.append("device states are not allowed")
    return tuple(found)


def find_omissions(consent: ConsentSet, batch: Batch, allowed: Allowed | None = None) -> tuple[str, ...]:
    """What the membership contract needs in every batch and this one does not have, be it a value or a gap."""
    needed = _contract_measures(consent, batch.slot) if allowed is None else allowed.contract
    quarter_hours = {measure for measure, span, *_ in batch.columns if span == 1}
    if needed <= quarter_hours:
        return ()
    return tuple(
        f"{measure.code} has no column for the quarter hour, which the membership contract needs"
        for measure in sorted(needed - quarter_hours)
    )


def _held_before(consent: ConsentSet, measure: Measure, *, slots: range, span: int) -> bool:
    """Whether a value over `span` slots was allowed in each of these slots, so that no part predates the consent."""
    for slot in slots:
        allowed = finest_spans(consent, slot).get(measure)
        if allowed is None or span % allowed:
            return False
    return True


def _long_interval_may_leave(consent: ConsentSet, interval: LongInterval) -> bool:
    # A total that ends inside an hour would, together with the hourly values, reveal what hourly consent hides.
    last = interval.first_slot + interval.slots - 1
    allowed = finest_spans(consent, last).get(interval.measure)
    if allowed is None or interval.first_slot % allowed or interval.slots % allowed:
        return False
    return any(
        interval.measure in rule.measures and rule.resolution.span == allowed and rule.covers(interval.first_slot, last)
        for rule in consent.rules
    )


def _contract_measures(consent: ConsentSet, slot: Slot) -> set[Measure]:
    return {
        measure
        for rule in consent.rules
        if rule.purpose == CONTRACT and rule.covers(slot, slot)
        for measure in rule.measures
    }


def _health_may_leave(consent: ConsentSet, slot: Slot) -> bool:
    return any(rule.purpose == HEALTH and rule.covers(slot, slot) for rule in consent.rules)


def _sum_up(measure: Measure, parts: list[SlotValue | None]) -> Column:
    known = [part for part in parts if part is not None and part.energy_wh is not None]
    energies = [part.energy_wh for part in known if part.energy_wh is not None]
    gap = next((gap for gap in map(_gap_of, parts) if gap is not Gap.NONE), Gap.NONE)
    if not energies:
        return Column(measure, len(parts), None, 0, Mark.MISSING, gap)
    if gap is not Gap.NONE:
        mark = Mark.PARTIAL
    else:
        mark = Mark.DERIVED if any(part.mark is Mark.DERIVED for part in known) else Mark.MEASURED
    return Column(measure, len(parts), sum(energies), 0, mark, gap)


def _gap_of(part: SlotValue | None) -> Gap:
    if part is None:
        return Gap.AGENT_OFF
    if part.gap is Gap.NONE and (part.energy_wh is None or part.mark in (Mark.PARTIAL, Mark.MISSING)):
        raise ValueError("a value that is missing or partial needs a reason")
    return part.gap
