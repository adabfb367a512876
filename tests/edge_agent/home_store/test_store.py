"""The home's own history: what is kept comes back, for so long; a damaged file is set aside."""

import os
import sqlite3
from pathlib import Path

import pytest

from edge_agent.home_store.contents import KeptQuarter, KeptRowError, decode_minutes, decode_quarter
from edge_agent.home_store.recent import FILE_NAME as RECENT
from edge_agent.home_store.recent import read_recent
from edge_agent.home_store.store import FILE_NAME, KEPT_MINUTE_SLOTS, KEPT_SLOTS, MOVED_AT, HomeStore, HomeStoreError
from edge_agent.home_store.view import kept_slots, read_minutes, read_quarters
from protocols.consent.reduction import SlotValue
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOTS_PER_UTC_DAY
from protocols.wire.readings import LongInterval

FIRST = 2_000_000
MEANS = (300, 310, None, 290, -40, 0, None, None, 1200, 1200, 1200, 1190, 80, 5, 2)


def quarter(slot: int, energy_wh: int = 125) -> KeptQuarter:
    values = {
        Measure.GRID_IMPORT: SlotValue(energy_wh, Mark.MEASURED),
        Measure.PV_PRODUCTION: SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT),
    }
    return KeptQuarter(slot, values, (LongInterval(Measure.PV_PRODUCTION, slot - 4, 4, 900),), {"meter/grid": MEANS})


def test_what_is_kept_comes_back_whole(tmp_path: Path) -> None:
    store = HomeStore(tmp_path, now_s=0)
    store.keep([quarter(FIRST), quarter(FIRST + 1, 7)])
    (first, second) = read_quarters(tmp_path, range(FIRST, FIRST + 96))
    assert first.values == quarter(FIRST).values
    assert first.totals == quarter(FIRST).totals
    assert second.values[Measure.GRID_IMPORT] == SlotValue(7, Mark.MEASURED)
    assert list(read_minutes(tmp_path, range(FIRST + 1, FIRST + 2))) == [(FIRST + 1, {"meter/grid": MEANS})]
    assert kept_slots(tmp_path) == range(FIRST, FIRST + 2)
    store.close()


def test_a_quarter_hour_measured_again_replaces_the_first(tmp_path: Path) -> None:
    store = HomeStore(tmp_path, now_s=0)
    store.keep([quarter(FIRST, 1)])
    store.close()
    again = HomeStore(tmp_path, now_s=0)
    again.keep([quarter(FIRST, 2)])
    again.close()
    assert [q.values[Measure.GRID_IMPORT].energy_wh for q in read_quarters(tmp_path, range(FIRST, FIRST + 9))] == [2]


def test_values_are_kept_400_days_and_minutes_30(tmp_path: Path) -> None:
    store = HomeStore(tmp_path, now_s=0)
    store.keep([quarter(FIRST - KEPT_SLOTS), quarter(FIRST - KEPT_SLOTS + 1), quarter(FIRST - KEPT_MINUTE_SLOTS)])
    store.keep([quarter(FIRST - KEPT_MINUTE_SLOTS + 1), quarter(FIRST)])
    store.keep([quarter(FIRST)] * MOVED_AT)
    everything = range(FIRST + 1)
    kept = [q.slot for q in read_quarters(tmp_path, everything)]
    assert kept == [FIRST - KEPT_SLOTS + 1, FIRST - KEPT_MINUTE_SLOTS, FIRST - KEPT_MINUTE_SLOTS + 1, FIRST]
    assert [slot for slot, _ in read_minutes(tmp_path, everything)] == [FIRST - KEPT_MINUTE_SLOTS + 1, FIRST]


def test_it_stays_small_whatever_time_passes(tmp_path: Path) -> None:
    store = HomeStore(tmp_path, now_s=0, kept_slots=2 * SLOTS_PER_UTC_DAY, kept_minute_slots=SLOTS_PER_UTC_DAY)
    for first in range(FIRST, FIRST + 20 * SLOTS_PER_UTC_DAY, SLOTS_PER_UTC_DAY):
        store.keep([quarter(slot) for slot in range(first, first + SLOTS_PER_UTC_DAY)])
    store.close()
    assert len(list(read_quarters(tmp_path, range(FIRST * 2)))) <= 3 * SLOTS_PER_UTC_DAY
    assert (tmp_path / FILE_NAME).stat().st_size < 100_000


def test_what_a_clock_that_was_ahead_left_does_not_stay(tmp_path: Path) -> None:
    store = HomeStore(tmp_path, now_s=0)
    store.keep([quarter(FIRST + 90_000)] * MOVED_AT)
    store.keep([quarter(FIRST)] * MOVED_AT)
    assert [q.slot for q in read_quarters(tmp_path, range(FIRST * 2))] == [FIRST]


