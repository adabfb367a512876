"""One process leads and the others stand by, what is for homes waits in the store, and one picture is made of all."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hub.health.facts import HubHealth, IntakeHealth, JobHealth, PartHealth, as_facts
from hub.health.intake_tally import IntakeTally
from hub.intake.homes_link import HomesLink
from hub.intake.leases.leased_link import LeasedLink
from hub.intake.leases.outgoing import AGAIN_S, KEPT_MS, OutgoingSender
from hub.processes.roles import leader, life
from hub.processes.roles.leader import Leader
from hub.processes.roles.life import workers_know_agents
from hub.processes.roles.outgoing import StoredOutgoing
from hub.processes.roles.whole_health import other_processes, whole_figures, with_others
from hub.storage.contract import Store
from hub.storage.errors import LeaseLostError
from hub.storage.jobs.records import Job
from hub.storage.shared.records import HubProcess, ProcessReport
from hub.storage.sqlite.store import SqliteStore
from protocols.wire.topics import downlink_topic
from tests.hub.health.whole_hub import STORED
from tests.hub.intake.leases.two_workers import Worker, let_expire
from tests.hub.sending_home import COOP, SendingHome, open_store

HOME = SendingHome("h01")
TOPIC = downlink_topic(COOP.id, HOME.agent, kind="prompt")
AGE_SQL = "UPDATE outgoing SET made_ms = made_ms - ? WHERE sealed = ?"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_store(tmp_path, [HOME])
    yield opened
    await opened.close()


class Work:
    """What a leader does: it says that it began, and writes when it is told to."""

    def __init__(self) -> None:
        self.began, self.ended = asyncio.Event(), asyncio.Event()
        self.store: Store | None = None

    async def __call__(self, store: Store) -> None:
        self.store = store
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


async def within(waited: Awaitable[object]) -> None:
    await asyncio.wait_for(waited, 30)


async def test_one_leads_and_another_takes_over_from_one_that_is_held_up(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "TURN_S", 0.01)
    first, second = Work(), Work()
    made = [
        Leader(store, HubProcess(name, "timetable", "m", 0, 0), name="timetable", lead=work)
        for name, work in (("a", first), ("b", second))
    ]
    leading = asyncio.create_task(made[0].run())
    await within(first.began.wait())
    standing_by = asyncio.create_task(made[1].run())
    while not {"a", "b"} <= {each.id for each in (await store.lease_table()).processes}:
        await asyncio.sleep(0)
    assert (made[0].leads, made[1].leads) == (True, False)
    assert first.store is not None
    await first.store.put_job(Job("one", 1, None, ""))

    await store.write(lambda db: db.execute("UPDATE lease SET holder = 'b', token = token + 1"))
    with pytest.raises(LeaseLostError):
        await first.store.put_job(Job("two", 1, None, ""))
    await within(second.began.wait())
    await within(first.ended.wait())
    assert second.store is not None
    await second.store.put_job(Job("three", 1, None, ""))
    assert {job.name for job in await store.jobs()} == {"one", "three"}

    first.began.clear()
    standing_by.cancel()
    await asyncio.wait({standing_by})
    await within(first.began.wait())  # the other one left in order: its lease is free at once
    leading.cancel()
    await asyncio.wait({leading})


async def test_what_is_for_homes_waits_until_the_worker_with_their_shard_sends_it(store: SqliteStore) -> None:
    outgoing = StoredOutgoing(store)
    outgoing.publish(TOPIC, b"first")
    outgoing.publish(TOPIC, b"second")
    await outgoing.flush()
    worker, other = Worker("a", store), Worker("b", store)
    await worker.turn()
    senders = {each: sender_of(each, store) for each in (worker, other)}
    await senders[other].look()
    assert other.broker.sent == [], "it has no shard"
    await senders[worker].look()
    assert worker.broker.sent == [(TOPIC, b"first"), (TOPIC, b"second")]
    await senders[worker].look()
    assert len(worker.broker.sent) == 2
    assert len((await store.outgoing(range(64), limit=9))[1]) == 2, "nobody knows yet whether the broker has them"
    worker.broker.take()
    await senders[worker].look()
    assert len(worker.broker.sent) == 2
    assert (await store.outgoing(range(64), limit=9))[1] == ()


async def test_what_no_broker_acknowledges_stays_and_is_sent_again(store: SqliteStore) -> None:
    outgoing = StoredOutgoing(store)
    outgoing.publish(TOPIC, b"prompt")
    await outgoing.flush()
    worker = Worker("a", store)
    await worker.turn()
    sender = sender_of(worker, store)
    await sender.look()
    await stay(worker, seconds=AGAIN_S - 1)
    await sender.look()
    assert worker.broker.sent == [(TOPIC, b"prompt")]
    worker.broker.untaken.clear()  # the broker ended before it had it
    await stay(worker, seconds=1)
    await sender.look()
    assert worker.broker.sent == [(TOPIC, b"prompt")] * 2
    assert len((await store.outgoing(range(64), limit=9))[1]) == 1
    worker.broker.take()
    await sender.look()
    assert (await store.outgoing(range(64), limit=9))[1] == ()
    assert len(worker.broker.sent) == 2


async def test_what_was_not_sent_when_a_shard_was_lost_is_sent_by_the_next_worker(store: SqliteStore) -> None:
    outgoing = StoredOutgoing(store)
    outgoing.publish(TOPIC, b"prompt")
    await outgoing.flush()
    held_up, other = Worker("a", store), Worker("b", store)
    await held_up.turn()
    held_up.steady[0] = 60.0
    await sender_of(held_up, store).look()
    assert held_up.broker.sent == [], "it is not sure of its shards any more"
    await let_expire(store, held_up)
    await other.turn()
    await sender_of(other, store).look()
    assert other.broker.sent == [(TOPIC, b"prompt")]


async def test_what_is_a_day_old_is_not_sent_any_more(store: SqliteStore) -> None:
    outgoing = StoredOutgoing(store)
    for sealed, age_ms in ((b"old", KEPT_MS + 60_000), (b"of yesterday", 23 * 3_600_000)):
        outgoing.publish(TOPIC, sealed)
        await outgoing.flush()
        lines = [(age_ms, sealed)]
        await store.write(lambda db, lines=lines: db.executemany(AGE_SQL, lines))  # type: ignore[misc]
    worker = Worker("a", store)
    await worker.turn()
    sender = sender_of(worker, store)
    await sender.look()
    await sender.look()
    assert worker.broker.sent == [(TOPIC, b"of yesterday")]
    assert [each.sealed for each in (await store.outgoing(range(64), limit=9))[1]] == [b"of yesterday"]


async def test_enrolment_waits_until_every_worker_knows_the_agent(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "KNOWN_LOOK_S", 0.01)
    worker = Worker("a", store)
    await worker.turn()
    waiting = asyncio.create_task(workers_know_agents(store, within_s=30))
    looks: Callable[[bool], None] = worker.shards.looks_at_agents()
    looks(True)
    await worker.turn()
    assert not waiting.done(), "the look was before the question"
    while not waiting.done():
        worker.steady[0] += 0.001
        looks = worker.shards.looks_at_agents()
        looks(True)
        await worker.turn()
    await waiting


async def stay(worker: Worker, *, seconds: float) -> None:
    """Time passes for this worker, which keeps its shards."""
    worker.steady[0] += seconds
    await worker.turn()


def sender_of(worker: Worker, store: SqliteStore) -> OutgoingSender:
    link = HomesLink(LeasedLink(worker.broker, may_tell=worker.shards.may_tell), None)
    return OutgoingSender(store, link=link, shards=worker.shards, steady_s=lambda: worker.steady[0])


def intake(received: int, *, connected: bool = True) -> IntakeHealth:
    tally = IntakeTally(refusals=["revoked"], left=["too_many"])
    tally.received = received
    return tally.health(
        broker_connected=connected,
        broker_connections=1,
        dropped_in=0,
        dropped_out=0,
        waiting=received,
        waiting_most=10,
        has_cut_off=False,
        steady_s=0.0,
    )


def report(name: str, role: str, *, heard_ms: int, **said: object) -> ProcessReport:
    return ProcessReport(HubProcess(name, role, "pi", 0, heard_ms), json.dumps(said))


NOW_MS = 1_000_000
JOBS = (JobHealth("weather", 5, 4, None),)


def test_the_whole_hubs_health_is_put_together_from_every_process() -> None:
    workers = [
        report(
            f"w{n}.intake", "intake", heard_ms=NOW_MS - 1_000,
            health=as_facts(HubHealth(1.0, parts=(PartHealth("intake", is_serving=True),), intake=intake(n + 1))),
            figures={"broker_connected": True, "cpu_s": 2.0, "processes": {"intake": {"pid": n}}},
        )
        for n in range(2)
    ]  # fmt: skip
    leads = report(
        "t.timetable", "timetable", heard_ms=NOW_MS,
        health=as_facts(HubHealth(1.0, jobs=JOBS)),
        figures={"leads": True, "jobs_due": 3, "jobs_done_through_s": 9, "cpu_s": 1.0},
    )  # fmt: skip
    own = report("web.pages", "web", heard_ms=NOW_MS)
    others = other_processes(NOW_MS, [*workers, leads, own], own="web.pages")
    assert len(others) == 3, "the process that asks is not among the others"
    health = with_others(HubHealth(1.0, parts=(PartHealth("hub", is_serving=True),)), others)
    assert health.intake is not None
    assert (health.intake.received, health.intake.waiting_most) == (3, 20)
    assert health.jobs == JOBS
    assert [part.name.partition(",")[0] for part in health.parts] == ["hub", *["intake of intake on pi"] * 2]
    figures = whole_figures({"cpu_s": 0.5}, others)
    assert figures["broker_connected"] is True
    assert (figures["jobs_due"], figures["jobs_done_through_s"], figures["cpu_s"]) == (3, 9, 5.5)


def test_what_is_wrong_with_one_process_is_wrong_with_the_whole_hub() -> None:
    well, unwell = intake(1), replace(intake(2, connected=False), has_cut_off=True, store_problem="the disk is full")
    for own, told in ((well, unwell), (unwell, well)):
        worker = report(
            "w.intake", "intake", heard_ms=NOW_MS,
            health=as_facts(HubHealth(1.0, intake=told)),
            figures={"broker_connected": told.broker_connected},
        )  # fmt: skip
        others = other_processes(NOW_MS, [worker], own="web.pages")
        both = with_others(HubHealth(1.0, intake=own), others).intake
        assert both is not None
        assert (both.broker_connected, both.has_cut_off, both.store_problem) == (False, True, "the disk is full")
        assert whole_figures({"broker_connected": own.broker_connected}, others)["broker_connected"] is False


def test_the_whole_hub_knows_what_the_machine_found_that_verified_last() -> None:
    wrong = {"verification": "of what is stored, one thing does not hold"}
    machine = report(
        "t.timetable", "timetable", heard_ms=NOW_MS,
        health=as_facts(HubHealth(1.0, stored=replace(STORED, verified_at=20, warnings=wrong))),
    )  # fmt: skip
    others = other_processes(NOW_MS, [machine], own="web.pages")
    backup = {"backup": "there is none"}
    for own in (
        replace(STORED, warnings=backup),
        replace(STORED, verified_at=10, warnings={**backup, "verification": "last verified long ago"}),
    ):
        stored = with_others(HubHealth(1.0, stored=own), others).stored
        assert stored == replace(own, verified_at=20, warnings=backup | wrong)
    never = replace(STORED, verified_at=None, warnings=wrong)
    told = report("t.timetable", "timetable", heard_ms=NOW_MS, health=as_facts(HubHealth(1.0, stored=never)))
    stored = with_others(HubHealth(1.0, stored=STORED), other_processes(NOW_MS, [told], own="web.pages")).stored
    assert stored == never, "a checkpoint was refused there, and the verification did not come to its end"
    newer = replace(STORED, verified_at=30)
    assert with_others(HubHealth(1.0, stored=newer), others).stored == newer, "there everything held since"


def test_a_process_that_was_not_heard_is_gone_and_spare_while_others_do_its_work() -> None:
    gone = report("w0.intake", "intake", heard_ms=NOW_MS - 61_000, health=as_facts(HubHealth(1.0, intake=intake(7))))
    (alone,) = with_others(HubHealth(1.0), other_processes(NOW_MS, [gone], own="web.pages")).parts
    assert (alone.is_serving, alone.is_spare, alone.problem) == (False, False, "it was last heard 61 s ago")
    assert alone.role == "intake", "nobody starts it again but who started it"
    living = report("w1.intake", "intake", heard_ms=NOW_MS, health=as_facts(HubHealth(1.0, intake=intake(1))))
    both = with_others(HubHealth(1.0), other_processes(NOW_MS, [gone, living], own="web.pages"))
    assert [part.is_spare for part in both.parts if not part.is_serving] == [True]
    assert both.intake == intake(1), "what a process that is gone said last does not count"


def test_a_process_that_is_gone_is_missed_until_another_came_after_it_or_did_its_work_for_a_while() -> None:
    gone = report("w0.intake", "intake", heard_ms=NOW_MS - 90_000)
    earlier = report("w1.intake", "intake", heard_ms=NOW_MS)
    later = ProcessReport(replace(earlier.process, started_ms=NOW_MS - 80_000), "")
    other_role = ProcessReport(replace(later.process, id="j.worker", role="worker"), "")

    def missed(*reports: ProcessReport, after_s: int = 0) -> bool:
        heard = [ProcessReport(replace(each.process, heard_ms=NOW_MS + after_s * 1000), "") for each in reports]
        return "w0.intake" in {
            each.report.process.id for each in other_processes(NOW_MS + after_s * 1000, [gone, *heard], own="web.pages")
        }

    assert missed()
    assert missed(after_s=3000), "nobody does its work"
    assert missed(other_role, after_s=3000)
    assert missed(earlier), "it was there before: one less than the board started"
    assert not missed(later)
    assert not missed(earlier, after_s=900)


def test_what_another_version_says_of_itself_is_left_out() -> None:
    strange = ProcessReport(HubProcess("w0.intake", "intake", "pi", 0, NOW_MS), '{"health": {"now_s": "x"}}')
    (other,) = other_processes(NOW_MS, [strange], own="web.pages")
    assert (other.health, other.is_gone) == (None, False)
    assert [part.is_serving for part in with_others(HubHealth(1.0), [other]).parts] == [True]


def test_each_worker_counts_for_itself_and_the_dead_ones_count_is_not_taken_from_the_others() -> None:
    def worker(name: str, *, received: int, heard_ms: int, started_ms: int, process: str) -> ProcessReport:
        said = HubHealth(1.0, parts=(PartHealth("intake", is_serving=True),), intake=intake(received), process=process)
        facts = json.dumps({"health": as_facts(said)})
        return ProcessReport(HubProcess(f"{name}.intake", "intake", "pi", started_ms, heard_ms), facts)

    living = worker("a", received=5, heard_ms=NOW_MS, started_ms=0, process="pi-intake-1")
    killed = worker("b", received=7, heard_ms=NOW_MS - 20_000, started_ms=0, process="pi-intake-2")
    others = other_processes(NOW_MS, [living, killed], own="web.pages")
    both = with_others(HubHealth(1.0, process="pi-web-1"), others)
    assert {name: each.received for name, each in both.intakes.items()} == {"pi-intake-1": 5, "pi-intake-2": 7}
    assert {(part.part, part.process) for part in both.parts} == {("intake", "pi-intake-1"), ("intake", "pi-intake-2")}

    successor = worker("0", received=1, heard_ms=NOW_MS, started_ms=9, process="pi-intake-2")
    told = with_others(HubHealth(1.0), other_processes(NOW_MS, [successor, living, killed], own="web.pages"))
    assert {name: each.received for name, each in told.intakes.items()} == {"pi-intake-1": 5, "pi-intake-2": 1}
    gone = other_processes(NOW_MS + 60_000, [killed], own="web.pages")
    assert with_others(HubHealth(1.0), gone).intakes == {}
    assert [(part.part, part.process) for part in with_others(HubHealth(1.0), gone).parts] == [
        ("intake", "pi-intake-2")
    ]
