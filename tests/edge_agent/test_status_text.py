"""What `status` says of each device's last good value, of receipts and of consent."""

from dataclasses import replace
from datetime import date

from edge_agent.outbox.view import OutboxOverview
from edge_agent.settings import DeviceSettings, Endpoint
from edge_agent.status_text import (
    age_lines,
    consent_line,
    credit_lines,
    credit_record,
    first_value_words,
    receipt_line,
    span_words,
    value_ages,
)
from protocols.consent.changes import allow_purpose
from protocols.consent.rules import default_consent
from protocols.slots import slots_of_day
from protocols.wire.credits.notices import CreditDay
from protocols.wire.readings import Batch, ClockTrust, DeviceState, Liveness

NOW_S = 1_800_000_900.0
TZ = "Europe/Berlin"


def device(name: str) -> DeviceSettings:
    endpoint = Endpoint("tcp", host="192.168.1.20", port=502)
    return DeviceSettings(name, "eastron-sdm630", ("grid",), endpoint, 1, "as_documented", False, 15_000, None)


def test_how_old_the_last_good_value_is() -> None:
    states = (DeviceState("meter", Liveness.OK, 3), DeviceState("old", Liveness.SILENT, 7200))
    batch = Batch(
        "a-1", 1, 1, bytes(32), boot=1, clock=ClockTrust.TRUSTED, consent_version=1, made_at=int(NOW_S) - 600,
        slot=2_000_000, columns=(), long_intervals=(), devices=states,
    )  # fmt: skip
    devices = [device("meter"), device("old"), device("new")]
    ages = value_ages(devices, batch, now_s=NOW_S)
    assert ages == {"meter": 603, "old": 7800, "new": None}
    assert age_lines(devices, ages, first_value_words(600.0, "UTC")) == [
        "meter (grid): last good value 10 minutes ago",
        "old (grid): last good value 2 hours ago",
        "new (grid): last good value not known yet: the first value comes with the first quarter hour that the agent"
        " sees whole: at 1970-01-01 00:30 at the latest",
    ]
    assert value_ages(devices, None, now_s=NOW_S)["meter"] is None


def test_receipts_and_consent_in_one_line_each() -> None:
    assert receipt_line(OutboxOverview(10, 3, 0, 0, 0, ())) == "receipts: 7 of 10 kept messages have theirs"
    nothing = default_consent("h01")
    assert "version 1 allows nothing more than the membership contract" in consent_line(nothing)
    assert "version 2 allows peers.view;" in consent_line(allow_purpose(nothing, "peers.view", from_slot=1))


def test_spans_of_time() -> None:
    assert [span_words(each) for each in (59, 60, 7300, 86400)] == [
        "less than a minute", "1 minute", "2 hours", "1 day",
    ]  # fmt: skip


def test_the_newest_settled_day_in_one_line_and_for_programs() -> None:
    day = CreditDay(slots_of_day(date(2026, 6, 10), TZ).start, 96, False, 3210, 1040, 5000, 700)
    assert credit_lines(day, TZ) == [
        "settled 2026-06-10: 3.21 kWh from neighbours, 1.04 kWh to neighbours (preliminary)"
    ]
    assert not credit_lines(replace(day, is_settled=True), TZ)[0].endswith("(preliminary)")
    assert credit_record(day, TZ) == {
        "day": "2026-06-10", "received_wh": 3210, "given_wh": 1040, "imported_wh": 5000, "exported_wh": 700,
        "is_settled": False,
    }  # fmt: skip
    assert (credit_lines(None, TZ), credit_record(None, TZ)) == ([], None)
