"""Today: the answer is in the headline, picture and table agree, and the page says when little is known."""

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from hub.forecasts.street_totals import StreetService
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.translation import NO_BREAK, Localizer
from hub.web.views.home.day_outlook import MIN_HOMES
from hub.web.views.home.neighbourhood import Outlook, OutlookCache, read_outlook
from hub.web.views.home.today import moment_sentence, today_json, today_page
from protocols.quantities import Measure
from protocols.slots import slots_of_day, start_of
from tests.hub.web.page_street import COOP, NOW_S, NOW_SLOT, TODAY, build_street, reading_rows

WORDS = Localizer("en", COOP.tz, COOP.currency)
SHARING = 10


async def outlook_of(folder: Path, *, sharing: int, is_forecast: bool = True, now_s: float = NOW_S) -> Outlook:
    store = await build_street(folder, sharing=sharing, is_forecast=is_forecast)
    try:
        return await read_outlook(store, StreetService(store, tz=COOP.tz), COOP.tz, now_s=now_s)
    finally:
        await store.close()


async def test_the_headline_is_the_answer(store: SqliteStore) -> None:
    view = today_page(await read_outlook(store, StreetService(store, tz=COOP.tz), COOP.tz, now_s=NOW_S), WORDS)
    assert re.fullmatch(r"Sun to spare now, until \d+(:\d\d)?", view.headline)
    assert view.lede.startswith("At 10:00 we made ")
    assert view.reasons


async def test_the_use_is_said_to_be_less_what_a_few_homes_make(store: SqliteStore) -> None:
    outlook = await read_outlook(store, StreetService(store, tz=COOP.tz), COOP.tz, now_s=NOW_S)
    (note,) = today_page(outlook, WORDS).notes  # the street has one turbine
    assert note.startswith("What only a few homes make or store is not shown separately: the use shown here is lower")
    assert not today_page(replace(outlook, has_more_in_use=False), WORDS).notes


async def test_the_page_says_why_the_forecast_is_as_it_is(store: SqliteStore) -> None:
    outlook = await read_outlook(store, StreetService(store, tz=COOP.tz), COOP.tz, now_s=NOW_S)
    view = today_page(outlook, WORDS)
    # The street has one turbine: what is said of its wind would be about one home.
    assert [reason.subject for reason in view.reasons] == ["Use", "Sun"]
    for reason, row in zip(view.reasons, outlook.forecasts, strict=True):
        assert reason.sentences[:-1] == (row.reason, *row.drivers)
        assert ("No weather forecast was known." in reason.sentences) == (row.weather_issued_at is None)
    assert not today_page(replace(outlook, has_forecast=False), WORDS).reasons


async def test_before_the_good_hours_the_headline_names_them(tmp_path: Path) -> None:
    early = start_of(slots_of_day(TODAY, COOP.tz).start + 4) + 60
    outlook = await outlook_of(tmp_path, sharing=SHARING, now_s=early)
    assert not outlook.has_forecast  # it was issued only later that morning
    assert re.fullmatch(r"Sun to spare from \d+(:\d\d)? to \d+(:\d\d)?", today_page(outlook, WORDS).headline)


async def test_in_the_evening_the_headline_is_about_tomorrow(store: SqliteStore) -> None:
    late = start_of(slots_of_day(TODAY, COOP.tz).start + 84)
    view = today_page(await read_outlook(store, StreetService(store, tz=COOP.tz), COOP.tz, now_s=late), WORDS)
    assert re.fullmatch(r"Sun to spare tomorrow from \d+(:\d\d)? to \d+(:\d\d)?", view.headline)


async def test_measured_totals_are_the_sums_of_the_homes_that_share(store: SqliteStore) -> None:
    outlook = await read_outlook(store, StreetService(store, tz=COOP.tz), COOP.tz, now_s=NOW_S)
    slot = NOW_SLOT - 1
    rows = [row for number in range(1, SHARING + 1) for row in reading_rows(number, range(slot, slot + 1))]
    by = {m: sum(row.energy_wh or 0 for row in rows if row.measure == m) for m in Measure}
    made = by[Measure.PV_PRODUCTION]  # the street has one turbine, and what it makes is left in the use
    assert by[Measure.WIND_PRODUCTION] > 0
    moment = next(moment for moment in outlook.moments if moment.slot == slot)
    assert moment.is_measured
    assert moment.made_wh == pytest.approx(made)


