"""While the store's server is away, refuses access or is full, pages say so with 503, and the board sees Health."""

from collections.abc import Callable

import httpx
import pytest

from hub.storage.errors import StoreAwayError, StoreError, StoreFullError, StoreRefusedError
from hub.storage.sqlite.store import SqliteStore
from hub.web.frame.known_board import KEPT_S, KnownBoard
from hub.web.frame.translation import Localizer
from tests.hub.web.conftest import SignIn

WORDS = Localizer("en", "Europe/Madrid", "EUR")


@pytest.fixture
def goes_away(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[type[StoreError]], None]:
    """From the call on, nothing can be read or written."""

    def go(kind: type[StoreError]) -> None:
        def fail(*_given: object, **_named: object) -> None:
            raise kind("there: secret-host refused")

        for name in ("read", "write", "reading"):
            monkeypatch.setattr(store, name, fail)

    return go


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (StoreAwayError, "database server is away"),
        (StoreRefusedError, "store does not let the hub in"),
        (StoreFullError, "database server has no room"),
    ],
)
async def test_pages_say_what_is_wrong_in_plain_words(
    sign_in: SignIn,
    goes_away: Callable[[type[StoreError]], None],
    kind: type[StoreError],
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    browser = await sign_in("m02")
    goes_away(kind)
    for path in ("/", "/my-home", "/board/fleet", "/board/health"):
        answer = await browser.get(path)
        assert answer.status_code == 503
        assert f"The hub's {words}." in answer.text.replace("&#39;", "'")
        assert "secret-host" not in answer.text
    assert words in (await browser.get("/board/health.json")).json()["error"]
    assert "a page failed" not in caplog.text, "the store says it in the log, once"


async def test_a_board_member_who_was_seen_before_sees_what_the_processes_know(
    sign_in: SignIn, goes_away: Callable[[type[StoreError]], None]
) -> None:
    board, other = await sign_in("m01"), await sign_in("m02")
    for browser in (board, other):
        assert (await browser.get("/")).status_code == 200
    goes_away(StoreAwayError)
    page = await board.get("/board/health")
    assert page.status_code == 503
    assert "The process intake is running." in page.text
    facts = await board.get("/board/health.json")
    assert facts.status_code == 503
    assert facts.json()["checks"]
    assert (await board.get("/board/fleet")).status_code == 503
    assert "The process intake" not in (await other.get("/board/health")).text


async def test_whoever_signed_out_is_not_known(sign_in: SignIn, goes_away: Callable[[type[StoreError]], None]) -> None:
    browser = await sign_in("m01")
    await browser.get("/")
    cookies = httpx.Cookies(browser.cookies)
    await browser.post("/sign-out")
    goes_away(StoreAwayError)
    browser.cookies = cookies
    assert "The process intake" not in (await browser.get("/board/health")).text


def test_a_session_is_known_for_a_day_and_only_while_its_member_is_on_the_board() -> None:
    known = KnownBoard()
    known.note(b"one", WORDS, is_board=True, now_s=1000.0)
    assert known.words(b"one", now_s=1000.0 + KEPT_S - 1) is WORDS
    assert known.words(b"one", now_s=1000.0 + KEPT_S) is None
    assert known.words(b"two", now_s=1000.0) is None
    known.note(b"one", WORDS, is_board=False, now_s=1001.0)
    assert known.words(b"one", now_s=1001.0) is None
