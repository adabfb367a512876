"""One home's day: what it made and used, its devices, and every reading that does not count, with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from hub.core.neighbourhood import MEASURES
from hub.storage.contract import Store
from hub.storage.records import DeviceRow, Home, HomeSeries, LongIntervalRow
from hub.web.frame.charts import Chart, ChartAxis, ChartTable, draw_amount, draw_bars
from hub.web.frame.sign_in import Visit
from hub.web.frame.translation import Localizer
from hub.web.views.home.today import day_axis
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOT_S, SLOTS_PER_HOUR, Slot, day_of, slot_of, slots_of_day

SHOWN_GAPS_MAX: Final = 12
_LATE_S: Final = 3600

Wh = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One row about the newest quarter hour: label, power, bar."""

    words: str
    power: str
    bar: Markup


@dataclass(frozen=True, slots=True)
class DeviceLine:
    name: str
    state: str
    is_fine: bool
    seen: str


@dataclass(frozen=True, slots=True)
class ExcludedReadings:
    """Readings that do not count, and why."""

    when: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class HomePage:
    headline: str
    lede: str
    alert: str
    flows: tuple[FlowRow, ...]
    charts: tuple[Chart, ...]
    devices: tuple[DeviceLine, ...]
    set_aside: tuple[ExcludedReadings, ...]
    set_aside_more: int
    totals: tuple[ExcludedReadings, ...]
    has_readings: bool
    """Whether anything of these days has arrived."""


@dataclass(frozen=True, slots=True)
class HomeDays:
    """A home's values for yesterday and for today up to now. Shape: every array is (slots,), NaN if no value counts."""

    home: str
    slots: range
    today: range
    series: Mapping[Measure, HomeSeries]
    totals: tuple[LongIntervalRow, ...]
    devices: tuple[DeviceRow, ...]
    received_through: Slot | None
    member_from: Slot = 0
    heard_agent: str | None = None
    """Of several agents, the one whose last contact `received_through` is."""

    def energy(self, measure: Measure) -> Wh:
        row = self.series[measure]
        return np.where(row.energy_wh >= 0, row.energy_wh.astype(np.float64), np.nan)

    def has(self, measure: Measure) -> bool:
        """Whether the home has sent anything about this measure on these days."""
        return bool((self.series[measure].gap != Gap.NEVER_ARRIVED).any())

    @property
    def makes(self) -> bool:
        return self.has(Measure.PV_PRODUCTION) or self.has(Measure.WIND_PRODUCTION)

    def made(self) -> Wh:
        """Total production. A source the home does not have counts as zero; missing readings make a gap."""
        return self._sum({Measure.PV_PRODUCTION: 1, Measure.WIND_PRODUCTION: 1})

    def used(self) -> Wh:
        """What the home used: import - export + production + battery discharge - battery charge, never below zero.

        Not known, never zero, while nothing of the grid's meter has arrived."""
        if not (self.has(Measure.GRID_IMPORT) or self.has(Measure.GRID_EXPORT)):
            return np.full(len(self.slots), np.nan)
        signs = {Measure.GRID_IMPORT: 1, Measure.GRID_EXPORT: -1, Measure.PV_PRODUCTION: 1}
        signs |= {Measure.WIND_PRODUCTION: 1, Measure.BATTERY_DISCHARGE: 1, Measure.BATTERY_CHARGE: -1}
        return np.maximum(self._sum(signs), 0.0)

    def _sum(self, signs: Mapping[Measure, int]) -> Wh:
        total = np.zeros(len(self.slots))
        for measure, sign in signs.items():
            if self.has(measure):
                total += sign * self.energy(measure)
        return total