async def test_picture_table_slider_and_json_tell_the_same(store: SqliteStore) -> None:
    outlook = await read_outlook(store, StreetService(store, tz=COOP.tz), COOP.tz, now_s=NOW_S)
    view, content = today_page(outlook, WORDS), today_json(outlook)
    assert view.picture is not None
    assert len(view.picture.table.rows) == len(view.slot_sentences) == 96
    moments = content["moments"]
    assert isinstance(moments, list)
    for row, moment, says in zip(view.picture.table.rows, moments[:96], view.slot_sentences, strict=True):
        assert row[1] == WORDS.kw(moment["made_wh"]) or abs(moment["made_wh"] % 25 - 12.5) < 1
        assert row[0] in says
    spare = content["spare"]
    assert isinstance(spare, list)
    assert str(view.picture.svg).count('class="bracket"') == len(spare)


async def test_the_likely_range_holds_the_middle(store: SqliteStore) -> None:
    outlook = await read_outlook(store, StreetService(store, tz=COOP.tz), COOP.tz, now_s=NOW_S)
    ahead = [moment for moment in outlook.moments if moment.low_wh is not None]
    assert len(ahead) > 96
    for moment in ahead:
        assert moment.low_wh is not None
        assert moment.high_wh is not None
        assert moment.made_wh is not None
        assert 0 <= moment.low_wh <= moment.made_wh <= moment.high_wh


@pytest.mark.parametrize("sharing", [0, MIN_HOMES - 1])
async def test_with_fewer_than_five_homes_no_total_is_shown_and_the_page_says_why(tmp_path: Path, sharing: int) -> None:
    outlook = await outlook_of(tmp_path, sharing=sharing)
    view = today_page(outlook, WORDS)
    assert not outlook.is_enough
    assert view.picture is None
    assert not view.starts
    assert "at least 5 homes" in view.lede
    assert all(moment.made_wh is None and moment.used_wh is None for moment in outlook.moments)
    assert f"So far {sharing} homes do." in view.lede


async def test_four_makers_among_five_homes_are_not_shown_either(tmp_path: Path) -> None:
    outlook = await outlook_of(tmp_path, sharing=MIN_HOMES)  # homes 2 to 5 make power, home 1 does not
    assert (outlook.homes, outlook.makers) == (5, 4)
    assert all(moment.made_wh is None and moment.used_wh is None for moment in outlook.moments)
    assert "make power, so that nobody can be singled out. So far 4 homes do." in today_page(outlook, WORDS).lede


async def test_a_silent_street_is_not_called_too_small(tmp_path: Path) -> None:
    outlook = await outlook_of(tmp_path, sharing=SHARING, is_forecast=False, now_s=NOW_S + 9 * 86_400)
    view = today_page(outlook, WORDS)
    assert outlook.is_enough
    assert view.headline == "No power to spare at the moment"
    assert view.lede == "Nothing has been measured today yet."


async def test_without_a_forecast_yesterdays_values_are_shown_with_a_note(tmp_path: Path) -> None:
    outlook = await outlook_of(tmp_path, sharing=SHARING, is_forecast=False)
    view = today_page(outlook, WORDS)
    assert "There is no forecast right now, so yesterday's values are shown" in view.notes[0]
    ahead = next(moment for moment in outlook.moments if moment.slot == NOW_SLOT + 4)
    assert ahead.low_wh is None
    assert "as on the day before" in moment_sentence(ahead, WORDS)


async def test_the_totals_are_read_once_in_five_minutes(store: SqliteStore) -> None:
    kept = OutlookCache(store, StreetService(store, tz=COOP.tz), COOP.tz)
    first = await kept.outlook(NOW_S)
    assert await kept.outlook(NOW_S + 30) is first
    assert await kept.outlook(NOW_S + 400) is not first


@pytest.mark.parametrize(("day", "slots"), [(date(2027, 3, 28), 92), (date(2026, 10, 25), 100)])
async def test_days_on_which_clocks_change_keep_their_length(tmp_path: Path, day: date, slots: int) -> None:
    noon = start_of(slots_of_day(day, COOP.tz).start + 48)
    outlook = await outlook_of(tmp_path, sharing=SHARING, now_s=noon)
    assert len(outlook.today) == slots
    view = today_page(outlook, WORDS)
    assert len(view.slot_sentences) == slots
    following = slots_of_day(day + timedelta(days=1), COOP.tz)
    assert outlook.moments[-1].slot == following[-1]


def test_numbers_and_units_never_part() -> None:
    assert WORDS.kw(2500) == f"10.0{NO_BREAK}kW"
    assert WORDS.kwh(-0.0) == f"0.0{NO_BREAK}kWh"
