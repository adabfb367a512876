"""Workers that are killed while they send: nothing is lost, and what may come twice is what they were in doubt of."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from hub.books.days import settle_day
from hub.processes.roles.outgoing import StoredOutgoing
from hub.storage.jobs.queue import QueuedJob, Standing
from hub.storage.notice_records import NewNotice, NoticeKind, NoticeState
from hub.storage.postgres.store import PostgresStore
from protocols.wire.credits.notices import CreditsNotice, decode_credits
from protocols.wire.envelope import open_sealed
from tests.hub.job_queue.blows import LOST_AFTER_S, end, is_struck, struck
from tests.hub.job_queue.struck_worker import credit_notices, mail
from tests.hub.job_queue.workshop import Workshop, until_true
from tests.hub.notices.catch_all import CatchAll, catching
from tests.hub.settled_street import COOP, KEY, fill_street

DAY: Final = date(2026, 6, 1)
TOLD_S: Final = int(datetime(2026, 6, 2, 0, 50, tzinfo=ZoneInfo(COOP.tz)).timestamp())
HOMES: Final = 6
MAILS: Final = 16
RETRY_S: Final = 4 * 3600
"""After so long every mail in doubt may be tried again."""

KILLS: Final = 8


async def struck_in(workshop: Workshop, job: QueuedJob, *, at: int, before: bool, **told: object) -> bool:
    """Have a worker do this job until it kills itself, or the job is done; whether it was killed."""
    queue = await workshop.queue()
    child = await struck(workshop, how="kill", at=at, before=before, job=job.name, **told)

    async def is_over() -> bool:
        return await is_struck(child) or await queue.standing(job) is Standing.GONE

    await until_true(is_over)
    return await end(child)


async def done_by_another(
    workshop: Workshop, job: QueuedJob, work: Callable[[], Awaitable[asyncio.Task[None]]]
) -> None:
    """Have a worker that nothing disturbs do what is left."""
    queue = await workshop.queue()
    whole = await work()

    async def is_over() -> bool:
        return await queue.standing(job) is Standing.GONE

    await until_true(is_over)
    whole.cancel()
    await asyncio.gather(whole, return_exceptions=True)


async def with_mails(workshop: Workshop, count: int) -> PostgresStore:
    """A store in which so many mails wait, each for another member."""
    store = await workshop.store()
    await fill_street(store, homes=count)  # type: ignore[arg-type]
    members = [f"m{number:02d}" for number in range(1, count + 1)]
    for member in members:
        await store.choose_notice(member, NoticeKind.STATEMENT, is_on=True, by=member)
    until_s, facts = workshop.time.now_s + 90 * 86_400, {"month": "2026-05", "kind": "first"}
    await store.add_notices([NewNotice(NoticeKind.STATEMENT, each, "run", until_s, facts) for each in members])
    return store


async def assert_sent(store: PostgresStore, server: CatchAll, *, killed: int) -> None:
    """Everything is sent; again only what was tried again, under the same name, and that once a kill at most."""
    notices = await store.notices(since=0, most=1_000)
    assert {each.state for each in notices} == {NoticeState.SENT}
    came = Counter(str(mail["Message-ID"]).partition("@")[0] for mail in server.mails)
    tries = {f"<{COOP.id}.{each.id}.{each.made_at}": each.tries for each in notices}
    assert came.keys() == tries.keys()
    assert all(came[name] <= tries[name] for name in tries)
    assert sum(tries.values()) <= len(notices) + killed


async def test_a_mail_of_which_a_killed_worker_did_not_say_that_it_went_comes_once_more(workshop: Workshop) -> None:
    async with catching() as server:
        store = await with_mails(workshop, 3)
        queue, job = await workshop.queue(), QueuedJob("mail", workshop.time.now_s, 0)
        await queue.put(job, lane="only mail")
        # Its writes: it runs, old notices go, the first mail is tried; then that mail is taken.
        assert await struck_in(workshop, job, at=4, before=True, port=server.port)
        assert len(server.mails) == 1
        workshop.time.move(job.due_s + RETRY_S)
        work = lambda: workshop.worker([mail(store, server.port, workshop.time.clock)], lost_after_s=LOST_AFTER_S)  # noqa: E731
        await done_by_another(workshop, job, work)
        await assert_sent(store, server, killed=1)
        assert len(server.mails) == 4
        assert server.mails[0]["Message-ID"] == server.mails[1]["Message-ID"]


@pytest.mark.campaign
@pytest.mark.timeout(600)
async def test_whoever_is_killed_among_the_mails_each_reaches_its_member(workshop: Workshop) -> None:
    dice, killed = random.Random(20_261_201), 0
    async with catching() as server:
        store = await with_mails(workshop, MAILS)
        queue = await workshop.queue()
        while True:
            job = QueuedJob("mail", workshop.time.now_s, 0)
            await queue.put(job, lane="only mail")
            if killed >= KILLS:
                break
            at, before = dice.randint(3, 8), dice.random() < 0.5
            killed += await struck_in(workshop, job, at=at, before=before, port=server.port)
            workshop.time.move(workshop.time.now_s + RETRY_S)
        work = lambda: workshop.worker([mail(store, server.port, workshop.time.clock)], lost_after_s=LOST_AFTER_S)  # noqa: E731
        await done_by_another(workshop, job, work)
        await assert_sent(store, server, killed=killed)


async def with_credits(workshop: Workshop) -> PostgresStore:
    """A store with one settled day."""
    store = await workshop.store()
    street = await fill_street(store, homes=HOMES)  # type: ignore[arg-type]
    await street.arrive_days([DAY])
    await settle_day(store, day=DAY, made_at=TOLD_S, key=KEY)
    workshop.time.move(TOLD_S)
    return store


async def told_of(store: PostgresStore) -> list[CreditsNotice]:
    """Every notice that waits to be sent, each opened with the hub's key."""
    _, waiting = await store.outgoing(range(64), limit=1_000)
    return [decode_credits(open_sealed(each.sealed, each.topic, KEY.public_key())) for each in waiting]


