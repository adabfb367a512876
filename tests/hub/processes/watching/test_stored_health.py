"""What store and folder say: which homes are silent, what was refused, what is wrong with backups and board."""

from pathlib import Path

from hub.folder.first_settings import settings_text
from hub.folder.settings import parse_settings
from hub.health.facts import SILENT_AFTER_S, StoredHealth
from hub.processes.watching.stored_health import stored_health
from hub.storage.records import RefusalCount
from protocols.slots import start_of
from tests.hub.intake.test_receiver import bench_on
from tests.hub.sending_home import COOP, FIRST_SLOT, SendingHome, enrol, open_store

HOMES = [SendingHome(f"h{number:02d}") for number in range(1, 4)]


async def asked(folder: Path, *, after_s: int) -> StoredHealth:
    """The health this long after two of three homes have sent their first slot and one of them a second."""
    homes = [SendingHome(home.home) for home in HOMES]
    store = await open_store(folder, homes)
    try:
        bench = bench_on(store)
        await bench.receive(homes[0].batch(), homes[1].batch())
        await bench.receive(homes[0].batch())
        # A replaced agent of the first home: what it sent long ago makes no home silent.
        await enrol(store, SendingHome("h01"), member="m01")
        await store.count_refusals([RefusalCount(agent, "garbage", 2, 1, "") for agent in ("", homes[0].agent)])
        settings = parse_settings(settings_text(COOP).encode(), name="hub.toml", folder=folder)
        now_s = start_of(FIRST_SLOT + 1) + after_s
        return await stored_health(folder, store, settings=settings, now_s=now_s)
    finally:
        await store.close()


async def test_it_counts_homes_messages_and_refusals(tmp_path: Path) -> None:
    found = await asked(tmp_path, after_s=SILENT_AFTER_S)
    assert (found.messages, found.refused) == (3, {"garbage": 4})
    assert (found.homes, found.silent) == (1, 0)
    assert found.newest_slot_end == start_of(FIRST_SLOT + 2)
    assert 0 < found.disk_free_bytes <= found.disk_bytes
    assert not found.is_on_server
    assert found.store_bytes >= (tmp_path / "hub.sqlite").stat().st_size > 0


async def test_a_home_is_silent_from_two_hours_on(tmp_path: Path) -> None:
    found = await asked(tmp_path, after_s=SILENT_AFTER_S + 1)
    assert (found.homes, found.silent) == (1, 1)


async def test_what_needs_a_hand_is_told_by_its_subject(tmp_path: Path) -> None:
    warnings = (await asked(tmp_path, after_s=0)).warnings
    assert warnings.keys() == {"backup", "board"}
    assert warnings["backup"].startswith("nothing is backed up")
