"""What if: only one's own gain, totals from five homes on, every access logged, calculated once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from hub.books.days import settle_day
from hub.books.period import period_digest
from hub.core.trials.rule_choices import CHOICES
from hub.statements.shown_period import ShownPeriods
from hub.storage.finding_records import NewFinding
from hub.storage.records import Access, Member
from hub.storage.sqlite.store import SqliteStore
from hub.trials.what_if_service import TrialService
from hub.web.app import build_app
from hub.web.frame.tokens import hash_token
from protocols.quantities import Measure
from tests.hub.web.conftest import ORIGIN, SignIn
from tests.hub.web.page_street import NOW_S, NOW_SLOT, TODAY, build_street, parts_over, settle_street

ASKED = "?month=2026-06&rule=equal"
SECRETS = ("m03", "Household", "Lane 3", "h03")


async def looks(store: SqliteStore, home: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in await store.access_rows(home, limit=500):
        found[row.actor] = found.get(row.actor, 0) + row.count
    return found


async def test_the_form_alone_reads_nothing(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    before = await looks(store, "h02")
    page = (await browser.get("/what-if")).text
    assert "What if we shared differently?" in page
    assert page.count("<option") == 1 + len(CHOICES)
    assert (await browser.get("/what-if.json")).json() == {"months": ["2026-06"], "rules": list(CHOICES)}
    assert await looks(store, "h02") == before


async def test_a_member_sees_the_own_gain_and_what_all_may_see(sign_in: SignIn) -> None:
    two, three = await sign_in("m02"), await sign_in("m03")
    page = (await two.get(f"/what-if{ASKED}")).text
    mine, others = (await two.get(f"/what-if.json{ASKED}")).json(), (await three.get(f"/what-if.json{ASKED}")).json()
    assert mine["own"] != others["own"]
    assert (mine["stood"], mine["tried"]) == (others["stood"], others["tried"])
    gain = mine["own"]["tried"]["benefit_nano"] - mine["own"]["stood"]["benefit_nano"]
    assert mine["own"]["gain_nano"] == gain
    assert "You would have gained" in page or "Nothing would have changed" in page
    assert "All 12 homes together" in page
    assert not any(name in page for name in SECRETS)
    assert mine["tried"]["homes"] == 12


async def test_gains_of_all_members_add_up_with_the_margin(sign_in: SignIn) -> None:
    """Money only moves between members and co-op: no rule that shares the same energy creates any."""
    gained, shared = 0, {}
    for number in range(1, 13):
        own = (await (await sign_in(f"m{number:02}")).get("/what-if.json?month=2026-06&rule=equal")).json()
        gained += own["own"]["gain_nano"]
        shared = {name: own[name] for name in ("stood", "tried")}
    assert shared["stood"]["shared_wh"] == shared["tried"]["shared_wh"]
    assert gained + shared["tried"]["margin_nano"] - shared["stood"]["margin_nano"] == 0


@pytest.mark.parametrize("choice", CHOICES)
async def test_every_rule_of_the_list_can_be_tried(sign_in: SignIn, choice: str) -> None:
    answer = await (await sign_in("m02")).get(f"/what-if?month=2026-06&rule={choice}")
    assert answer.status_code == 200
    assert f'value="{choice}" selected' in answer.text


async def test_every_visit_is_in_ones_own_log_and_the_reading_in_all(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m02")
    for path in (f"/what-if{ASKED}", f"/what-if.json{ASKED}", f"/what-if{ASKED}"):
        await browser.get(path)
    mine, other = await looks(store, "h02"), await looks(store, "h03")
    assert mine["m02"] == 5, "three trials, and the statement beside each of the two pages"
    assert "m02" not in other
    assert mine["job:what-if"] == other["job:what-if"] == 3, "three days, read once and then kept"
    assert "The hub (trying a rule)" in (await browser.get("/who-looked?who=hub")).text


async def test_a_new_run_is_a_new_trial(sign_in: SignIn, store: SqliteStore) -> None:
    desk = TrialService(store, shown=ShownPeriods(store), wait_s=60)
    june = TODAY.replace(day=1)

    async def ask() -> object:
        return await desk.try_rule("m02", month=june, choice="equal", today=TODAY)

    assert await ask() == await ask()
    before = (await looks(store, "h03"))["job:what-if"]
    await store.add_member(Member("m30", "Late", "m30@example.org", "en", False, int(NOW_S)), None)
    assert await ask() == await ask()
    assert (await looks(store, "h03"))["job:what-if"] == before, "who has no home settles nothing"
    await settle_day(store, day=TODAY, made_at=int(NOW_S))
    await ask()
    assert (await looks(store, "h03"))["job:what-if"] > before


async def test_a_decision_of_the_board_is_a_new_trial(store: SqliteStore) -> None:
    first, last = TODAY.replace(day=1), TODAY
    before = await period_digest(store, first=first, last=last)
    doubt = NewFinding("h03", "impossible_value", Measure.GRID_IMPORT, NOW_SLOT - 96, 1, "hold", (), "Too much.")
    await store.put_findings(str(TODAY), [doubt], closing="", at=int(NOW_S), message_position=0)
    assert await period_digest(store, first=first, last=last) == before
    access = Access(actor="m01", role="board", purpose="settle.share", reason="a test")
    (row,) = await store.findings(access=access, home="h03")
    said = await store.decide_finding(
        row.id, board_member="m01", verdict="reject", reason="No.", at=int(NOW_S), after=0
    )
    assert said is None
    assert await period_digest(store, first=first, last=last) != before


async def test_one_question_at_a_time_for_each_member(store: SqliteStore) -> None:
    desk, june = TrialService(store, shown=ShownPeriods(store), wait_s=0), TODAY.replace(day=1)
    async with desk._kept._one:  # nothing is calculated in the meantime, however slow the requests are
        first = await desk.try_rule("m02", month=june, choice="equal", today=TODAY)
        second = await desk.try_rule("m02", month=june, choice="static", today=TODAY)
    assert first is None
    assert isinstance(second, str)
    assert "still being worked out" in second
    for _ in range(2000):
        if await desk.try_rule("m02", month=june, choice="equal", today=TODAY) is not None:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("the trial was never worked out")


async def test_a_long_trial_says_so_and_is_there_later(store: SqliteStore) -> None:
    parts = parts_over(store)
    desk = TrialService(store, shown=ShownPeriods(store), wait_s=0)
    object.__setattr__(parts, "trials", desk)
    await store.add_sign_in(hash_token("long"), member_id="m02", expires_at=int(NOW_S) + 60)
    transport = httpx.ASGITransport(app=build_app(parts))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as browser:
        await browser.post("/sign-in/long")
        async with desk._kept._one:  # nothing is calculated in the meantime, however slow the requests are
            first = await browser.get(f"/what-if{ASKED}")
            assert "This is being calculated." in first.text
            assert "Reload in a moment" in first.text
            assert (await browser.get(f"/what-if{ASKED[:-5]}static")).status_code == 409
        for _ in range(2000):
            answer = await browser.get(f"/what-if.json{ASKED}")
            if answer.status_code == 200:
                break
            assert answer.status_code == 202
            await asyncio.sleep(0.01)
        assert answer.json()["tried"]["method"] == "equal"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?month=2026-05&rule=equal", 404),
        ("?month=x&rule=equal", 404),
        ("?rule=equal", 404),
        ("?month=2026-06&rule=mine", 422),
        ("?month=2026-06&rule=", 422),
        ("?month=2026-06", 422),
    ],
)
async def test_what_cannot_be_tried_is_refused_and_reads_nothing(
    sign_in: SignIn, store: SqliteStore, query: str, status: int
) -> None:
    browser = await sign_in("m02")
    before = await looks(store, "h02")
    assert (await browser.get(f"/what-if{query}")).status_code == status
    assert (await browser.get(f"/what-if.json{query}")).status_code == status
    assert await looks(store, "h02") == before


@pytest.fixture
async def few(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of m02 in a co-op of four homes."""
    store = await build_street(tmp_path, homes=4, sharing=4)
    await settle_street(store)
    await store.add_sign_in(hash_token("few"), member_id="m02", expires_at=int(NOW_S) + 60)
    transport = httpx.ASGITransport(app=build_app(parts_over(store)))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as browser:
        await browser.post("/sign-in/few")
        yield browser
    await store.close()


async def test_figures_for_all_are_withheld_below_five_homes(few: httpx.AsyncClient) -> None:
    page, found = (await few.get(f"/what-if{ASKED}")).text, (await few.get(f"/what-if.json{ASKED}")).json()
    assert "at least 5 homes take part" in page
    assert "Here it was 4 homes." in page
    assert "Surplus that neighbours used" not in page
    assert found["own"]["gain_nano"] is not None
    for name in ("stood", "tried"):
        figures = {key: value for key, value in found[name].items() if key not in ("method", "version", "homes")}
        assert set(figures.values()) == {None}