async def told_by_another(workshop: Workshop, store: PostgresStore, job: QueuedJob) -> None:
    outgoing = StoredOutgoing(store)
    planned = [credit_notices(store, outgoing, workshop.time.clock)]
    work = lambda: workshop.worker(planned, lost_after_s=LOST_AFTER_S, after=outgoing.flush)  # noqa: E731
    await done_by_another(workshop, job, work)


@pytest.mark.parametrize(("before", "times"), [(True, 1), (False, 2)])
async def test_credits_of_which_a_killed_worker_told_are_told_again_and_say_the_same(
    workshop: Workshop, before: bool, times: int
) -> None:
    store = await with_credits(workshop)
    queue, job = await workshop.queue(), QueuedJob("credits", TOLD_S, 0)
    await queue.put(job, lane="settled")
    # Its writes: it runs, each home's log has a line, the day's group is fixed, and all notices are stored at once.
    assert await struck_in(workshop, job, at=4, before=before)
    assert len(await told_of(store)) == (0 if before else HOMES)
    await told_by_another(workshop, store, job)
    await assert_told(store, most=times)


async def assert_told(store: PostgresStore, *, most: int) -> None:
    told = await told_of(store)
    assert Counter(each.agent for each in told).keys() == {f"a-{number:02d}" for number in range(1, HOMES + 1)}
    assert max(Counter(each.agent for each in told).values()) == most
    assert len({(each.agent, each.days) for each in told}) == HOMES, "a notice that came again says something else"


@pytest.mark.campaign
@pytest.mark.timeout(600)
async def test_whoever_is_killed_while_credits_are_told_every_home_hears_of_its_own(workshop: Workshop) -> None:
    dice, killed = random.Random(20_261_202), 0
    store = await with_credits(workshop)
    queue, job = await workshop.queue(), QueuedJob("credits", TOLD_S, 0)
    await queue.put(job, lane="settled")
    for blow in range(KILLS):
        # The first blows fall before the notices are stored; the group of the day is fixed once.
        at, before = (dice.randint(1, 2), True) if blow < KILLS // 2 else (dice.randint(1, 4), dice.random() < 0.5)
        killed += await struck_in(workshop, job, at=at, before=before)
    await told_by_another(workshop, store, job)
    told = Counter(each.agent for each in await told_of(store))
    assert killed >= KILLS // 2
    await assert_told(store, most=max(told.values()))
    assert max(told.values()) <= killed + 1
