"""Traces reach a collector that hub.toml names, with nothing of a home; without the table nothing is sent or loaded."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from hub.folder.first_settings import settings_text
from hub.folder.settings import parse_settings
from hub.folder.watching.trace_settings import TraceSettings
from hub.health.trail import working
from hub.processes.watching.traces import start_traces
from hub.timetable import JobError, PlannedJob, Timetable, every
from protocols.errors import SettingsError
from tests.hub.processes.watching.otlp_receiver import collecting
from tests.hub.sending_home import COOP
from tests.hub.test_timetable import NOON_S, RememberedJobs, SteppedTime, run_until

TEXT = settings_text(COOP)


def parsed(lines: str) -> TraceSettings | None:
    return parse_settings(f"{TEXT}\n{lines}\n".encode(), name="hub.toml", folder=Path()).watch.traces


def test_a_piece_of_work_is_a_span_with_its_ids_and_facts_and_an_error_only_by_its_kind() -> None:
    with collecting() as collector:
        stop = start_traces(TraceSettings(collector.address), part="intake", version="1")
        with working("group", group="g1") as work:
            work.note(messages=3)
        with pytest.raises(ValueError), working("job", job="weather"):
            raise ValueError("home h01 used 4711 Wh")
        stop()
        with working("group", group="g2"):
            """Nobody is told of this one."""
        assert collector.spans("intake") == [
            ("group", {"commonwatt.group": "g1", "commonwatt.messages": 3}, ""),
            ("job", {"commonwatt.job": "weather"}, "ValueError"),
        ]


async def test_each_run_of_a_job_is_a_span() -> None:
    async def well(_due_s: int) -> None:
        """It does."""

    async def badly(_due_s: int) -> None:
        raise JobError("home h01 used 4711 Wh")

    time = SteppedTime(NOON_S)
    with collecting() as collector:
        stop = start_traces(TraceSettings(collector.address), part="timetable", version="1")
        jobs = [PlannedJob("good", every(3600), well), PlannedJob("bad", every(3600), badly)]
        await run_until(Timetable(jobs, store=RememberedJobs(), clock=time.clock()), time, NOON_S + 3601)
        stop()
        told = {(facts["commonwatt.job"], facts["commonwatt.state"]) for _, facts, _ in collector.spans()}
        assert told == {("good", "done"), ("bad", "failed")}
        assert "4711" not in str(collector.spans())


def test_a_collector_that_is_away_is_one_line_and_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    with collecting() as collector:
        address = collector.address
    with caplog.at_level(logging.WARNING):
        stop = start_traces(TraceSettings(address), part="intake", version="1")
        for _ in range(3):
            with working("group"):
                """Some work."""
        stop()
    assert [record.getMessage() for record in caplog.records] == [
        f"traces cannot be sent to {address}; trying on, and saying no more of it"
    ]


def test_without_the_table_the_library_is_not_loaded() -> None:
    code = (
        "import sys; from hub.processes.watching.traces import start_traces;"
        " start_traces(None, part='intake', version='1')(); print('opentelemetry.sdk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(SettingsError, match=r"^hub\.toml: \[traces\] needs the package .* with its extra 'otel'"):
        start_traces(TraceSettings("http://127.0.0.1:4318"), part="intake", version="1")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4318", "https://collector.example/", "http://[::1]:4318"])
def test_an_endpoint_is_a_collector(endpoint: str) -> None:
    assert parsed(f'[traces]\nendpoint = "{endpoint}"') == TraceSettings(endpoint.rstrip("/"))
    assert parsed("") is None


@pytest.mark.parametrize(
    "lines",
    [
        "[traces]",
        '[traces]\nendpoint = "127.0.0.1:4318"',
        '[traces]\nendpoint = "ftp://x"',
        '[traces]\nendpoint = "http://user:secret@x"',
        '[traces]\nendpoint = "http://x/v1/traces"',
        '[traces]\nendpoint = "http://"',
        '[traces]\nendpoint = "http://x:99999"',
        '[traces]\nendpoint = "http://x"\nheaders = "y"',
    ],
)
def test_anything_else_is_refused_in_one_line_with_its_key(lines: str) -> None:
    with pytest.raises(SettingsError, match=r"^hub\.toml: traces\.(endpoint: expected|headers: no such setting)"):
        parsed(lines)
