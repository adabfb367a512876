"""The board hears of what needs a hand: each source with trouble, and none without."""

import shutil
from pathlib import Path

import pytest

from hub.backups.last_backup import LastBackup, write_last_backup
from hub.notices.alerts import Surroundings, home_alerts, hub_alerts, is_street_silent
from hub.storage.fleet_records import AgentClock, FleetRow
from hub.storage.jobs.records import Job
from protocols.slots import SLOT_S

NOW_S = 1_790_000_100


def home(number: int, *, silent_h: float = 0.1, ahead_s: int = 0) -> FleetRow:
    agent, last = f"a{number}", int(NOW_S - silent_h * 3600) // SLOT_S - 1
    clock = AgentClock(agent, NOW_S, ahead_s, "held")
    return FleetRow(f"h{number}", f"House {number}", agent, last, NOW_S, 1, 1, 9, (), (), (), clock=clock)


def said(fleet: list[FleetRow]) -> list[tuple[str, str]]:
    return [(each.facts["what"], each.facts.get("home", "")) for each in home_alerts(fleet, now_s=NOW_S)]


def test_a_silent_home_and_a_wrong_clock_are_told_and_a_short_silence_is_not() -> None:
    assert said([home(1), home(2, silent_h=5.5), home(3, ahead_s=-119)]) == []
    assert said([home(1), home(2, silent_h=6.5), home(3, ahead_s=-121)]) == [
        ("silent", "House 2"),
        ("clock", "House 3"),
    ]


def test_the_same_silence_has_one_name_and_a_new_one_another() -> None:
    (first,), (second,) = (home_alerts([home(1, silent_h=hours)], now_s=NOW_S) for hours in (6.5, 9))
    (later,) = home_alerts([home(1, silent_h=6.5)], now_s=NOW_S + 3600)
    assert first.key == later.key != second.key
    assert first.is_once


def test_most_homes_at_once_are_one_alert() -> None:
    fleet = [home(n, silent_h=7) for n in range(1, 5)] + [home(9)]
    assert is_street_silent(fleet, now_s=NOW_S)
    assert said(fleet) == [("street", "")]
    assert not is_street_silent(fleet[:2], now_s=NOW_S), "two homes can be silent by chance"


def test_a_new_hub_in_order_has_no_trouble_and_each_trouble_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage(tmp_path))
    fails = Job("forecast", NOW_S, NOW_S - 1900, "home h01 used 4711 Wh: no worker")
    fine = [Job("weather", NOW_S, NOW_S - 9000, ""), Job("prompts", NOW_S, NOW_S - 100, "just now")]
    write_last_backup(tmp_path, LastBackup(made_at=NOW_S - 3600, place="/backup", name="b"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 90, 10))
    assert hub_alerts(Surroundings(tmp_path, NOW_S, fine, plans_backup=True)) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1000, 901, 99))
    write_last_backup(tmp_path, LastBackup(made_at=NOW_S - 9 * 86_400, place="/backup", name="b"))
    found = hub_alerts(Surroundings(tmp_path, NOW_S, [*fine, fails], plans_backup=True))
    assert [each.key for each in found] == ["disk", "job forecast", "backup"]
    assert "4711" not in str(found), "an error may name what a home used: it stays on the hub"
