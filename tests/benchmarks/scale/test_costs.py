"""The bill: by hand for a street, whole machines, and never fewer of anything for more homes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.broker.mosquitto_files import limits
from tests.benchmarks.scale.costs import BROKER_BUSY_MOST, QUEUE_MOST, Figures, bill

FIGURES = Figures(
    connection_us=2_000,
    passed_us=50,
    connected_kb=32,
    link_us=100,
    batch_us=300,
    receipt_us=100,
    settling_us=200,
    disk_mb=20,
    hourly_us=3_600,
    nightly_us=14_200,
    page_us=50_000,
    database_us=100,
    database_disk=2,
    pages_a_day=1,
    peak=5,
    years=3,
    worker_mb=200,
    machine_cores=8,
    machine_gb=32,
    machine_euros=140,
    small_cores=2,
    small_gb=8,
    small_euros=40,
    disk_euros=0.05,
)


def test_a_street_s_bill_by_hand() -> None:
    found = bill(900, FIGURES)
    # One batch a second in a quarter hour: 500 us of intake and 50 of the broker, twice that for a bad hour.
    assert found.cores["intake"] == pytest.approx(0.001)
    assert found.cores["brokers"] == pytest.approx(0.0001)
    # 3,600 us of each home in an hour's 3,600 s, and 14,400 us in four hours.
    assert found.cores["jobs"] == pytest.approx(2 * (900 * 1e-6 + 900 * 1e-6))
    assert found.cores["pages"] == pytest.approx(2 * 900 / 86_400 * 5 * 0.05)
    assert (found.machines, found.brokers, found.workers) == (1, 1, 1)
    assert found.disk_gb == pytest.approx(2 * 900 * 0.060)
    assert found.euros == pytest.approx(40 + 108 * 0.05)


def test_beyond_one_machine_there_is_a_standby_and_a_third_copy() -> None:
    found = bill(9_000, FIGURES)
    assert found.machines == 2
    assert found.disk_gb == pytest.approx(3 * 9_000 * 0.060 * 2)
    assert found.cores["database"] == 2


def test_more_homes_never_need_less() -> None:
    bills = [bill(homes, FIGURES) for homes in (1_000, 10_000, 100_000, 400_000)]
    for name in ("machines", "brokers", "workers", "memory_gb", "disk_gb", "euros"):
        values = [getattr(each, name) for each in bills]
        assert values == sorted(values), name


def test_what_the_machines_were_chosen_for_holds() -> None:
    slow = replace(FIGURES, batch_us=3_000, connection_us=20_000)
    found = bill(100_000, slow)
    assert found.workers > 1
    assert found.region.longest_queue <= QUEUE_MOST
    assert found.region.broker_busy <= BROKER_BUSY_MOST
    assert found.region.gave_up == 0
    fewer = bill(100_000, FIGURES)
    assert fewer.workers < found.workers
    assert fewer.cores["brokers"] <= found.cores["brokers"]


def test_the_queue_is_the_broker_s_own_limit() -> None:
    assert f"max_queued_messages {QUEUE_MOST}\n" in limits()


def test_homes_that_no_workers_can_serve_are_said() -> None:
    with pytest.raises(ValueError, match="need more than 64 workers"):
        bill(1_000_000, replace(FIGURES, batch_us=1_000_000))
