"""The Jobs page says which jobs failed, wait and run, where, and what was done in a day; to the board alone."""

import re

from hub.storage.jobs.records import Job, JobRun
from hub.storage.sqlite.store import SqliteStore
from tests.hub.web.conftest import SignIn


async def test_the_board_sees_which_jobs_failed_wait_and_run_and_where(sign_in: SignIn, store: SqliteStore) -> None:
    browser = await sign_in("m01")
    now_s = int((await browser.get("/board/health.json")).json()["now_s"])
    failed = JobRun("settlement", now_s - 900, now_s - 60, now_s - 50, "worker on here, a1b2", "the disk is <full>")
    await store.put_job(Job("settlement", now_s + 70, now_s - 900, "the disk is <full>"), run=failed)
    await store.put_job(Job("forecast", now_s - 10, now_s - 3610, ""))
    await store.put_job(Job("weather", now_s - 20, now_s - 3620, ""))
    await store.put_job(Job("of an earlier version", now_s - 90_000, now_s - 93_600, ""))
    await store.begin_job_run(JobRun("weather", now_s - 20, now_s - 19, None, "worker on there, c3d4", ""))
    page = (await browser.get("/board/jobs")).text
    assert "<h1>1 job has failed</h1>" in page
    assert "the disk is &lt;full&gt;" in page
    assert re.search(r'href="/board/health">[^<]+</a> · <a href="/board/jobs.json"', page), "two links, not one"
    sections = dict(re.findall(r'aria-labelledby="(\w+)">(.*?)</section>', page, re.DOTALL))
    assert "settlement" in sections["failed"]
    assert "worker on here, a1b2" in sections["failed"]
    assert "weather" in sections["running"]
    assert "worker on there, c3d4" in sections["running"]
    assert "forecast" in sections["waiting"]
    assert "weather" not in sections["waiting"]
    assert all(name in sections["day"] for name in ("settlement", "forecast", "weather"))
    assert "of an earlier version" not in page, "nothing plans it any more, so it does not wait"
    told = {job["job"]: job["state"] for job in (await browser.get("/board/jobs.json")).json()["jobs"]}
    assert (told["settlement"], told["weather"], told["forecast"]) == ("failed", "running", "waiting")


async def test_only_the_board_sees_the_jobs(sign_in: SignIn) -> None:
    browser = await sign_in("m02")
    for path in ("/board/jobs", "/board/jobs.json"):
        assert (await browser.get(path)).status_code == 403
