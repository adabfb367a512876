"""A member moves out and another moves in: nothing is taken after the last day, and nothing passes to the successor."""

from pathlib import Path

from hub.moving_out.leavers import LATE_READINGS_S, LeaversJob
from hub.storage.records import Access
from hub.storage.sqlite.store import SqliteStore
from protocols.consent.rules import default_consent
from protocols.quantities import Measure
from protocols.slots import start_of
from tests.hub.intake.test_receiver import bench_on
from tests.hub.sending_home import FIRST_SLOT, SendingHome, open_store

LOOK = Access("m01", "self", "own.view")
LAST = FIRST_SLOT + 2


async def left_street(folder: Path, home: SendingHome) -> SqliteStore:
    """m01's home sends; m01 moves out after two slots; m02 is on the board."""
    store = await open_store(folder, [home, SendingHome("h02")])
    await store.set_board("m02", is_board=True)
    assert await store.set_left("m01", start_of(LAST), last_day="2026-10-01", by="m02") is None
    return store


async def test_late_readings_of_the_membership_are_taken_and_later_ones_are_not(tmp_path: Path) -> None:
    home = SendingHome("h01")
    store = await left_street(tmp_path, home)
    bench = bench_on(store)
    await bench.receive(home.batch(FIRST_SLOT), home.batch(FIRST_SLOT + 1), home.batch(LAST), home.batch(LAST + 1))
    series = await store.home_series("h01", [Measure.GRID_IMPORT], slots=range(FIRST_SLOT, LAST + 2), access=LOOK)
    values = series[Measure.GRID_IMPORT].energy_wh.tolist()
    assert values[0] >= 0
    assert values[1] >= 0
    assert values[2:] == [-1, -1]
    (refusal,) = await store.refusals()
    assert (refusal.reason, refusal.count) == ("outside_consent", 2)
    assert refusal.detail == "the membership ended before this quarter hour"
    await store.close()


async def test_the_agent_is_shut_out_by_night_once_late_readings_had_their_time(tmp_path: Path) -> None:
    home = SendingHome("h01")
    store = await left_street(tmp_path, home)
    await LeaversJob(store)(start_of(LAST) + LATE_READINGS_S)
    assert [agent.revoked_at for agent in await store.agents() if agent.home_id == "h01"] == [None]
    for _ in range(2):
        await LeaversJob(store)(start_of(LAST) + LATE_READINGS_S + 1)
    assert [agent.revoked_at is None for agent in await store.agents() if agent.home_id == "h01"] == [False]
    assert [agent.revoked_at for agent in await store.agents() if agent.home_id == "h02"] == [None]
    lines = [(each.kind, each.subject, each.by, each.reason) for each in await store.member_changes()]
    assert lines[-1] == ("agent revoked", home.agent, "", "the membership has ended")
    assert sum(line[0] == "agent revoked" for line in lines) == 1
    await store.close()


async def test_consents_and_the_fleet_end_with_the_membership(tmp_path: Path) -> None:
    home = SendingHome("h01")
    store = await left_street(tmp_path, home)
    bench = bench_on(store)
    await bench.receive(home.consent(default_consent("h01")))
    assert set(await store.consents()) == {"h01"}
    assert set(await store.consents(lasting_at=start_of(LAST) - 1)) == {"h01"}
    assert await store.consents(lasting_at=start_of(LAST)) == {}
    assert [row.home for row in await store.fleet(slots=range(LAST - 1, LAST + 1))] == ["h01", "h02"]
    assert [row.home for row in await store.fleet(slots=range(LAST, LAST + 1))] == ["h02"]
    await store.close()
