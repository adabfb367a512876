"""History: months by day and days by quarter hour, as a drawing and a table, and both as a file for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from edge_agent.home_store.contents import KeptQuarter
from edge_agent.home_store.view import kept_slots, read_minutes, read_quarters
from edge_agent.page.charts import PlotScale, draw_columns, draw_steps
from edge_agent.page.day_energy import DayEnergy, add_up, made_and_used, use_of
from edge_agent.page.frame import card, legend, table
from edge_agent.page.markup import NOTHING, Html, filled, joined
from edge_agent.page.names import GAP_NAMES, MARK_NAMES, MEASURE_NAMES
from edge_agent.page.running_home import RunningHome
from edge_agent.page.views.credits import credit_sentence
from edge_agent.page.words import PageWords
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOT_S, day_of, slots_of_day, start_of


def month_days(month: date) -> list[date]:
    """Every day of a month, given by its first."""
    return [day for at in range(31) if (day := month + timedelta(days=at)).month == month.month]


def month_view(home: RunningHome, words: PageWords, month: date) -> tuple[str, Html]:
    """A month by day. Raises: HomeStoreError, KeptRowError."""
    days = month_days(month)
    sums = {day: add_up(read_quarters(home.folder, slots_of_day(day, home.tz))) for day in days}
    whole = _whole_month(words, sums.values())
    up = [_kwh(sums[day].made_wh) for day in days]
    down = [_kwh(sums[day].used_wh) for day in days]
    ticks = tuple((day.day - 1, str(day.day)) for day in days if day.day in (1, 8, 15, 22, 29))
    scale = PlotScale(len(days), ticks, lambda kwh: f"{words.number(kwh, 0 if kwh >= 10 else 1)} kWh")
    title = words.month(month)
    sentence = words.text("What was made in the home and used in it, day by day.")
    picture = draw_columns("month", scale=scale, up=up, down=down, title=title, sentence=sentence)
    names = legend([("fill-made", words.text("made")), ("fill-used", words.text("used"))])
    figure = filled("<figure>{picture}<figcaption>{names}</figcaption></figure>", picture=picture, names=names)
    rows = [
        _day_row(words, day, sums[day], passed=len(slots_of_day(day, home.tz))) for day in days if sums[day].energies_wh
    ]
    measures = _measures(sums.values())
    heads = (
        words.text("day"),
        *(words.looked_up(MEASURE_NAMES[each]) for each in measures),
        words.text("used"),
        words.text("complete"),
    )
    lines: list[tuple[object, ...]] = [
        (first, *(_energy(words, sums[day].energies_wh.get(each)) for each in measures), *rest)
        for day, first, *rest in rows
    ]
    exact = (
        table(heads, lines, label=title)
        if lines
        else filled("<p>{text}</p>", text=words.text("Nothing was kept of this month."))
    )
    main = joined([
        filled("<h1>{title}</h1>\n", title=title),
        filled('<p class="lede">{whole}</p>\n', whole=whole) if whole else NOTHING,
        _turn(home, words, f"{_month_before(month):%Y-%m}", f"{days[-1] + timedelta(days=1):%Y-%m}", key="month"),
        card("chart", sentence, figure) if lines else NOTHING,
        card("days", words.text("Day by day"), exact),
        _files(words, f"month={month:%Y-%m}", minutes="") if lines else NOTHING,
    ])  # fmt: skip
    return words.text("History"), main


def day_view(home: RunningHome, words: PageWords, day: date) -> tuple[str, Html]:
    """A day by quarter hour. Raises: HomeStoreError, KeptRowError."""
    slots = slots_of_day(day, home.tz)
    quarters = list(read_quarters(home.folder, slots))
    made, used = made_and_used(quarters, slots)
    ticks = tuple((at, words.slot_clock(slots.start + at)) for at in range(0, len(slots) + 1, len(slots) // 4))
    scale = PlotScale(len(slots), ticks, lambda kw: f"{words.number(kw, 0 if kw >= 10 else 1)} kW")
    title = words.long_day(day)
    sentence = words.text("What was made in the home (area) and used in it (dashed), as mean power.")
    picture = draw_steps("day", scale=scale, made=made, used=used, title=title, sentence=sentence)
    names = legend([("fill-made", words.text("made")), ("used", words.text("used"))])
    figure = filled("<figure>{picture}<figcaption>{names}</figcaption></figure>", picture=picture, names=names)
    measures = sorted({measure for quarter in quarters for measure in quarter.values})
    heads = (words.text("from"), *(words.looked_up(MEASURE_NAMES[each]) for each in measures), words.text("used"))
    lines: list[tuple[object, ...]] = [
        (
            words.slot_clock(quarter.slot),
            *(_value(words, quarter, each) for each in measures),
            _energy(words, use_of(quarter)),
        )
        for quarter in quarters
    ]
    exact = table(heads, lines, label=title)
    nothing = filled("<p>{text}</p>", text=words.text("Nothing was kept of this day."))
    main = joined([
        filled("<h1>{title}</h1>\n", title=title),
        credit_sentence(home, words, day, name=words.day(day)),
        _turn(home, words, str(day - timedelta(days=1)), str(day + timedelta(days=1)), key="day"),
        card("chart", sentence, figure) if lines else NOTHING,
        card("quarters", words.text("Each quarter hour"), exact if lines else nothing),
        _files(words, f"day={day}", minutes=f"day={day}&minutes=1") if lines else NOTHING,
        _to_month(words, day),
    ])  # fmt: skip
    return title, main


def quarters_csv(home: RunningHome, days: Sequence[date]) -> str:
    """The quarter hours of these days, one row each: energies in Wh, and how each was obtained."""
    slots = range(slots_of_day(days[0], home.tz).start, slots_of_day(days[-1], home.tz).stop)
    quarters = list(read_quarters(home.folder, slots))
    measures = sorted({measure for quarter in quarters for measure in quarter.values})
    out = io.StringIO()
    sheet = csv.writer(out, lineterminator="\r\n")
    sheet.writerow(["begins_utc", *(f"{each.code}{tail}" for each in measures for tail in ("_wh", "_mark", "_gap"))])
    for quarter in quarters:
        cells: list[object] = [_utc(start_of(quarter.slot))]
        for each in measures:
            value = quarter.values.get(each)
            if value is None:
                cells += ["", "", ""]
            else:
                cells += [
                    "" if value.energy_wh is None else value.energy_wh,
                    value.mark.name.lower(),
                    value.gap.name.lower(),
                ]
        sheet.writerow(cells)
    return out.getvalue()


def minutes_csv(home: RunningHome, day: date) -> str:
    """The mean power of each minute of a day in W, a column for each device and role."""
    found = list(read_minutes(home.folder, slots_of_day(day, home.tz)))
    places = sorted({place for _, minutes in found for place in minutes})
    out = io.StringIO()
    sheet = csv.writer(out, lineterminator="\r\n")
    sheet.writerow(["begins_utc", *(f"{place.replace('/', '_')}_w" for place in places)])
    for slot, minutes in found:
        for minute in range(SLOT_S // 60):
            means = [minutes[place][minute] if place in minutes else None for place in places]
            sheet.writerow([_utc(start_of(slot) + 60 * minute), *("" if mean is None else mean for mean in means)])
    return out.getvalue()


def _utc(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _day_row(words: PageWords, day: date, energy: DayEnergy, *, passed: int) -> tuple[date, Html, str, str]:
    link = filled('<a href="/history?day={day}">{text}</a>', day=day, text=words.day(day))
    share = min(100, 100 * energy.complete // passed)
    return day, link, _energy(words, energy.used_wh), f"{words.number(share)}\N{NO-BREAK SPACE}%"


def _whole_month(words: PageWords, sums: Iterable[DayEnergy]) -> str:
    every = list(sums)
    used = sum(each.used_wh or 0 for each in every)
    made = [each.made_wh for each in every if each.made_wh is not None]
    if not any(each.energies_wh for each in every):
        return ""
    if not made:
        return words.text("Used: %(used)s.", used=words.energy(used))
    return words.text("Made: %(made)s. Used: %(used)s.", made=words.energy(sum(made)), used=words.energy(used))


def _measures(sums: Iterable[DayEnergy]) -> list[Measure]:
    return sorted({measure for each in sums for measure in each.energies_wh})


def _value(words: PageWords, quarter: KeptQuarter, measure: Measure) -> object:
    value = quarter.values.get(measure)
    if value is None:
        return "–"
    why = (
        words.looked_up(GAP_NAMES[value.gap]) if value.gap is not Gap.NONE else words.looked_up(MARK_NAMES[value.mark])
    )
    if value.energy_wh is None:
        return filled("<small>{why}</small>", why=why)
    shown = words.energy(value.energy_wh)
    return shown if value.mark is Mark.MEASURED else filled("{shown} <small>{why}</small>", shown=shown, why=why)


def _energy(words: PageWords, energy_wh: int | None) -> str:
    return "–" if energy_wh is None else words.energy(energy_wh)


def _kwh(energy_wh: int | None) -> float | None:
    return None if energy_wh is None else energy_wh / 1000


def _month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def _turn(home: RunningHome, words: PageWords, before: str, after: str, *, key: str) -> Html:
    """Links to the one before and the one after, as far as something is kept."""
    kept = kept_slots(home.folder)
    first = str(day_of(kept.start, home.tz))[: len(before)] if kept else before
    last = str(words.today(home.now()))[: len(after)]
    link = '<a href="/history?{key}={value}" rel="{rel}">{text}</a>'
    earlier = (
        filled(link, key=key, value=before, rel="prev", text=words.text("Earlier")) if first <= before else NOTHING
    )
    later = filled(link, key=key, value=after, rel="next", text=words.text("Later")) if after <= last else NOTHING
    return filled('<p class="turn"><span>{earlier}</span><span>{later}</span></p>\n', earlier=earlier, later=later)


def _to_month(words: PageWords, day: date) -> Html:
    return filled('<p><a href="/history?month={month}">{text}</a></p>', month=f"{day:%Y-%m}", text=words.month(day))


def _files(words: PageWords, query: str, *, minutes: str) -> Html:
    link = '<p><a href="/history.csv?{query}">{text}</a></p>\n'
    parts = [filled(link, query=query, text=words.text("Quarter hours as a file (CSV)"))]
    if minutes:
        parts.append(filled(link, query=minutes, text=words.text("Minutes as a file (CSV)")))
    return joined(parts)