async def read_home_days(store: Store, visit: Visit, home: Home) -> HomeDays:
    """Two days in the visitor's own home; the home's access log records the access."""
    tz = visit.words.tz
    now = slot_of(visit.now_s)
    today = slots_of_day(day_of(now, tz), tz)
    yesterday = slots_of_day(day_of(today.start - 1, tz), tz)
    slots = range(yesterday.start, now)
    access = visit.own_access()
    series = await store.home_series(home.id, MEASURES, slots=slots, access=access)
    totals = await store.long_intervals(home.id, slots=slots, access=access)
    rows = await store.fleet(slots=range(now, now), homes=[home.id])
    # Of several agents the one that was heard longest ago: what it brings is still on its way.
    heard = min((row for row in rows if row.last_slot is not None), key=lambda row: row.last_slot or 0, default=None)
    return HomeDays(
        home=home.id,
        slots=slots,
        today=today,
        series=series,
        totals=totals,
        devices=tuple(device for row in rows for device in row.devices),
        received_through=heard.last_slot if heard else None,
        heard_agent=heard.agent if heard and len(rows) > 1 else None,
        member_from=slot_of(visit.holder.joined_at),
    )


def home_page(days: HomeDays, words: Localizer, *, now_s: float) -> HomePage:
    """The page for these two days."""
    now = slot_of(now_s)
    gaps = _set_aside(days, words, now=now)
    return HomePage(
        headline=_headline(days, words),
        lede=_lede(days, words),
        alert=_alert(days, words, now_s=now_s),
        flows=_flows(days, words),
        charts=_charts(days, words),
        devices=tuple(_device(row, words) for row in days.devices),
        set_aside=gaps[:SHOWN_GAPS_MAX],
        set_aside_more=max(0, len(gaps) - SHOWN_GAPS_MAX),
        totals=tuple(_total(row, words) for row in days.totals),
        has_readings=any(days.has(measure) for measure in days.series),
    )


def _of_today(days: HomeDays, values: Wh) -> Wh:
    return values[max(0, days.today.start - days.slots.start) :]


def _headline(days: HomeDays, words: Localizer) -> str:
    used = _of_today(days, days.used())
    if not np.isfinite(used).any():
        return words.text("Nothing measured at your home today yet")
    if days.makes:
        made = float(np.nansum(_of_today(days, days.made())))
        return words.text(
            "Your home made %(made)s today and used %(used)s",
            made=words.kwh(made),
            used=words.kwh(float(np.nansum(used))),
        )
    return words.text("Your home used %(used)s today", used=words.kwh(float(np.nansum(used))))


def _lede(days: HomeDays, words: Localizer) -> str:
    """Yesterday up to the same time, for comparison."""
    passed = len(days.slots) - (days.today.start - days.slots.start)
    used = days.used()[:passed]
    if np.isfinite(used).any():
        before = words.text("Yesterday until this time it used %(used)s.", used=words.kwh(float(np.nansum(used))))
    else:
        before = words.text("There are no readings from yesterday to compare with.")
    # Anything newer than the newest batch is still on its way, not missing.
    arrived = days.slots if days.received_through is None else range(days.slots.start, days.received_through + 1)
    # Nobody waits for what was before the membership.
    first = max(0, min(days.member_from, days.slots.stop) - days.today.start)
    holes = int(np.isnan(_of_today(days, days.used()[: len(arrived)])[first:]).sum())
    if not holes:
        return before
    return words.sentences(
        before,
        words.plural("%(n)s quarter hour of today is missing.", "%(n)s quarter hours of today are missing.", holes),
    )


def _alert(days: HomeDays, words: Localizer, *, now_s: float) -> str:
    if days.received_through is None:
        return words.text("Nothing has arrived from your home yet. Is its agent running?")
    since_s = (days.received_through + 1) * SLOT_S
    if now_s - since_s < _LATE_S:
        return ""
    if days.heard_agent is not None:
        return words.text(
            "No contact with the agent %(agent)s of your home since %(moment)s. Its readings are kept there and will be"
            " sent later.",
            agent=days.heard_agent,
            moment=words.moment(since_s),
        )
    return words.text(
        "No contact with your home since %(moment)s. Its readings are kept there and will be sent later.",
        moment=words.moment(since_s),
    )


