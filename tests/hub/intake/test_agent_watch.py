"""A change that another program makes to the agents is noticed by the next look."""

from collections.abc import Callable
from pathlib import Path

from hub.intake.agent_watch import AgentWatch
from hub.storage.life_records import MemberEdit
from tests.hub.intake.test_receiver import bench_on
from tests.hub.sending_home import SendingHome, open_store


async def test_a_revocation_by_a_command_is_in_force_after_the_next_look(tmp_path: Path) -> None:
    home = SendingHome("h01")
    running = await open_store(tmp_path, [home])
    await running.set_board("m01", is_board=True)
    bench = bench_on(running)
    looks = AgentWatch(running, changed=bench.intake.agents_changed)
    await looks.look()
    await bench.receive(home.batch())
    command = await type(running).open(tmp_path / "hub.sqlite", now=lambda: 1.0)
    assert await command.revoke_agent(home.agent, by="m01", reason="the Pi was stolen") is None
    await command.close()
    await bench.receive(home.batch())
    assert await running.message_count() == 2, "the intake had read the agents just before"
    await looks.look()
    await bench.receive(home.batch())
    assert await running.message_count() == 2
    assert [(row.agent, row.reason) for row in await running.refusals()] == [(home.agent, "revoked")]
    await running.close()


async def test_a_look_without_a_change_tells_nobody_and_a_failed_one_tells_again(tmp_path: Path) -> None:
    told: list[int] = []

    async def changed() -> None:
        told.append(1)
        if len(told) == 1:
            raise OSError

    store = await open_store(tmp_path, [SendingHome("h01")])
    looks = AgentWatch(store, changed=changed)
    await looks.look()
    await store.set_board("m01", is_board=True)
    await store.edit_member("m01", MemberEdit(name="New"), by="m01")
    await looks.look()
    assert told == []
    (agent,) = await store.agents()
    await store.revoke_agent(agent.id, by="m01", reason="why")
    for _ in range(2):
        try:
            await looks.look()
        except OSError:
            continue
    await looks.look()
    assert len(told) == 2
    await store.close()


async def test_a_new_worker_says_that_it_knows_the_agents_only_after_it_has_read_them(tmp_path: Path) -> None:
    done: list[str] = []

    async def changed() -> None:
        done.append("read")

    def looks() -> Callable[[bool], None]:
        return lambda is_news: done.append(f"told {is_news}")

    store = await open_store(tmp_path, [SendingHome("h01")])
    watch = AgentWatch(store, changed=changed, looks=looks)
    await watch.look()
    await watch.look()
    assert done == ["read", "told True", "told False"]
    await store.close()
