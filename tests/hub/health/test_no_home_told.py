"""A simulated day of a street, sent through intake and settled: no metric tells a home, a member or its energy.

The day is sent twice by the same homes with other energy in every quarter hour: all metrics stay the same.
"""

import asyncio
import re
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client.parser import text_string_to_metric_families

from hub.core.ledger.run_calendar import RunCalendar
from hub.folder.first_settings import settings_text
from hub.folder.opening import FIRST_RULE_DAY, first_rule
from hub.folder.settings import parse_settings
from hub.health.facts import HubHealth
from hub.health.metrics import exposition
from hub.intake.receiver import Intake
from hub.processes.watching.stored_health import stored_health
from hub.settlement_job import SettlementJob
from hub.storage.jobs.records import Job
from hub.storage.sqlite.store import SqliteStore
from hub.timetable import PlannedJob, Timetable, daily
from protocols.hub_keys import HubSigner
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slots_of_day, start_of
from protocols.timeline import Clock
from protocols.wire.readings import Column
from simulator.world.physics import FLOWS
from simulator.world.street import Street
from tests.hub.intake.test_receiver import KEY, Bench, RecordingBroker
from tests.hub.sending_home import COOP, SendingHome, open_store

HOMES = 7
DAY = date(2026, 6, 10)
SLOTS = slots_of_day(DAY, COOP.tz)
NOW_S = start_of(SLOTS.stop) + 3600
WORK_TIMES = re.compile(r"^commonwatt_(?:\w+_seconds_(?:bucket|sum)|store_bytes|disk_\w+|job_\w*seconds\w*)\b")
"""What differs between two runs of the same program by itself: times that work took, and the size of files."""


def day_of(seed: int) -> list[list[tuple[int, int]]]:
    """Import and export of each home in each slot. Units: Wh."""
    first_day = (DAY - date(1970, 1, 1)).days - 1
    street = Street(seed=seed, homes=HOMES, first_day=first_day)
    found = []
    for number in range(1, HOMES + 1):
        physics = street.physics(f"h{number:02d}")
        counted = physics.counters(start_of(SLOTS.start), every_s=900, count=len(SLOTS) + 1) // 3600
        taken, given = (counted[FLOWS.index(flow)] for flow in ("import", "export"))
        found.append(list(zip((taken[1:] - taken[:-1]).tolist(), (given[1:] - given[:-1]).tolist(), strict=True)))
    return found


async def told(folder: Path, homes: list[SendingHome], energy_wh: list[list[tuple[int, int]]]) -> str:
    """The metrics after this day."""
    folder.mkdir()
    store = await open_store(folder, homes)
    try:
        clock = Clock(real=lambda: float(NOW_S))
        broker = RecordingBroker()
        bench = Bench(store, Intake(store, coop=COOP.id, key=KEY, clock=clock, broker=broker), broker)
        for number, slot in enumerate(SLOTS):
            batches = []
            for home, values in zip(homes, energy_wh, strict=True):
                taken_wh, given_wh = values[number]
                columns = (
                    Column(Measure.GRID_IMPORT, 1, taken_wh, 0, Mark.MEASURED, Gap.NONE),
                    Column(Measure.GRID_EXPORT, 1, given_wh, 0, Mark.MEASURED, Gap.NONE),
                )
                batches.append(home.batch(slot, columns=columns))
            await bench.receive(*batches)
        jobs = await settled(store, clock)
        settings = parse_settings(settings_text(COOP).encode(), name="hub.toml", folder=folder)
        health = HubHealth(
            now_s=NOW_S,
            intake=bench.intake.tally.health(
                broker_connected=True,
                broker_connections=1,
                dropped_in=0,
                dropped_out=0,
                waiting=bench.intake.admission.waiting,
                waiting_most=800,
                has_cut_off=bench.intake.admission.has_cut_off,
                steady_s=0.0,
            ),
            jobs=tuple(jobs.health()),
            stored=await stored_health(folder, store, settings=settings, now_s=NOW_S),
        )
        assert health.stored is not None
        assert health.stored.last_settled_day == DAY.isoformat()
        return exposition(health).decode()
    finally:
        await store.close()


async def settled(store: SqliteStore, clock: Clock) -> Timetable:
    """The timetable that has settled the day: it was off since two days ago, so this is due."""
    rule = first_rule(parse_settings(settings_text(COOP).encode(), name="hub.toml", folder=Path()).rules)
    await store.add_rule(rule.version(), canonical=rule.canonical(), valid_from_day=FIRST_RULE_DAY)
    job = SettlementJob(store, tz=COOP.tz, calendar=RunCalendar(), key=HubSigner(KEY, None))
    await store.put_job(Job("settlement", due_at=NOW_S, last_run_at=NOW_S - 2 * 86_400, last_error=""))
    timetable = Timetable([PlannedJob("settlement", daily(0, 20, tz=COOP.tz), job)], store=store, clock=clock)
    running = asyncio.create_task(timetable.run())
    while not [each for each in timetable.health() if each.runs and not each.is_running]:
        assert not running.done()
        await asyncio.sleep(0.01)  # the timetable runs beside this test and tells nobody when a job has ended
    running.cancel()
    assert [each.failures for each in timetable.health()] == [0]
    return timetable


async def test_no_metric_tells_a_home_or_its_energy(tmp_path: Path) -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(HOMES)]
    texts, days = [], [day_of(seed) for seed in (1, 2)]
    assert all(days[0][home] != days[1][home] for home in range(HOMES))
    for run, energy_wh in enumerate(days):
        homes = [SendingHome(f"h{number:02d}", key) for number, key in enumerate(keys, start=1)]
        texts.append(await told(tmp_path / str(run), homes, energy_wh))
    first, second = ([line for line in text.splitlines() if not WORK_TIMES.match(line)] for text in texts)
    assert first == second
    assert len(first) > 100
    agents = [SendingHome("h", key).agent for key in keys]
    names = [*agents, *(f"{kind}{number:02d}" for number in range(1, HOMES + 1) for kind in ("h", "m", "M"))]
    for family in text_string_to_metric_families(texts[0]):
        for sample in family.samples:
            words = f"{family.documentation} {sample.name} {' '.join(sample.labels.values())}"
            assert not [name for name in names if re.search(rf"(?<![\w-]){name}(?![\w-])", words)]
