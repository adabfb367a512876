"""What the processes of one hub share in the store: leases, the fence, messages that wait, and guarded writing."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from hub.core.homes.measure_sources import GRID_METER, MeterSource
from hub.storage.contract import Store
from hub.storage.errors import HomesChangedError, LeaseLostError
from hub.storage.jobs.records import Job
from hub.storage.records import AcceptedMessage, Agent, Coop, Home, Member
from hub.storage.shared.records import HomeFacts, HubProcess, Lease, LeaseTable, OutgoingMessage
from hub.storage.sql.connection import Transactions
from hub.storage.sql.shared import guarded
from hub.storage.sql.shared.leases import KEPT_MS
from protocols.quantities import Measure
from tests.hub.sending_home import SendingHome
from tests.hub.storage.backends import OpenBackend

NOW_S = 1_800_000_000.0
ME = HubProcess("me.intake", "intake", "here", 5, 0, wants_shards=True, agents_ms=7)
SILENT_SQL = "UPDATE process SET heard_ms = heard_ms - ? WHERE id = ?"
OTHER = HubProcess("other.intake", "intake", "there", 6, 0)
AGENT, SECOND = (SendingHome("h01") for _ in range(2))


@pytest.fixture
async def store(open_backend: OpenBackend) -> AsyncIterator[Store]:
    opened = await open_backend(now=lambda: NOW_S)
    await opened.set_coop(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    await opened.add_member(Member("m01", "One", "m1@x.org", "en", True, 1), Home("h01", "Home", "m01"))
    await add(opened, AGENT)
    await add(opened, SECOND, is_further=True)
    yield opened
    await opened.close()


async def add(store: Store, home: SendingHome, *, is_further: bool = False) -> None:
    token = home.public_key
    await store.add_invite(token, home_id="h01", expires_at=2**40, is_further=is_further)
    assert await store.redeem_invite(token, agent=Agent(home.agent, "", 3, token, 1, None), now=1) is None


def takes(*names: str, me: HubProcess = ME) -> object:
    def decide(table: LeaseTable) -> Sequence[Lease]:
        tokens = {name: lease.token for name, lease in table.leases.items()}
        return [Lease(name, me.id, tokens.get(name, 0) + 1, table.now_ms + 10_000) for name in names]

    return decide


async def take(store: Store, *names: str, me: HubProcess = ME) -> LeaseTable:
    return await store.take_turn(me, takes(*names, me=me))  # type: ignore[arg-type]


def message(seq: int = 1, **more: object) -> AcceptedMessage:
    plain = AcceptedMessage(
        *(AGENT.agent, "h01", 1, seq, "batch", seq.to_bytes(32), b"s", 1, 9, (), (), (), None, None, None, None)
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def source(home: SendingHome = AGENT, *, seat: int = 1, first_slot: int = 4) -> MeterSource:
    return MeterSource("h01", GRID_METER, home.agent, seat, first_slot, 5)


async def test_a_turn_is_seen_by_everybody_after_it(store: Store) -> None:
    table = await take(store, "shard 01", "shard 02")
    later = await store.lease_table()
    assert {name: (lease.holder, lease.token) for name, lease in later.leases.items()} == {
        "shard 01": (ME.id, 1),
        "shard 02": (ME.id, 1),
    }
    assert later.leases == table.leases
    assert later.processes == (replace(ME, heard_ms=table.now_ms),)
    assert later.now_ms >= table.now_ms > 1_600_000_000_000, "by the database's own clock"


async def test_who_leaves_gives_back_and_is_forgotten_with_its_tokens_kept(store: Store) -> None:
    await take(store, "shard 01")
    await take(store, "timetable", me=OTHER)
    await store.leave(ME.id)
    table = await store.lease_table()
    assert [each.id for each in table.processes] == [OTHER.id]
    assert table.leases["shard 01"] == Lease("shard 01", "", 1, 0)
    assert table.leases["timetable"].holder == OTHER.id


async def test_a_fenced_write_is_made_while_every_lease_is_held_and_never_after(store: Store) -> None:
    await take(store, "shard 01", "shard 02")
    fenced = store.fenced(holder=ME.id, held=lambda: {"shard 01": 1, "shard 02": 1})
    await fenced.put_job(Job("one", 1, None, ""))
    await take(store, "shard 02", me=OTHER)
    with pytest.raises(LeaseLostError) as lost:
        await fenced.put_job(Job("two", 1, None, ""))
    assert lost.value.names == {"shard 02"}
    assert [job.name for job in await fenced.jobs()] == ["one"], "what it reads is what everybody reads"
    await take(store, "shard 02")
    with pytest.raises(LeaseLostError):
        await fenced.put_job(Job("two", 1, None, ""))  # it has the lease again, but under another token


async def test_what_a_process_says_of_itself_is_kept_until_it_is_gone(store: Store) -> None:
    await take(store)
    await store.note_process_facts(ME.id, '{"a": 1}')
    await store.note_process_facts("nobody", "{}")
    now_ms, (report,) = await store.process_reports()
    assert (report.process.id, report.facts) == (ME.id, '{"a": 1}')
    assert 0 <= now_ms - report.process.heard_ms < 3_600_000
    await take(store)
    assert (await store.process_reports())[1][0].facts == '{"a": 1}', "a later turn leaves it as it is"


async def test_a_process_that_was_not_heard_for_an_hour_is_forgotten(store: Store) -> None:
    assert isinstance(store, Transactions)
    processes = [replace(ME, id=name) for name in ("gone", "silent", "me")]
    for each, silent_ms in zip(processes, (KEPT_MS + 60_000, KEPT_MS - 60_000, 0), strict=True):
        await take(store, me=each)
        lines = [(silent_ms, each.id)]
        await store.write(lambda db, lines=lines: db.executemany(SILENT_SQL, lines))  # type: ignore[misc]
    table = await take(store, me=processes[2])
    assert {each.id for each in table.processes} == {"silent", "me"}


async def test_messages_wait_by_shard_in_order_until_they_are_forgotten(store: Store) -> None:
    sent = [OutgoingMessage(f"m{number}", number % 2, f"topic/{number}", b"sealed") for number in range(5)]
    for each in sent:
        await store.put_outgoing([each])
    await store.put_outgoing(sent[:2])  # the answer was lost, and they are put again
    _, found = await store.outgoing([0], limit=2)
    assert [each.id for each in found] == ["m0", "m2"]
    assert [each.topic for each in (await store.outgoing([0, 1], limit=9))[1]] == [each.topic for each in sent]
    await store.forget_outgoing(["m0", "m1", "m9"])
    assert [each.id for each in (await store.outgoing([0, 1], limit=9))[1]] == ["m2", "m3", "m4"]
    assert (await store.outgoing([], limit=9))[1] == ()
    assert isinstance(store, Transactions)
    await store.write(lambda db: db.execute("UPDATE outgoing SET made_ms = made_ms - 60000 WHERE id = 'm4'"))
    assert [each.id for each in (await store.outgoing([0, 1], limit=9))[1]] == ["m4", "m2", "m3"], "the oldest first"


async def test_messages_are_stored_while_what_they_were_judged_by_holds(store: Store) -> None:
    working = {1: None, 2: None}
    await store.store_messages_if([message(1, sources=(source(),))], assumed={"h01": HomeFacts({}, {}, working)})
    brought = {Measure.GRID_IMPORT: (AGENT.agent, 4)}
    await store.store_messages_if([message(2)], assumed={"h01": HomeFacts(brought, {}, working)})
    consented = message(3, consent=b"document", consent_version=6, kind="consent")
    await store.store_messages_if([consented], assumed={})
    for held in (
        HomeFacts({}, {1: 6}, working),
        HomeFacts({Measure.GRID_IMPORT: (SECOND.agent, 4)}, {1: 6}, working),
        HomeFacts(brought, {}, working),
        HomeFacts(brought, {1: 5}, working),
        HomeFacts(brought, {1: 6}, {1: None}),
        HomeFacts(brought, {1: 6}, {1: 10, 2: None}),
    ):
        with pytest.raises(HomesChangedError) as changed:
            await store.store_messages_if([message(4)], assumed={"h01": held})
        assert changed.value.homes == {"h01"}
    await store.store_messages_if([message(4)], assumed={"h01": HomeFacts(brought, {1: 6}, working)})
    assert (await store.chain_heads())[AGENT.agent].seq == 4


async def test_nothing_of_an_agent_that_is_shut_out_is_stored(store: Store) -> None:
    await store.store_messages_if([message(1)], assumed={})
    await store.add_invite(b"new".ljust(32), home_id="h01", expires_at=2**40, replaces=AGENT.agent)
    third = SendingHome("h01")
    taken = await store.redeem_invite(
        b"new".ljust(32), agent=Agent(third.agent, "", 3, third.public_key, 1, None), now=9
    )
    assert taken is None
    with pytest.raises(HomesChangedError):
        await store.store_messages_if([message(2)], assumed={})
    vacant = HomeFacts({}, {}, {1: None, 2: None})
    newer = message(1, agent=third.agent)
    await store.store_messages_if([newer], assumed={"h01": vacant})  # its seat works: the new agent has it
    assert (await store.chain_heads()).keys() == {AGENT.agent, third.agent}


async def test_of_many_agents_and_homes_each_is_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "AT_ONCE", 1)
    await store.add_member(Member("m02", "Two", "m2@x.org", "en", False, 1), Home("h02", "Home", "m02"))
    await store.store_messages_if([message(1), message(1, agent=SECOND.agent, hash=b"2".ljust(32))], assumed={})
    held = {"h01": HomeFacts({}, {}, {1: None, 2: None}), "h02": HomeFacts({}, {}, {})}
    for home in held:
        with pytest.raises(HomesChangedError) as changed:
            await store.store_messages_if([message(2)], assumed=held | {home: HomeFacts({}, {9: 9}, {})})
        assert changed.value.homes == {home}
    assert await store.revoke_agent(SECOND.agent, by="m01", reason="lost") is None
    with pytest.raises(HomesChangedError):
        await store.store_messages_if([message(2), message(2, agent=SECOND.agent, hash=b"3".ljust(32))], assumed={})
    sent_through = HomeFacts({}, {}, {1: None, 2: 10})
    await store.store_messages_if([message(2)], assumed={"h01": sent_through})  # its seat is vacant from slot 10 on
