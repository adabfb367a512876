"""The board's pages: problems by severity, which readings arrived (no consumption), runs with their hashes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from hub.storage.fleet_records import AgentClock, CutOff, FleetRow, FleetSums, FormerAgent
from hub.storage.records import DeviceRow, RefusalCount
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.translation import Localizer
from hub.web.views.board import FleetPage, fleet_asked, fleet_json, fleet_page, fleet_slots, refusal_words
from protocols.wire.refusal_reasons import RefusalReason
from tests.hub.known_seals import SEALS
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import NOW_S, NOW_SLOT

WORDS = Localizer("en", "Europe/Berlin", "EUR")


def home(name: str, *, last: int | None, agent: str | None = "a-1", state: str = "ok") -> FleetRow:
    devices = (DeviceRow(name, "meter", state, 60, int(NOW_S)),)
    return FleetRow(name, name, agent, last, None, 1, 2, 3, devices, ("present",) * 96, ())


def page_of(rows: Sequence[FleetRow], refusals: Sequence[RefusalCount] = ()) -> FleetPage:
    """The page of these homes, which are all there are."""
    homes = {row.home for row in rows}
    silent = {row.home for row in rows if row.last_slot is None or row.last_slot < NOW_SLOT - 10}
    return fleet_page(rows, refusals, WORDS, now_s=NOW_S, sums=FleetSums(len(homes), len(silent), 96 * len(homes)))


async def test_problems_are_sorted_by_severity_with_the_silent_home_first(store: SqliteStore) -> None:
    slots = fleet_slots(NOW_S)
    sums = await store.fleet_sums(slots=slots, silent_before=fleet_asked("", now_s=NOW_S).silent_before)
    rows = await store.fleet(slots=slots)
    view = fleet_page(rows, await store.refusals(), WORDS, now_s=NOW_S, sums=sums)
    assert view.headline == "1 home is silent"
    assert (view.findings[0].home, view.findings[0].harm) == ("Lane 11", 0)
    assert [finding.harm for finding in view.findings] == sorted(finding.harm for finding in view.findings)
    assert any("4 messages were refused: the signature is wrong" in finding.what for finding in view.findings)


def test_every_kind_of_trouble_becomes_a_finding() -> None:
    rows = [
        home("heard", last=NOW_SLOT - 1),
        home("silent", last=NOW_SLOT - 30),
        home("never", last=None),
        home("no-agent", last=None, agent=None),
        home("device", last=NOW_SLOT - 1, state="silent"),
    ]
    refused = [RefusalCount("a-stranger", "unknown_agent", 7, int(NOW_S), "no such agent")]
    view = page_of(rows, refused)
    assert {finding.home for finding in view.findings} == {
        "silent", "never", "no-agent", "device", "Unknown sender a-stranger",
    }  # fmt: skip


def test_an_agent_that_was_cut_off_comes_first_with_what_to_do() -> None:
    row = replace(home("heard", last=NOW_SLOT - 1), cut_off=CutOff("a-1", int(NOW_S), 6000))
    left = [RefusalCount("a-1", "too_many", 700, int(NOW_S), ""), RefusalCount("a-1", "day_limit", 7, int(NOW_S), "")]
    view = page_of([row], left)
    assert (view.findings[0].harm, view.findings[0].home) == (0, "heard")
    assert "was cut off at" in view.findings[0].what
    assert "6,000 messages in vain within a minute" in view.findings[0].what
    assert "commonwatt-hub let-in" in view.findings[0].do
    assert any("the sender sent too many at a time" in finding.what for finding in view.findings)
    (shown,) = fleet_json([row], left, slots=fleet_slots(NOW_S))["homes"]  # type: ignore[misc]
    assert shown["cut_off"] == {"at": int(NOW_S), "messages": 6000}


def test_a_replaced_agent_is_shown_for_30_days_and_as_long_as_it_still_sends() -> None:
    now, month_s = int(NOW_S), 30 * 86_400
    quiet, gone = FormerAgent("a-quiet", now - 3600, None), FormerAgent("a-gone", now - month_s, None)
    sending = FormerAgent("a-sending", now - 2 * month_s, now - 60)
    row = replace(home("heard", last=NOW_SLOT - 1), former=(gone, quiet, sending))
    refused = [RefusalCount("a-sending", "revoked", 7, now - 60, "the agent's key was revoked")]
    view = page_of([row], refused)
    assert [(finding.harm, finding.home) for finding in view.findings] == [(1, "heard"), (4, "heard")]
    assert view.findings[0].what.startswith("The agent a-sending was replaced or revoked on")
    assert "but still sends" in view.findings[0].what
    assert view.findings[1].what.startswith("The agent a-quiet was replaced or revoked on")
    assert view.findings[1].do.startswith("a-1 took its place.")
    assert view.refusals[0][0] == "heard", "the table names the home, not an unknown sender"
    (told,) = fleet_json([row], refused, slots=fleet_slots(NOW_S))["homes"]  # type: ignore[misc]
    assert told["former_agents"][2] == {
        "agent": "a-sending",
        "revoked_at": now - 2 * month_s,
        "last_refused_at": now - 60,
    }


def test_a_street_in_order_has_no_findings() -> None:
    view = page_of([home("a", last=NOW_SLOT - 1), home("b", last=NOW_SLOT - 1)], ())
    assert view.headline == "All 2 homes are connected"
    assert view.findings == ()


@pytest.mark.parametrize(
    ("clock", "said"),
    [
        (None, None),
        (("synchronised", 3), None),
        (("held", 3), "did not trust its own clock yet"),
        (("held", 5 * 365 * 86400), "1,825 days ahead"),
        (("unconfirmed", 7300), "121 minutes ahead"),
        (("synchronised", -150), "2 minutes behind"),
    ],
)
def test_a_wrong_clock_is_shown_to_the_board(clock: tuple[str, int] | None, said: str | None) -> None:
    row = home("a", last=NOW_SLOT - 1)
    if clock is not None:
        row = replace(row, clock=AgentClock("a-1", int(NOW_S) - 60, clock[1], clock[0]))
    findings = page_of([row], ()).findings
    assert len(findings) == (said is not None)
    assert said is None or said in findings[0].what
    assert fleet_json([row], (), slots=range(0))["homes"][0]["clock"] == (  # type: ignore[index]
        None if clock is None else {"told_at": int(NOW_S) - 60, "ahead_s": clock[1], "state": clock[0]}
    )


def test_every_refusal_has_words() -> None:
    assert all(refusal_words(reason, WORDS) != reason.replace("_", " ") for reason in RefusalReason)
    assert refusal_words("from_a_newer_hub", WORDS) == "from a newer hub"


async def test_the_fleet_page_has_a_strip_for_each_home_with_its_sentence(sign_in: SignIn) -> None:
    page = (await (await sign_in("m01")).get("/board/fleet")).text
    assert page.count('class="strip"') == 12
    assert "Quarter hours present: 66, estimated: 0, missing: 0, not arrived: 30." in page
    assert "kWh" not in page


async def test_opening_the_fleet_page_is_not_an_access_to_values(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m01")
    before = {home.id: await store.access_rows(home.id, limit=100) for home in await store.homes()}
    await browser.get("/board/fleet")
    await browser.get("/board/runs")
    assert before == {home.id: await store.access_rows(home.id, limit=100) for home in await store.homes()}


async def test_runs_show_the_names_that_members_know_the_newest_first(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m01")
    page, runs = (await browser.get("/board/runs")).text, await store.runs()
    assert all(SEALS.run(run.run_key) in page and SEALS.record(run.result_hash) in page for run in runs)
    assert page.index("2026-06-11") < page.index("2026-06-09")
    listed = (await browser.get("/board/runs.json")).json()["runs"]
    assert [run["day"] for run in listed] == [run.day for run in runs]
    assert "allocation" not in listed[0]


def test_a_home_with_several_agents_has_a_line_for_each_and_counts_once() -> None:
    grid = home("Lane 1", last=NOW_SLOT - 1, agent="a-grid")
    sun = replace(home("Lane 1", last=NOW_SLOT - 30, agent="a-sun"), seat=2, is_first=False, former=())
    gone = replace(grid, former=(FormerAgent("a-gone", int(NOW_S) - 60, None, 3),))
    said = [RefusalCount("a-sun", "brought_elsewhere", 9, int(NOW_S) - 60, "grid_import is brought by agent a-grid")]
    view = page_of([gone, sun], said)
    assert view.headline == "1 home is silent"
    assert [line.home for line in view.lines] == ["Lane 1 (a-grid)", "Lane 1 (a-sun)"]
    assert view.lede.startswith("100"), "the home's quarter hours are not counted for each of its agents"
    assert any("silent" in finding.what and finding.home == "Lane 1 (a-sun)" for finding in view.findings)
    assert any("another agent of the home brings" in finding.what for finding in view.findings)
    assert any("If the co-op did not intend this" in finding.do for finding in view.findings), "nobody took its seat"
    old = [replace(said[0], last_at=int(NOW_S) - 3 * 86_400)]
    assert not any("brings" in finding.what for finding in page_of([gone, sun], old).findings)
    assert len({line.strip for line in view.lines}) == 2, "no two drawings have one id"
