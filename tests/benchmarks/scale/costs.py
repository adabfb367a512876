"""From measured figures to cores, machines, disks and euros a month for a number of homes. Pure; every rule is here.

Figures are per core of the machine that measured them; a rented virtual core is taken to be like one of those.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil
from typing import Final

import numpy as np

from hub.broker.mosquitto_files import MAX_HOMES
from hub.folder.intake_settings import IntakeLimits
from hub.intake.pace import HomesPace
from protocols.slots import SLOT_S
from tests.benchmarks.scale.arrivals import back_after_s
from tests.benchmarks.scale.storm import Outcome, SlotEnd, Storm, Work, simulate, slot_end

SEED: Final = 10
BUSY_MOST: Final = 0.5
"""Of a core, on average: the rest is for the hours that are not average."""

BROKER_BUSY_MOST: Final = 0.7
"""Of a broker's core, in the worst minute of a storm."""

QUEUE_MOST: Final = 20_000
"""What the hub's own Mosquitto keeps waiting for a worker (`max_queued_messages`); more is sent again later."""

RECEIPT_MOST_S: Final = 60.0
WORKERS: Final = (1, 2, 4, 8, 16, 32, 64)
ONE_MACHINE: Final = 1_000
"""Up to so many homes the whole hub runs on one computer, over SQLite; beyond it on PostgreSQL with a standby."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a model is made of. `_us`: microseconds of one core; `disk_mb`: of one home's year, in millions of bytes."""

    connection_us: float
    passed_us: float
    connected_kb: float
    link_us: float
    batch_us: float
    receipt_us: float
    settling_us: float
    disk_mb: float
    hourly_us: float
    nightly_us: float
    page_us: float
    database_us: float
    database_disk: float
    pages_a_day: float
    peak: float
    years: float
    worker_mb: float
    machine_cores: float
    machine_gb: float
    machine_euros: float
    small_cores: float
    small_gb: float
    small_euros: float
    disk_euros: float

    @property
    def work(self) -> Work:
        """What a storm is made of, in seconds."""
        return Work(
            connection_s=self.connection_us / 1e6,
            passed_s=self.passed_us / 1e6,
            batch_s=(self.batch_us + self.link_us) / 1e6,
            receipt_s=self.receipt_us / 1e6,
        )


NAMES: Final = tuple(each.name for each in fields(Figures))


@dataclass(frozen=True, slots=True)
class Bill:
    """What so many homes need. `brokers` and `workers` are processes; `cores` of each role leave room for bad hours."""

    homes: int
    within_s: int
    spread_s: int
    brokers: int
    broker_cores: int
    workers: int
    cores: dict[str, float]
    memory_gb: float
    disk_gb: float
    machines: int
    euros: float
    region: Outcome
    everywhere: Outcome
    slot_end: SlotEnd


def bill(homes: int, figures: Figures) -> Bill:
    """The machines for so many homes, and how they stand a storm."""
    within_s, spread_s = HomesPace(IntakeLimits()).times_s(homes)
    broker_cores, workers, region = _sized(homes, figures, within_s=within_s, spread_s=spread_s)
    dice = np.random.default_rng(SEED)
    storm = Storm(homes, homes, 86_400, spread_s, workers, broker_cores)
    everywhere = simulate(storm, back_after_s(dice, homes, within_s=within_s), figures.work, dice)
    ended = slot_end(homes, spread_s=spread_s, workers=workers, work=figures.work, dice=dice)
    is_one = homes <= ONE_MACHINE
    cores = _cores(homes, figures, brokers=broker_cores, workers=workers, is_one=is_one)
    memory_gb = (homes * figures.connected_kb / 1024 + (workers + 4) * figures.worker_mb) / 1024 + (0 if is_one else 8)
    copies = 2 if is_one else 3
    store_gb = homes * figures.disk_mb * figures.years / 1000
    disk_gb = copies * store_gb * (1 if is_one else figures.database_disk)
    if is_one:
        machines = max(ceil(sum(cores.values()) / figures.small_cores), ceil(memory_gb / figures.small_gb))
        euros = machines * figures.small_euros
    else:
        # The standby of the database is a machine beside those that work.
        machines = 1 + max(ceil(sum(cores.values()) / figures.machine_cores), ceil(memory_gb / figures.machine_gb))
        euros = machines * figures.machine_euros
    euros += disk_gb * figures.disk_euros
    return Bill(
        *(homes, within_s, spread_s, ceil(homes / MAX_HOMES), broker_cores, workers),
        *(cores, memory_gb, disk_gb, machines, euros),
        region=region,
        everywhere=everywhere,
        slot_end=ended,
    )


def region_s(homes: int, figures: Figures, *, brokers: int, workers: int, within_s: int, spread_s: int) -> Outcome:
    """A tenth of the homes was away for a day."""
    dice, away = np.random.default_rng(SEED), homes // 10
    storm = Storm(homes, away, 86_400, spread_s, workers, brokers)
    return simulate(storm, back_after_s(dice, away, within_s=within_s), figures.work, dice)


def _sized(homes: int, figures: Figures, *, within_s: int, spread_s: int) -> tuple[int, int, Outcome]:
    """The fewest cores for brokers, and workers, that stand a region's return and the end of a slot."""
    per_message_s = figures.work.batch_s + figures.work.receipt_s
    brokers = 1
    for workers in WORKERS:
        if homes / SLOT_S * per_message_s > BUSY_MOST * workers:
            continue
        found = region_s(homes, figures, brokers=brokers, workers=workers, within_s=within_s, spread_s=spread_s)
        while found.broker_busy > BROKER_BUSY_MOST:
            brokers += 1
            found = region_s(homes, figures, brokers=brokers, workers=workers, within_s=within_s, spread_s=spread_s)
        dice = np.random.default_rng(SEED)
        ended = slot_end(homes, spread_s=spread_s, workers=workers, work=figures.work, dice=dice)
        if found.longest_queue <= QUEUE_MOST and ended.most_s <= RECEIPT_MOST_S:
            return brokers, workers, found
    raise ValueError(f"{homes} homes need more than {WORKERS[-1]} workers")


def _cores(homes: int, figures: Figures, *, brokers: int, workers: int, is_one: bool) -> dict[str, float]:
    """Cores by role. On one machine the roles share them; elsewhere each intake worker has one."""
    batches = homes / SLOT_S
    per_message_us = figures.batch_us + figures.link_us + figures.receipt_us
    hourly = homes * figures.hourly_us / 1e6 / 3600
    # The night's work has four hours of it.
    nightly = homes * (figures.nightly_us + figures.settling_us) / 1e6 / (4 * 3600)
    pages = homes * figures.pages_a_day / 86_400 * figures.peak * figures.page_us / 1e6
    return {
        "brokers": batches * figures.passed_us / 1e6 / BUSY_MOST if is_one else float(brokers),
        "intake": batches * per_message_us / 1e6 / BUSY_MOST if is_one else float(workers),
        # Another one for its own upkeep and what jobs and pages read.
        "database": 0.0 if is_one else ceil(batches * figures.database_us / 1e6 / BUSY_MOST) + 1.0,
        "jobs": (hourly + nightly) / BUSY_MOST,
        "pages": pages / BUSY_MOST,
    }
