"""Each check turns at its threshold, says what to do, and only what stops the hub makes it unready."""

from dataclasses import replace
from typing import Any

import pytest

from hub.health.checks import HealthCheck, Level, health_checks, unready
from hub.health.facts import HubHealth, JobHealth, PartHealth, ProcessUse, StoreTrouble
from hub.health.sentences import in_english
from hub.web.frame.translation import Localizer
from hub.web.views.health import health_page
from tests.hub.health.whole_hub import NOW_S, PARTS, whole_hub

NOW = int(NOW_S)

WORDS = Localizer("en", "Europe/Madrid", "EUR")


def check_of(health: HubHealth, name: str) -> HealthCheck:
    (found,) = [check for check in health_checks(health) if check.name == name]
    return found


def test_a_whole_hub_is_ready_and_has_nothing_to_do() -> None:
    checks = health_checks(whole_hub())
    assert {check.level for check in checks} == {Level.GOOD}
    assert not unready(checks)
    assert not [check.name for check in checks if check.do is not None and check.name not in SUBJECTS]


SUBJECTS = ("clock", "board", "backup", "certificates", "verification", "restore")


@pytest.mark.parametrize("name", PARTS)
def test_a_process_that_ended_is_named_with_when_and_why(name: str) -> None:
    part = PartHealth(name, is_serving=False, problem="exit code 9", ended_at=NOW - 5)
    health = whole_hub(parts={name: part})
    found = check_of(health, f"part-{name}")
    assert in_english(found.what) == (
        f"The process {name} is not running: it ended at 2026-09-21T14:13:15Z (exit code 9)."
    )
    assert found.do is not None
    # Without the worker, forecasts wait; without any other process, the hub does not do its work.
    assert [check.name for check in unready(health_checks(health))] == (
        [] if name == "forecast-worker" else [f"part-{name}"]
    )
    assert found.level == (Level.WARNING if name == "forecast-worker" else Level.BAD)


def test_a_process_that_does_not_answer_makes_the_hub_unready() -> None:
    health = whole_hub(parts={"intake": PartHealth("intake", is_serving=False)})
    (found,) = unready(health_checks(health))
    assert in_english(found.what) == "The process intake does not answer."


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("away", "The database server is away: gone."),
        ("refuses", "The store does not let the hub in: gone."),
        ("full", "The database server has no room: gone."),
        ("fails", "The store cannot be read or written: gone."),
        ("of a later version", "The store cannot be read or written: gone."),
    ],
)
@pytest.mark.parametrize("changed", [{}, {"intake": None, "stored": None, "jobs": ()}, {"is_running": False}])
def test_a_store_in_trouble_makes_the_hub_unready_whatever_else_is_known(
    kind: str, words: str, changed: dict[str, Any]
) -> None:
    health = replace(whole_hub(), store_trouble=StoreTrouble(kind, "gone"), **changed)
    found = check_of(health, "intake-store")
    assert in_english(found.what) == words
    assert found.do is not None
    assert found in unready(health_checks(health))


@pytest.mark.parametrize(
    ("name", "at", "below"),
    [
        ("intake-left", {"last_hour": {"left": 100}}, {"last_hour": {"left": 99}}),
        ("intake-refused", {"last_hour": {"refused": 10}}, {"last_hour": {"refused": 9}}),
        ("link-dropped", {"last_hour": {"dropped": 1}}, {"last_hour": {"dropped": 0}}),
        ("intake-queue", {"waiting": 640}, {"waiting": 639}),
        ("cut-off", {"has_cut_off": True}, {"has_cut_off": False}),
        ("disk", {"disk_free_bytes": 9}, {"disk_free_bytes": 10}),
        ("street", {"homes": 9, "silent": 5}, {"homes": 10, "silent": 5}),
        ("street", {"homes": 5, "silent": 5}, {"homes": 4, "silent": 4}),
        ("backup", {"warnings": {"backup": "none"}}, {"warnings": {}}),
        (
            "part-pages",
            {"parts": {"pages": PartHealth("pages", True, 3, "x", NOW - 3599)}},
            {"parts": {"pages": PartHealth("pages", True, 3, "x", NOW - 3600)}},
        ),
        (
            "part-intake",
            {"parts": {"intake": PartHealth("intake", True, use=ProcessUse(1, loop_lag_s=1.0))}},
            {"parts": {"intake": PartHealth("intake", True, use=ProcessUse(1, loop_lag_s=0.99))}},
        ),
    ],
)
def test_a_check_warns_from_its_threshold_on(name: str, at: dict[str, Any], below: dict[str, Any]) -> None:
    warned = check_of(whole_hub(**at), name)
    assert (warned.level, warned.do is not None) == (Level.WARNING, True)
    assert check_of(whole_hub(**below), name).level is Level.GOOD
    assert not unready(health_checks(whole_hub(**at)))


def test_a_full_disk_is_bad() -> None:
    assert check_of(whole_hub(disk_free_bytes=2), "disk").level is Level.BAD
    assert check_of(whole_hub(disk_free_bytes=3), "disk").level is Level.WARNING


def test_without_broker_or_store_the_hub_is_not_ready() -> None:
    lost = whole_hub(broker_connected=False, store_problem="hub.sqlite: disk is full")
    assert [check.name for check in unready(health_checks(lost))] == ["broker-connection", "intake-store"]
    assert "hub.sqlite: disk is full" in in_english(check_of(lost, "intake-store").what)


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (JobHealth("street totals", NOW + 60, NOW - 60, NOW - 1800), "The job “street totals” has failed since"),
        (JobHealth("street totals", NOW - 900, None, None), "The job “street totals” was due at"),
        (JobHealth("street totals", NOW + 60, NOW - 60, NOW - 1799), ""),
        (JobHealth("street totals", NOW - 899, None, None), ""),
        (JobHealth("street totals", NOW - 7200, None, None, running_since=NOW - 7000), ""),
    ],
)
def test_a_job_that_fails_or_waits_is_named(job: JobHealth, expected: str) -> None:
    found = {check.name: check for check in health_checks(whole_hub(jobs=(job,)))}
    assert ("job-street-totals" in found) == bool(expected)
    assert ("jobs" in found) == (not expected)
    if expected:
        assert in_english(found["job-street-totals"].what).startswith(expected)


def test_a_hub_that_does_not_run_says_so_first_and_its_jobs_are_not_late() -> None:
    health = whole_hub(is_running=False, parts={}, jobs=(JobHealth("weather", NOW - 9000, NOW - 9000, None),))
    checks = health_checks(health)
    assert (checks[0].name, checks[0].stops) == ("hub", True)
    assert not [check for check in checks if check.name.startswith(("part-", "job"))]


def test_the_worst_comes_first() -> None:
    levels = [check.level for check in health_checks(whole_hub(disk_free_bytes=2, has_cut_off=True))]
    assert levels == sorted(levels, reverse=True)


def test_the_disk_is_named_as_the_hubs_own_and_has_one_figure_on_the_whole_page() -> None:
    health = whole_hub(disk_free_bytes=2899, disk_bytes=10_000, is_on_server=True)
    page = health_page(health, WORDS)
    told = [line for line in (*page.good, *page.store) if "disk of the hub's own computer" in line]
    assert len(told) == 2
    assert all("28" in line and "29" not in line for line in told)
    assert any("on a database server" in line for line in page.store)
    alone = health_page(whole_hub(), WORDS)
    assert not any("server" in line for line in alone.store)
