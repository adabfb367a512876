"""The Live page: what is read now, what today brought, and what it says when something is missing."""

import json
from pathlib import Path

import pytest

from tests.edge_agent.page.page_home import GRID, SUN, PageHome, fill_history, get


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
    assert "The first quarter hour of today is not over yet, or none was measured." in body
    assert "nothing read yet" in body


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
