"""Silence is told once, to the people of that home and the board, and not while the hub itself has just come back."""

from dataclasses import replace
from pathlib import Path

from hub.folder.last_verification import LastVerification, note_refused_checkpoint, write_last_verification
from hub.notices.about_trouble import SETTLING_S, WatchNotices
from hub.processes.planned_jobs import jobs_of_a_folder
from hub.storage.fleet_records import FleetRow
from hub.storage.notice_records import NoticeKind
from tests.hub.notices.catch_all import CatchAll, catching
from tests.hub.notices.mail_street import START_S, MailStreet, mail_street
from tests.hub.web.page_street import HUB_SETTINGS

ROW = FleetRow("h02", "Home 2", "a2", (START_S - 90_000) // 900, START_S - 90_000, 1, 1, 9, (), (), ())


class _Fleet:
    """A store whose fleet is as a test says."""

    def __init__(self, street: MailStreet) -> None:
        self._store = street.store
        self.rows = [ROW, replace(ROW, home="h01", home_name="Home 1", last_slot=START_S // 900 + 99)]

    async def fleet(self, *, slots: range) -> tuple[FleetRow, ...]:
        return tuple(self.rows)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


async def test_a_silence_is_told_once_to_those_who_want_it(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        store = _Fleet(street)
        watch = WatchNotices(store, folder=tmp_path, plans_backup=True, clock=street.clock)  # type: ignore[arg-type]
        for member, kind in (("m02", NoticeKind.SILENT), ("m03", NoticeKind.SILENT), ("m01", NoticeKind.HOMES)):
            await street.store.choose_notice(member, kind, is_on=True, by=member)
        await street.store.choose_notice("m02", NoticeKind.HOMES, is_on=True, by="m02")
        await watch(0)
        assert await street.queue() == [], "the hub has just started: what it missed is arriving"
        street.clock.now_s += SETTLING_S
        for _ in range(3):
            await watch(0)
            street.clock.now_s += 900
        await street.job(server.settings())(0)
        assert sorted(server.recipients) == [["a@example.org"], ["b@example.org"]], "m02 is not on the board"
        store.rows[0] = replace(ROW, last_slot=(START_S - 60_000) // 900)
        await watch(0)
        assert sum(state == "waiting" for _, state, _ in await street.queue()) == 2, "a new silence is told again"
        assert all("http" in str(mail["list-unsubscribe"]) for mail in server.mails)


async def test_trouble_of_the_hub_is_told_once_a_week_while_it_lasts(tmp_path: Path) -> None:
    async with mail_street(tmp_path) as street:
        store = _Fleet(street)
        watch = WatchNotices(store, folder=tmp_path, plans_backup=False, clock=street.clock)  # type: ignore[arg-type]
        await street.store.choose_notice("m01", NoticeKind.HUB, is_on=True, by="m01")
        for _ in range(16):
            await watch(0)
            street.clock.now_s += 86_400
        kinds = [each.about for each in await street.store.notices(since=0, most=99) if "backup" in each.about]
        assert len(kinds) in (3, 4), "sixteen days touch three or four calendar weeks"


async def test_what_a_verification_found_is_told_by_the_process_whose_folder_remembers_it(tmp_path: Path) -> None:
    async with mail_street(tmp_path) as street:
        settings = replace(HUB_SETTINGS, mail=CatchAll().settings())
        await street.store.choose_notice("m01", NoticeKind.HUB, is_on=True, by="m01")
        write_last_verification(tmp_path, LastVerification(START_S, 3))
        note_refused_checkpoint(tmp_path, at=START_S, why="it was cut off")
        jobs = {
            job.name: job
            for job in jobs_of_a_folder(tmp_path, street.store, settings=settings, clock=street.clock)  # type: ignore[arg-type]
        }
        assert "verification" in jobs, "the same process verifies"
        for _ in range(16):
            await jobs["mail about trouble"].run(0)
            street.clock.now_s += 43_200
        told = [each.about for each in await street.store.notices(since=0, most=99)]
    assert sum(about.startswith("verification ") for about in told) == 2, "eight days touch two calendar weeks"
    assert sum(about.startswith("checkpoint ") for about in told) == 1, "once, however long it is shown"


async def test_a_kind_that_was_switched_off_meanwhile_is_not_sent(tmp_path: Path) -> None:
    async with catching() as server, mail_street(tmp_path) as street:
        store = _Fleet(street)
        watch = WatchNotices(store, folder=tmp_path, plans_backup=True, clock=street.clock)  # type: ignore[arg-type]
        await street.store.choose_notice("m02", NoticeKind.SILENT, is_on=True, by="m02")
        street.clock.now_s += SETTLING_S
        await watch(0)
        await street.store.choose_notice("m02", NoticeKind.SILENT, is_on=False, by="m02")
        await street.job(server.settings())(0)
        assert server.mails == []
        assert await street.queue() == [("silent", "dropped", 1)]