def _flows(days: HomeDays, words: Localizer) -> tuple[FlowRow, ...]:
    """The newest quarter hour that has a value."""
    rows = [(words.text("Taken from the grid"), days.energy(Measure.GRID_IMPORT), "soft")]
    rows.append((words.text("Given to the grid"), days.energy(Measure.GRID_EXPORT), "good"))
    rows.insert(0, (words.text("Used in the home"), days.used(), "used"))
    if days.makes:
        rows.insert(0, (words.text("Made by the home"), days.made(), "made"))
    known = np.flatnonzero(np.isfinite(days.energy(Measure.GRID_IMPORT)))
    if not len(known):
        return ()
    values = [(label, float(row[known[-1]]), kind) for label, row, kind in rows]
    whole = max([1.0, *(value for _, value, _ in values if np.isfinite(value))])
    return tuple(
        FlowRow(
            label,
            words.kw(value) if np.isfinite(value) else words.text("not known"),
            draw_amount(value if np.isfinite(value) else 0.0, whole, kind=kind),
        )
        for label, value, kind in values
    )


def newest_time(days: HomeDays, words: Localizer) -> str:
    """'10:00–10:15': the quarter hour that the flows show."""
    known = np.flatnonzero(np.isfinite(days.energy(Measure.GRID_IMPORT)))
    if not len(known):
        return ""
    slot = days.slots.start + int(known[-1])
    return f"{words.clock(slot)}–{words.clock(slot + 1)}"


def _charts(days: HomeDays, words: Localizer) -> tuple[Chart, ...]:
    axis = day_axis(days.today, words, unit="kW")
    charts = [
        _chart("used", words.text("What my home used"), days.used(), kind="used", days=days, axis=axis, words=words)
    ]
    if days.makes:
        title = words.text("What my home made")
        charts.append(_chart("made", title, days.made(), kind="made", days=days, axis=axis, words=words))
    return tuple(charts)


def _chart(name: str, title: str, values: Wh, *, kind: str, days: HomeDays, axis: ChartAxis, words: Localizer) -> Chart:
    length, start = len(days.today), days.today.start - days.slots.start
    today = [*_kw(values[start:]), *[None] * length][:length]
    before = [*_kw(values[:start]), *[None] * length][:length]
    sentence = _sums(values[start:], values[:start], words)
    cells = ["–" if value is None else f"{words.number(value, 1)} kW" for value in (*today, *before)]
    rows = tuple((words.clock(slot), cells[i], cells[length + i]) for i, slot in enumerate(days.today))
    table = ChartTable((words.text("Time"), words.text("Today"), words.text("Yesterday")), rows)
    return draw_bars(name, title, axis=axis, today=today, before=before, kind=kind, sentence=sentence, table=table)


def _sums(today: Wh, yesterday: Wh, words: Localizer) -> str:
    """The two days' sums; of a day without any value that it is not known, never zero."""
    sums = [words.kwh(float(np.nansum(day))) if np.isfinite(day).any() else "" for day in (today, yesterday)]
    if all(sums):
        return words.text("%(today)s today so far; %(before)s in all of yesterday.", today=sums[0], before=sums[1])
    if sums[0]:
        return words.text("%(today)s today so far; yesterday is not known.", today=sums[0])
    if sums[1]:
        return words.text("Today is not known; %(before)s in all of yesterday.", before=sums[1])
    return words.text("Neither today nor yesterday is known.")


def _kw(values: Wh) -> list[float | None]:
    return [float(value) * SLOTS_PER_HOUR / 1000 if np.isfinite(value) else None for value in values]


def _device(row: DeviceRow, words: Localizer) -> DeviceLine:
    seen = words.moment(row.reported_at - row.age_s)
    return DeviceLine(row.name, device_state_words(row.state, words), row.state in ("ok", "asleep"), seen)


def device_state_words(state: str, words: Localizer) -> str:
    """How a device behaves, in words."""
    states = {
        "ok": words.text("answers"),
        "slow": words.text("answers slowly"),
        "silent": words.text("does not answer"),
        "refusing": words.text("refuses to answer"),
        "asleep": words.text("asleep, as usual at night"),
    }
    return states.get(state, state)


