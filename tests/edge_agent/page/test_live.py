"""The Live page: what is read now, what today brought, and what it says when something is missing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.home_store.credit_days import CreditBook, yesterday
from protocols.slots import start_of
from protocols.wire.credits.notices import CreditDay, CreditsNotice, encode_credits
from tests.edge_agent.page.page_home import GRID, NOW_S, NOW_SLOT, SUN, TZ, PageHome, fill_history, get


@pytest.fixture
def home(tmp_path: Path) -> PageHome:
    return PageHome(tmp_path / "data")


async def test_power_now_and_today_are_shown(home: PageHome) -> None:
    fill_history(home.folder, days=2)
    home.show(GRID, -1_240)
    home.show(SUN, 1_890)
    async with home.served() as port:
        status, _, body = await get(port, "/")
        texts = json.loads((await get(port, "/live.json"))[2])
    assert status == 200
    assert '<h1 data-live="head">1.24\xa0kW to spare now</h1>' in body
    assert "The home uses 650\xa0W." in body
    assert "read at 12:16" in body
    assert "made by the solar panels" in body
    assert "4 quarter hours of today are missing or incomplete." in body
    assert texts["from-sun"] == "1.89\xa0kW"
    for key, text in texts.items():
        assert f'data-live="{key}"' in body, key
        assert text in body


async def test_a_silent_device_is_named_and_nothing_is_guessed(home: PageHome) -> None:
    home.show(GRID, 300)
    home.show(SUN, 1_890, age_s=300)
    async with home.served() as port:
        body = (await get(port, "/"))[2]
    assert "300\xa0W from the grid now" in body
    assert "What the home uses is not known: no value from roof." in body
    assert "1.89" not in body


async def test_a_home_that_has_just_begun_says_so(home: PageHome) -> None:
    async with home.served() as port:
        body = (await get(port, "/"))[2]
    assert "The grid&#x27;s meter shows nothing now" in body
    assert "The first quarter hour comes once the agent knows the time." in body
    assert "<svg" not in body[body.index('id="chart"') :]
    assert "nothing read yet" in body


async def test_an_empty_day_says_when_its_first_quarter_hour_comes(home: PageHome) -> None:
    home.site._home = replace(home.running, first_whole=lambda: NOW_SLOT + 1)
    async with home.served() as port:
        # At 12:16 of a clock that was trusted at once, the quarter hour that is seen whole ends at 12:45.
        assert "The first quarter hour comes shortly after 12:45." in (await get(port, "/"))[2]
        home.now_s = start_of(NOW_SLOT + 9) + 1.0
        assert "The first quarter hour comes shortly after 14:45." in (await get(port, "/"))[2]


async def test_a_damaged_row_is_one_sentence(home: PageHome) -> None:
    import sqlite3

    fill_history(home.folder, days=1)
    with sqlite3.connect(home.folder / "history.sqlite") as db:
        db.execute("UPDATE quarter SET content = x'00'")
    db.close()
    async with home.served() as port:
        status, _, body = await get(port, "/")
    assert status == 500
    assert "is damaged" in body


async def test_what_the_hub_told_of_yesterday_is_one_sentence_here_and_in_the_history(home: PageHome) -> None:
    slots = yesterday(NOW_S, TZ)
    book = CreditBook(home.folder, agent="a-07")
    async with home.served() as port:
        assert "neighbours" not in (await get(port, "/"))[2], "an older hub tells nothing"
        for at, is_settled in ((1, False), (2, True)):
            day = CreditDay(slots.start, 96, is_settled, 3210, 1040, 5000, 700)
            await book.note(encode_credits(CreditsNotice("a-07", int(NOW_S) + at, (day,))))
            tail = "." if is_settled else " (preliminary)."
            said = f": 3.21\xa0kWh from neighbours, 1.04\xa0kWh to neighbours{tail}</p>"
            assert f"<p>Yesterday{said}" in (await get(port, "/"))[2]
            assert f"<p>10 June{said}" in (await get(port, "/history?day=2026-06-10"))[2]
            assert "neighbours" not in (await get(port, "/history?day=2026-06-09"))[2]
