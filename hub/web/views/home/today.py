"""The Today page as values: whether now is a good time, when one comes, and when to run something. It reads no data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.storage.records import ForecastRow
from hub.web.frame.charts import Chart, ChartAxis, ChartSpan, ChartTable, draw_day
from hub.web.frame.translation import Localizer
from hub.web.views.home.day_outlook import MIN_HOMES, SlotOutlook, SurplusSpan, best_start, find_spare
from hub.web.views.home.neighbourhood import Outlook
from protocols.slots import SLOTS_PER_HOUR, SLOTS_PER_UTC_DAY, day_of, format_slot

LENGTHS_SLOTS: Final = (2, 4, 8, 12)
_TICK_HOURS: Final = (0, 6, 12, 18)
_COVERED_MOSTLY: Final = 0.99


@dataclass(frozen=True, slots=True)
class StartRow:
    """The best start today and tomorrow for a run of one length, in words."""

    length: str
    today: str
    today_note: str
    tomorrow: str
    tomorrow_note: str


@dataclass(frozen=True, slots=True)
class ForecastReason:
    """Why a forecast is as it is: its subject, the model and what moved it, as the forecaster wrote them."""

    subject: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TodayPage:
    """Everything on the page. `slot_sentences` are the slider's sentences, one for each row of the picture's table."""

    headline: str
    lede: str
    notes: tuple[str, ...]
    picture: Chart | None
    slot_sentences: tuple[str, ...]
    now_row: int
    starts: tuple[StartRow, ...]
    reasons: tuple[ForecastReason, ...] = ()


def day_axis(slots: range, words: Localizer, *, unit: str) -> ChartAxis:
    """The hours 0, 6, 12, 18 and 24 of a local day, wherever the clock changes put them."""
    ticks = [
        (i, str(words.local(slot * 900).hour))
        for i, slot in enumerate(slots)
        if (local := words.local(slot * 900)).minute == 0 and local.hour in _TICK_HOURS and local.fold == 0
    ]
    return ChartAxis(
        slots=len(slots),
        ticks=(*ticks, (len(slots), "24")),
        unit=unit,
        write=lambda value: words.number(value, 0 if value >= 2 and value == round(value) else 1),
    )


def today_page(outlook: Outlook, words: Localizer) -> TodayPage:
    """Text and picture for an outlook, or the reason why there is nothing to show."""
    today = outlook.of(outlook.today)
    if not outlook.is_enough:
        return _too_few(outlook, words)
    ahead = [moment for moment in outlook.moments if moment.slot >= outlook.now_slot]
    spare = find_spare(today)
    notes = []
    if not outlook.has_forecast:
        notes.append(words.text("There is no forecast right now, so yesterday's values are shown instead."))
    if outlook.has_more_in_use:
        notes.append(
            words.text(
                "What only a few homes make or store is not shown separately: the use shown here is lower while they"
                " give power, and higher while their batteries charge."
            )
        )
    return TodayPage(
        headline=_headline(outlook, words, spare=spare),
        lede=_lede(outlook, words),
        notes=tuple(notes),
        picture=_picture(outlook, words, spare=spare),
        slot_sentences=tuple(moment_sentence(moment, words) for moment in today),
        now_row=outlook.now_slot - outlook.today.start,
        starts=tuple(_start_row(length, ahead, outlook=outlook, words=words) for length in LENGTHS_SLOTS),
        reasons=tuple(_reason(row, words) for row in outlook.forecasts) if outlook.has_forecast else (),
    )


def _reason(row: ForecastRow, words: Localizer) -> ForecastReason:
    subjects = {"demand": words.text("Use"), "pv": words.text("Sun"), "wind": words.text("Wind")}
    weather = (
        words.text("No weather forecast was known.")
        if row.weather_issued_at is None
        else words.text("The newest weather forecast is from %(moment)s.", moment=words.moment(row.weather_issued_at))
    )
    return ForecastReason(subjects[row.target], (row.reason, *row.drivers, weather))


def _too_few(outlook: Outlook, words: Localizer) -> TodayPage:
    if outlook.homes < MIN_HOMES:
        rule = words.plural(
            "The neighbourhood's totals appear once at least %(n)s home shares its data, so that nobody can be singled"
            " out.",
            "The neighbourhood's totals appear once at least %(n)s homes share their data, so that nobody can be"
            " singled out.",
            MIN_HOMES,
        )
        now = words.plural("So far %(n)s home does.", "So far %(n)s homes do.", outlook.homes)
    elif 0 < outlook.makers < MIN_HOMES:
        rule = words.plural(
            "The neighbourhood's totals appear once at least %(n)s of the homes that share their data makes power, so"
            " that nobody can be singled out.",
            "The neighbourhood's totals appear once at least %(n)s of the homes that share their data make power, so"
            " that nobody can be singled out.",
            MIN_HOMES,
        )
        now = words.plural("So far %(n)s home does.", "So far %(n)s homes do.", outlook.makers)
    else:
        rule = words.text(
            "A few homes do not share their data, and the neighbourhood's totals without them would show what they"
            " used."
        )
        now = words.text("The totals come back when all homes share their data, or enough other homes do.")
    headline = words.text("Not enough homes for a picture of the street yet")
    return TodayPage(headline, words.sentences(rule, now), (), None, (), 0, ())


def _headline(outlook: Outlook, words: Localizer, *, spare: Sequence[SurplusSpan]) -> str:
    """The headline: the best period that is not over yet, today or else tomorrow."""
    now = outlook.now_slot
    left = [span for span in spare if span.end > now]
    current = next((span for span in left if span.first <= now), None)
    if current is not None:
        return _named(
            current.source,
            words.text("Sun to spare now, until %(end)s", end=words.end_hour(current.end)),
            words.text("Wind to spare now, until %(end)s", end=words.end_hour(current.end)),
            words.text("Power to spare now, until %(end)s", end=words.end_hour(current.end)),
        )
    if left:
        best = max(left, key=lambda span: span.energy_wh)
        hours = {"first": words.hour(best.first), "end": words.end_hour(best.end)}
        return _named(
            best.source,
            words.text("Sun to spare from %(first)s to %(end)s", **hours),
            words.text("Wind to spare from %(first)s to %(end)s", **hours),
            words.text("Power to spare from %(first)s to %(end)s", **hours),
        )
    tomorrow = find_spare([moment for moment in outlook.moments if moment.slot >= outlook.today.stop])
    if tomorrow:
        best = max(tomorrow, key=lambda span: span.energy_wh)
        hours = {"first": words.hour(best.first), "end": words.end_hour(best.end)}
        return _named(
            best.source,
            words.text("Sun to spare tomorrow from %(first)s to %(end)s", **hours),
            words.text("Wind to spare tomorrow from %(first)s to %(end)s", **hours),
            words.text("Power to spare tomorrow from %(first)s to %(end)s", **hours),
        )
    return words.text("No power to spare at the moment")


def _named(source: str, sun: str, wind: str, both: str) -> str:
    return {"sun": sun, "wind": wind}.get(source, both)


def _lede(outlook: Outlook, words: Localizer) -> str:
    """One sentence about the newest measured quarter hour."""
    measured = [moment for moment in outlook.moments if moment.is_measured]
    if not measured:
        return words.text("Nothing has been measured today yet.")
    last = measured[-1]
    return moment_sentence(last, words)


def moment_sentence(moment: SlotOutlook, words: Localizer) -> str:
    """One slot in one sentence: the past as measured, the future with its likely range."""
    if moment.made_wh is None or moment.used_wh is None or moment.spare_wh is None:
        return words.text("%(time)s: no values are known.", time=words.clock(moment.slot))
    parts = {
        "time": words.clock(moment.slot),
        "made": words.kw(moment.made_wh),
        "used": words.kw(moment.used_wh),
        "rest": words.kw(abs(moment.spare_wh)),
    }
    if moment.is_measured:
        if moment.spare_wh > 0:
            return words.text(
                "At %(time)s we made %(made)s and used %(used)s: %(rest)s to spare.",
                **parts,
            )
        return words.text("At %(time)s we made %(made)s and used %(used)s: %(rest)s came from the grid.", **parts)
    if moment.low_wh is None or moment.high_wh is None:
        return words.text("At %(time)s we may make %(made)s and use %(used)s, as on the day before.", **parts)
    parts |= {"low": words.kw(moment.low_wh), "high": words.kw(moment.high_wh)}
    if moment.spare_wh > 0:
        return words.text(
            "At %(time)s we will likely make %(made)s (between %(low)s and %(high)s) and use %(used)s:"
            " about %(rest)s to spare.",
            **parts,
        )
    return words.text(
        "At %(time)s we will likely make %(made)s (between %(low)s and %(high)s) and use %(used)s:"
        " about %(rest)s from the grid.",
        **parts,
    )


def _picture(outlook: Outlook, words: Localizer, *, spare: Sequence[SurplusSpan]) -> Chart:
    slots, moments = outlook.today, outlook.of(outlook.today)
    sentence = _picture_sentence(moments, words, spare=spare)
    spells = tuple(
        ChartSpan(
            span.first - slots.start,
            span.end - slots.start,
            words.text("%(first)s to %(end)s", first=words.hour(span.first), end=words.end_hour(span.end)),
        )
        for span in spare
    )
    return draw_day(
        "day",
        words.text("The neighbourhood on %(day)s", day=words.day(day_of(slots.start, words.tz))),
        axis=day_axis(slots, words, unit="kW"),
        made=[_as_kw(moment.made_wh) for moment in moments],
        band=[
            (_kw(moment.low_wh), _kw(moment.high_wh))
            if moment.low_wh is not None and moment.high_wh is not None
            else None
            for moment in moments
        ],
        used=[_as_kw(moment.used_wh) for moment in moments],
        now=float(outlook.now_slot - slots.start),
        spells=spells,
        sentence=sentence,
        table=_table(moments, words),
    )


def _picture_sentence(moments: Sequence[SlotOutlook], words: Localizer, *, spare: Sequence[SurplusSpan]) -> str:
    known = [moment for moment in moments if moment.made_wh is not None]
    if not known:
        return words.text("Nothing is known about this day yet.")
    top = max(known, key=lambda moment: moment.made_wh or 0.0)
    made = words.text(
        "Production is highest around %(time)s: %(made)s.",
        time=words.clock(top.slot),
        made=words.kw(top.made_wh or 0.0),
    )
    if not spare:
        return words.sentences(made, words.text("There is no power to spare at any time."))
    hours = words.listed(
        words.text("%(first)s to %(end)s", first=words.hour(span.first), end=words.end_hour(span.end)) for span in spare
    )
    total = words.kwh(sum(span.energy_wh for span in spare))
    return words.sentences(made, words.text("Power to spare: %(hours)s, %(total)s in total.", hours=hours, total=total))


def _table(moments: Sequence[SlotOutlook], words: Localizer) -> ChartTable:
    heads = (
        words.text("Time"),
        words.text("We make"),
        words.text("Likely range"),
        words.text("We use"),
        words.text("To spare"),
    )
    rows = []
    for moment in moments:
        likely = (
            f"{words.kw(moment.low_wh)} – {words.kw(moment.high_wh)}"
            if moment.low_wh is not None and moment.high_wh is not None
            else words.text("measured")
            if moment.is_measured
            else "–"
        )
        values = (moment.made_wh, moment.used_wh, moment.spare_wh)
        made, used, rest = ("–" if value is None else words.kw(value) for value in values)
        rows.append((words.clock(moment.slot), made, likely, used, rest))
    return ChartTable(heads, tuple(rows))


def _start_row(length: int, ahead: Sequence[SlotOutlook], *, outlook: Outlook, words: Localizer) -> StartRow:
    end = outlook.today.stop
    today = [moment for moment in ahead if moment.slot < end]
    tomorrow = [moment for moment in ahead if end <= moment.slot < end + SLOTS_PER_UTC_DAY + SLOTS_PER_HOUR]
    cells = []
    for moments in (today, tomorrow):
        best = best_start(moments, length)
        if best is None:
            cells += [words.text("not known"), ""]
            continue
        at = words.text("now") if best.first == outlook.now_slot else words.clock(best.first)
        cells += [at, _covered(best.covered, words)]
    return StartRow(_length(length, words), *cells)


def _length(slots: int, words: Localizer) -> str:
    if slots < SLOTS_PER_HOUR:
        return words.plural("%(n)s minute", "%(n)s minutes", slots * 15)
    return words.plural("%(n)s hour", "%(n)s hours", slots // SLOTS_PER_HOUR)


def _covered(share: float, words: Localizer) -> str:
    if share >= _COVERED_MOSTLY:
        return words.text("our own power")
    return words.text("partly our own power") if share > 0 else words.text("from the grid, at the quietest time")


def _kw(slot_wh: float) -> float:
    return slot_wh * SLOTS_PER_HOUR / 1000


def _as_kw(slot_wh: float | None) -> float | None:
    return None if slot_wh is None else _kw(slot_wh)


def today_json(outlook: Outlook) -> dict[str, object]:
    """The same outlook for programs: Wh per slot, null if nothing is known."""
    return {
        "now_slot": outlook.now_slot,
        "now": format_slot(outlook.now_slot),
        "homes": outlook.homes,
        "is_enough": outlook.is_enough,
        "has_forecast": outlook.has_forecast,
        "spare": [
            {"first_slot": span.first, "end_slot": span.end, "energy_wh": round(span.energy_wh)}
            for span in find_spare(outlook.of(outlook.today))
        ],
        "moments": [
            {
                "slot": moment.slot,
                "is_measured": moment.is_measured,
                "made_wh": _rounded(moment.made_wh),
                "low_wh": _rounded(moment.low_wh),
                "high_wh": _rounded(moment.high_wh),
                "used_wh": _rounded(moment.used_wh),
            }
            for moment in outlook.moments
        ],
    }


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
