"""The Health page says what needs a hand, for the board alone; Fleet shows what was dropped and asked for again."""

from tests.hub.web.conftest import SignIn


async def test_the_board_sees_what_needs_a_hand_and_what_to_do(sign_in: SignIn) -> None:
    page = (await (await sign_in("m01")).get("/board/health")).text
    assert "<h1>6 things need attention</h1>" in page
    for words in (
        "The process pages was started again 3 times, last at 12 June, 10:07 (it was killed by signal 9).",
        "The process forecast-worker is not running",
        "The job “backup” has failed since",
        "12 messages were refused in the last hour.",
        "1 message to or from the broker was dropped in the last hour.",
        "Backup: the newest backup is older than 48 hours",
        "See the section Backups of docs/day-two.md, or of docs/postgres.md where a server has the store.",
    ):
        assert words in page
    assert "The process intake is running." in page
    assert "Settled until: 19 September 2026." in page


async def test_fleet_and_health_show_what_became_of_messages(sign_in: SignIn) -> None:
    browser = await sign_in("m01")
    for path in ("/board/fleet", "/board/health"):
        page = (await browser.get(path)).text
        for words in (
            "120 messages arrived.",
            "3 messages were missing and asked for again.",
            "7 found no room or were over a limit: their agents send them again.",
            "12 were refused.",
            "1 was dropped between hub and broker: it is sent or asked for again.",
        ):
            assert words in page


async def test_the_file_has_the_checks_and_the_facts(sign_in: SignIn) -> None:
    found = (await (await sign_in("m01")).get("/board/health.json")).json()
    levels = {check["check"]: check["level"] for check in found["checks"]}
    assert found["is_ready"] is True
    assert (levels["job-backup"], levels["part-intake"]) == ("warning", "good")
    assert found["intake"]["dropped_in"] == 1


async def test_only_the_board_sees_it(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    for path in ("/board/health", "/board/health.json"):
        assert (await browser.get(path)).status_code == 403
