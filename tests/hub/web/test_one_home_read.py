"""A member's own pages read their own home: no statement of theirs walks all homes, members or agents."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Final

import httpx
import pytest

from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from tests.hub.storage.plan_walks import plan_of
from tests.hub.web.conftest import ORIGIN
from tests.hub.web.page_street import NOW_S, parts_over, sign_in_token

OWN_PAGES: Final = (
    *("/my-home", "/my-home.json", "/my-home/appliances", "/prompts", "/prompts.json", "/consent", "/consent.json"),
    *(
        "/homes",
        "/homes.json",
        "/more",
        "/account",
        "/account.json",
        "/findings",
        "/findings.json",
        "/objections",
        "/objections.json",
    ),
    *("/notices", "/notices.json", "/my-home/months", "/my-home/months?month=2026-06"),
    *("/who-looked", "/who-looked.json", "/who-looked.csv", "/fresh.json"),
)
KEPT_PAGES: Final = (
    *("/", "/credits", "/credits.json", "/credits.csv", "/credits/2026-06-11", "/credits/2026-06-11.json"),
    *("/credits/statement/2026-06", "/credits/statement/2026-06.json", "/credits/statement/2026-06/pool.json"),
    *("/credits/statement/2026-06/2026-06-11", "/changes", "/rules"),
)
"""What they show of the whole street is made once and kept: a second look reads the member's own part."""

OF_EVERY_HOME: Final = frozenset(
    {
        "home",
        "member",
        "agent",
        "device",
        "consent",
        "appliance",
        "measure_source",
        "prompt",
        "notice_choice",
        "mail_bounce",
    }
)
"""Tables with some rows for each home."""


OF_THE_BOARD: Final = "INDEX member_board"
"""An index that holds the board's members alone."""


class RecordingConnection(sqlite3.Connection):
    """Keeps the text of each statement that it runs."""

    texts: ClassVar[list[str]] = []

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self.texts.append(sql)
        return super().execute(sql, *values)


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the connections that are opened from now on run."""
    plain = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *place, **how: plain(*place, factory=RecordingConnection, **how))
    RecordingConnection.texts.clear()
    yield RecordingConnection.texts
    RecordingConnection.texts.clear()


@pytest.fixture
async def member(texts: list[str], store: SqliteStore) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of a household that is on no board."""
    transport = httpx.ASGITransport(app=build_app(parts_over(store, now_s=NOW_S)))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as browser:
        assert (await browser.post(f"/sign-in/{await sign_in_token(store, 'm05')}")).status_code == 303
        yield browser


@pytest.mark.parametrize("page", OWN_PAGES)
async def test_a_page_about_one_home_walks_no_table_of_all_homes(
    member: httpx.AsyncClient, texts: list[str], tmp_path: Path, page: str
) -> None:
    texts.clear()
    assert (await member.get(page)).status_code == 200
    asked = list(dict.fromkeys(texts))
    assert len(asked) > 3, "the page's statements were not recorded"
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as db:
        assert [walk for text in asked for walk in walks_over(db, text)] == []


@pytest.mark.parametrize("page", KEPT_PAGES)
async def test_a_second_look_at_what_is_kept_walks_no_table_of_all_homes_and_reads_no_runs_record(
    member: httpx.AsyncClient, texts: list[str], tmp_path: Path, page: str
) -> None:
    assert (await member.get(page)).status_code == 200
    texts.clear()
    assert (await member.get(page)).status_code == 200
    asked = list(dict.fromkeys(texts))
    assert len(asked) > 3, "the page's statements were not recorded"
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as db:
        assert [walk for text in asked for walk in walks_over(db, text)] == []
    assert [text for text in asked if "allocation" in text] == []


def walks_over(db: sqlite3.Connection, text: str) -> list[str]:
    if not text.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
        return []
    return [
        f"{step}: {text}"
        for step in plan_of(db, text)
        for table in OF_EVERY_HOME
        if step.split()[:2] == ["SCAN", table] and not step.endswith(OF_THE_BOARD)
    ]