def test_a_clock_that_is_years_ahead_for_days_does_not_cost_the_history(tmp_path: Path) -> None:
    store = HomeStore(tmp_path, now_s=0)
    whole = range(FIRST, FIRST + 40 * SLOTS_PER_UTC_DAY)
    store.keep([quarter(slot) for slot in whole])
    for day in range(3):
        ahead = FIRST + 3 * KEPT_SLOTS + day * SLOTS_PER_UTC_DAY
        store.keep([quarter(slot) for slot in range(ahead, ahead + SLOTS_PER_UTC_DAY)])
    now = whole.stop
    store.keep([quarter(slot) for slot in range(now, now + SLOTS_PER_UTC_DAY)])
    left = [q.slot for q in read_quarters(tmp_path, range(FIRST * 2))]
    assert left == list(range(FIRST + 6 * SLOTS_PER_UTC_DAY, now + SLOTS_PER_UTC_DAY)), "two days are lost for each"


def test_a_disk_that_takes_only_part_of_a_quarter_hour_costs_only_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = HomeStore(tmp_path, now_s=0)
    store.keep([quarter(FIRST)])
    whole_write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, content: whole_write(descriptor, content[:20]))
        with pytest.raises(HomeStoreError, match="cannot be written"):
            store.keep([quarter(FIRST + 1)])
    store.keep([quarter(FIRST + 2)])
    store.close()
    assert list(read_recent(tmp_path)) == [FIRST, FIRST + 2]


@pytest.mark.parametrize("damage", ["page", "foreign", "text"])
def test_a_damaged_or_foreign_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / FILE_NAME
    store = HomeStore(tmp_path, now_s=0)
    store.keep([quarter(slot) for slot in range(FIRST, FIRST + 200)])
    if damage == "page":
        content = bytearray(path.read_bytes())
        content[2048:6144] = bytes(range(256)) * 16
        path.write_bytes(content)
    elif damage == "text":
        path.write_text("not a database at all, but long enough to look like one" * 40)
    else:
        path.unlink()
        with sqlite3.connect(path) as other:
            other.executescript("PRAGMA application_id = 7; CREATE TABLE quarter (a)")
        other.close()
    again = HomeStore(tmp_path, now_s=1234)
    assert again.aside == tmp_path / f"{FILE_NAME}.damaged-1234"
    assert again.aside.exists()
    again.keep([quarter(FIRST)])
    again.close()
    assert [q.slot for q in read_quarters(tmp_path, range(FIRST + 300))] == [FIRST]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeStoreError, match="cannot be written"):
        HomeStore(tmp_path / "file", now_s=0)


def test_a_home_that_keeps_nothing_yet_has_no_history(tmp_path: Path) -> None:
    assert list(read_quarters(tmp_path, range(FIRST))) == []
    assert kept_slots(tmp_path) == range(0)


def test_a_database_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    store = HomeStore(tmp_path, now_s=0)
    (tmp_path / FILE_NAME).rename(tmp_path / "kept")
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(HomeStoreError, match="cannot be written"):
        store.keep([quarter(FIRST + at) for at in range(MOVED_AT)])
    (tmp_path / FILE_NAME).rmdir()
    (tmp_path / "kept").rename(tmp_path / FILE_NAME)
    store.keep([quarter(FIRST + MOVED_AT)])
    assert kept_slots(tmp_path) == range(FIRST, FIRST + MOVED_AT + 1)
    assert read_recent(tmp_path) == {}


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_end_of_the_log_costs_only_its_last_quarter_hour(tmp_path: Path, cut: int) -> None:
    store = HomeStore(tmp_path, now_s=0)
    store.keep([quarter(FIRST)])
    store.keep([quarter(FIRST + 1)])
    log = tmp_path / RECENT
    log.write_bytes(log.read_bytes()[:-cut])
    again = HomeStore(tmp_path, now_s=0)
    assert kept_slots(tmp_path) == range(FIRST, FIRST + 1)
    again.keep([quarter(FIRST + 2)])
    assert [q.slot for q in read_quarters(tmp_path, range(FIRST, FIRST + 9))] == [FIRST, FIRST + 2]


def test_a_flipped_bit_in_the_log_is_not_believed(tmp_path: Path) -> None:
    HomeStore(tmp_path, now_s=0).keep([quarter(FIRST), quarter(FIRST + 1)])
    log = tmp_path / RECENT
    content = bytearray(log.read_bytes())
    for at in range(len(content)):
        content[at] ^= 4
        log.write_bytes(content)
        assert all(found.values == quarter(slot).values for slot, found in read_recent(tmp_path).items())
        content[at] ^= 4


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xf6", b"\x81\x81\x84\x18\x63\x01\x00\x00", b"\xff" * 9])
def test_a_damaged_row_is_named_not_believed(content: bytes) -> None:
    with pytest.raises(KeptRowError, match="slot 5"):
        decode_quarter(5, content)
    with pytest.raises(KeptRowError, match="slot 5"):
        decode_minutes(5, content)