def _set_aside(days: HomeDays, words: Localizer, *, now: Slot) -> tuple[ExcludedReadings, ...]:
    """Every period that does not count in full, newest first, separately for each measure."""
    found: list[tuple[Slot, ExcludedReadings]] = []
    arrived = days.received_through if days.received_through is not None else now
    for measure, row in sorted(days.series.items()):
        if not days.has(measure):
            continue
        keyed = ((int(gap), int(mark)) for gap, mark in zip(row.gap, row.mark, strict=True))
        at = row.first_slot
        for (gap, mark), group in groupby(keyed):
            length = len(list(group))
            # Nothing was expected before the membership, and anything newer than the newest batch is still on its way.
            first, at = max(at, days.member_from), at + length
            if Gap(gap) is not Gap.NONE and mark >= Mark.PARTIAL and first < at and first <= arrived:
                line = ExcludedReadings(_when(first, at, words), _measure(measure, words), gap_words(Gap(gap), words))
                found.append((first, line))
    found.sort(key=lambda item: -item[0])
    return tuple(line for _, line in found)


def _when(first: Slot, end: Slot, words: Localizer) -> str:
    day = words.short_day(day_of(first, words.tz))
    if day_of(end - 1, words.tz) == day_of(first, words.tz):
        return f"{day}, {words.clock(first)}–{words.clock(end)}"
    return f"{day}, {words.clock(first)} – {words.short_day(day_of(end, words.tz))}, {words.clock(end)}"


def _total(row: LongIntervalRow, words: Localizer) -> ExcludedReadings:
    return ExcludedReadings(
        _when(row.first_slot, row.first_slot + row.slots, words), _measure(row.measure, words), words.kwh(row.energy_wh)
    )


def _measure(measure: Measure, words: Localizer) -> str:
    names: dict[Measure, str] = {
        Measure.GRID_IMPORT: words.text("taken from the grid"),
        Measure.GRID_EXPORT: words.text("given to the grid"),
        Measure.PV_PRODUCTION: words.text("produced by the solar panels"),
        Measure.WIND_PRODUCTION: words.text("produced by the wind turbine"),
        Measure.BATTERY_CHARGE: words.text("charged into the battery"),
        Measure.BATTERY_DISCHARGE: words.text("taken from the battery"),
        Measure.SUBMETER: words.text("used at the sub-meter"),
    }
    return names[measure]


def gap_words(gap: Gap, words: Localizer) -> str:
    """Why a reading is missing, in words."""
    reasons: dict[Gap, str] = {
        Gap.NONE: words.text("complete"),
        Gap.DEVICE_SILENT: words.text("the device did not answer"),
        Gap.COUNTER_RESET: words.text("the device's counter restarted"),
        Gap.IMPLAUSIBLE: words.text("the device gave an implausible value"),
        Gap.AGENT_OFF: words.text("the agent was not running"),
        Gap.CLOCK_UNTRUSTED: words.text("the agent did not know the time"),
        Gap.DEVICE_REFUSED: words.text("the device refused to answer"),
        Gap.NOT_KEPT: words.text("the agent had no room to store it"),
        Gap.NEVER_ARRIVED: words.text("nothing has arrived from the home"),
    }
    return reasons[gap]


def home_json(days: HomeDays) -> dict[str, object]:
    """The same two days for programs: energies in Wh by slot, null if no value counts."""
    return {
        "home": days.home,
        "first_slot": days.slots.start,
        "slots": len(days.slots),
        "energy_wh": {
            measure.code: [None if value < 0 else int(value) for value in row.energy_wh]
            for measure, row in sorted(days.series.items())
            if days.has(measure)
        },
        "gap": {
            measure.code: [int(value) for value in row.gap]
            for measure, row in sorted(days.series.items())
            if days.has(measure)
        },
        "totals": [
            {
                "measure": row.measure.code,
                "first_slot": row.first_slot,
                "slots": row.slots,
                "energy_wh": row.energy_wh,
            }
            for row in days.totals
        ],
        "devices": [{"name": row.name, "state": row.state, "age_s": row.age_s} for row in days.devices],
    }
