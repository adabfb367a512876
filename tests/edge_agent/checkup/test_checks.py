"""Single checks that a whole household cannot show here: a full disk, a held port, an ending certificate."""

import os
import ssl
from collections import namedtuple
from decimal import Decimal
from pathlib import Path

import pytest

from edge_agent.checkup import computer, reach
from edge_agent.checkup.computer import RELEASE_S, check_clock, check_disk
from edge_agent.checkup.devices import advice_for, check_serial
from edge_agent.checkup.reach import check_certificate
from edge_agent.checkup.records import check_outbox
from edge_agent.outbox.view import OutboxOverview
from edge_agent.sections.broker_values import BrokerValues, ValueTopic
from edge_agent.settings import DeviceSettings, Endpoint
from edge_agent.status_text import span_words
from protocols.enrolment.certificates import Validity

NOW_S = 1_800_000_000.0
Disk = namedtuple("Disk", "f_bavail f_frsize f_flag")


def words_of(results: object) -> str:
    assert isinstance(results, list)
    return "; ".join(f"{each.state} {each.words} {each.advice}" for each in results)


@pytest.mark.parametrize(("free_mb", "state"), [(50, "wrong"), (300, "note"), (5000, "ok")])
def test_room_on_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_mb: int, state: str) -> None:
    monkeypatch.setattr(computer.os, "statvfs", lambda _path: Disk(free_mb << 8, 4096, 0))
    results = check_disk(tmp_path / "not" / "made" / "yet")
    assert [each.state for each in results] == [state]


def test_a_disk_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(computer.os, "statvfs", lambda _path: Disk(1 << 30, 4096, os.ST_RDONLY))
    assert "replace the card" in words_of(check_disk(tmp_path))
    monkeypatch.undo()
    monkeypatch.setattr(computer.os, "access", lambda *_: False)
    assert "run this with sudo" in words_of(check_disk(tmp_path))


def test_a_clock_of_1970() -> None:
    assert "before this program was made" in check_clock(lambda: True, now_s=1000.0).words


def test_without_a_time_service_a_running_agent_goes_by_the_hubs_time() -> None:
    assert check_clock(lambda: False, now_s=RELEASE_S + 1).state == "wrong"
    carried = check_clock(lambda: False, now_s=RELEASE_S + 1, is_carried=True)
    assert (carried.state, "hub's signed time" in carried.words) == ("note", True)


def test_a_meter_that_is_not_asked_gets_other_advice_than_modbus() -> None:
    told = BrokerValues((ValueTopic("import", "home/in", Decimal(1000)),))
    told_by: dict[str, tuple[Endpoint, BrokerValues | None]] = {
        "mqtt-meter": (Endpoint("mqtt", "pi", 1883), told),
        "p1-dsmr": (Endpoint("p1", path="/dev/x"), None),
    }
    devices = {
        family: DeviceSettings("m", family, ("grid",), where, 1, "as_documented", False, 9, None, values=values)
        for family, (where, values) in told_by.items()
    }
    for each in devices.values():
        assert "Modbus" not in advice_for(each, 1)
        assert "--device m" in advice_for(each, 1)
    assert "home/in" in advice_for(devices["mqtt-meter"], 1)
    assert "port is switched on" in advice_for(devices["p1-dsmr"], 1)


def test_ages_in_one_unit() -> None:
    assert [span_words(each) for each in (5, 60, 7300, 86400, 3e5)] == [
        "less than a minute", "1 minute", "2 hours", "1 day", "3 days",
    ]  # fmt: skip


def test_a_port_that_may_not_be_opened_or_is_held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    endpoint = Endpoint("rtu", path=str(port))
    held = [(71, "evcc")]
    assert "evcc (process 71)" in words_of(check_serial(endpoint, holders=lambda _: held, is_agent_up=False))
    agent = [(70, "commonwatt-agen")]
    assert "also open" not in words_of(check_serial(endpoint, holders=lambda _: agent, is_agent_up=True))
    both = words_of(check_serial(endpoint, holders=lambda _: [*agent, *held], is_agent_up=True))
    assert "also open in evcc (process 71)" in both
    assert "by-id" in both, "ttyUSB0 may be another after a restart"
    monkeypatch.setattr("edge_agent.checkup.devices.os.access", lambda *_: False)
    assert "usermod -aG" in words_of(check_serial(endpoint, holders=lambda _: [], is_agent_up=False))


class Held:
    """TLS files with this validity."""

    def __init__(self, validity: Validity | None) -> None:
        self.validity = lambda: validity


@pytest.mark.parametrize(
    ("days_left", "state"), [(-1, "wrong"), (1, "note"), (20, "ok"), (None, "wrong")]
)  # fmt: skip
def test_how_long_the_certificate_is_good(days_left: int | None, state: str) -> None:
    validity = None if days_left is None else Validity(int(NOW_S) - 30 * 86400, int(NOW_S) + days_left * 86400)
    (found,) = check_certificate(Held(validity), now_s=NOW_S)  # type: ignore[arg-type]
    assert found.state == state
    assert check_certificate(None, now_s=NOW_S) == []


def test_what_can_be_wrong_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_with(cause: Exception) -> str:
        def context() -> ssl.SSLContext | None:
            raise cause

        found = reach._reached("broker", "hub.example", 8883, context=context)
        assert found.state == "wrong"
        assert found.advice
        return found.words

    assert "cannot be reached: no answer in time" in fails_with(TimeoutError())
    assert "no certificate fits" in fails_with(ValueError("no certificate fits"))
    assert "does not speak TLS" in fails_with(ssl.SSLError("x"))


def test_an_outbox_that_fills_or_was_refused() -> None:
    full = OutboxOverview(10, 0, 2, 3, 60 << 20, ())
    words = words_of(check_outbox(full, max_mb=64, oldest_waiting_s=None))
    assert "ok 10 of 10 kept messages" in words
    assert "refused 2 messages" in words
    assert "60 of 64 MB" in words
    assert "3 old messages were deleted early" in words
