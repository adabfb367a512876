"""A member opens every page and file before and after another home is corrected, and sees no number change."""

import re
from datetime import date

import httpx
from fastapi.routing import APIRoute

from hub.settlement_job import settle_day
from hub.storage.finding_records import NewFinding
from hub.storage.records import Access
from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from protocols.quantities import Measure
from tests.hub.web.conftest import M1_DUE, Come
from tests.hub.web.page_street import NOW_S, NOW_SLOT, parts_over

DAY = date(2026, 6, 10)
CORRECTED = range(NOW_SLOT - 96 - 96, NOW_SLOT - 96 - 80)
VALUES = {"day": str(DAY), "month": "2026-06"}
QUERIES = {"/what-if": "?month=2026-06&rule=equal", "/fairness": "?year=2026"}
NOTICE = re.compile(rb'<div class="note"><p>There is something newer.*?</div>\s*', re.DOTALL)
LEFT_OUT = ("/who-looked",)
"""Each visit itself adds a line to this one."""


def addresses(store: SqliteStore) -> list[str]:
    """Every address, with the corrected day and month in it; the PDF is drawn from the statement alone."""
    routes = [route for route in build_app(parts_over(store)).routes if isinstance(route, APIRoute)]
    found = []
    for path in sorted({route.path for route in routes if "GET" in route.methods}):
        filled = re.sub(r"\{(\w+)\}", lambda name: VALUES.get(name[1], "{}"), path)
        if "{}" not in filled and not filled.startswith(LEFT_OUT) and not filled.endswith(".pdf"):
            found.append(filled + QUERIES.get(filled.removesuffix(".json"), ""))
    return found


async def opened(browser: httpx.AsyncClient, paths: list[str]) -> dict[str, bytes]:
    answers = {path: await browser.get(path) for path in paths}
    return {path: answer.content for path, answer in answers.items() if answer.status_code == 200}


async def reject(store: SqliteStore, home: str, slots: range) -> None:
    """The board rejects these readings of the home."""
    doubt = NewFinding(home, "impossible_value", Measure.GRID_IMPORT, slots.start, len(slots), "hold", (), "Too much.")
    await store.put_findings(str(DAY), [doubt], closing="", at=int(NOW_S), message_position=0)
    access = Access(actor="m01", role="board", purpose="settle.share", reason="a test")
    row = next(row for row in await store.findings(access=access, home=home) if row.found.first_slot == slots.start)
    place = await store.decide_finding(row.id, board_member="m01", verdict="reject", reason="No.", at=1, after=0)
    assert place is None


def without_notice(content: bytes) -> bytes:
    """The page without the note that names days with something newer: which day it is may be known."""
    return NOTICE.sub(b"", content)


async def test_one_homes_correction_changes_nothing_that_another_sees(come: Come, store: SqliteStore) -> None:
    browser, paths = await come("m02", at=M1_DUE), addresses(store)
    before = await opened(browser, paths)
    assert len(before) > 30
    assert {"/what-if.json?month=2026-06&rule=equal", "/fairness.json?year=2026", "/today.json"} <= before.keys()
    await reject(store, "h05", CORRECTED)
    waiting = await opened(browser, paths)
    old = (await store.runs(days=("2026-06-01", "2026-06-30")))[-1]
    made = await settle_day(store, day=DAY, made_at=old.made_at)  # a statement says when its newest run was made
    assert made.booked > 0
    settled = await opened(browser, paths)
    for after in (waiting, settled):
        assert before.keys() == after.keys()
        assert [path for path in before if without_notice(before[path]) != without_notice(after[path])] == []
