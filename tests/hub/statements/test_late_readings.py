"""A published statement where readings arrived after it: it stays as it is, and the script still accepts it."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.board.run_approval import approve_run, publish_run
from hub.books.runs import settle_month
from hub.commands.statement import write_folder
from hub.core.rules.estimate_rule import EstimateRule
from hub.core.statements.document import StatementFiles
from hub.statements.kept_days import STATEMENT_ACCESS
from hub.statements.months import StatementService
from hub.statements.script import NAME
from protocols.hub_keys import HubSigner
from protocols.slots import slots_of_day
from tests.hub.known_seals import SEALS
from tests.hub.settled_street import COOP, KEY, RULE, Arrival, Street, arrivals_of, one_sun_wh, open_street

MAY = date(2026, 5, 1)
DAYS = (date(2026, 5, 30), date(2026, 5, 31))
HOMES = 12
LATE = [each for each in arrivals_of(DAYS[1], HOMES) if each[0] == 2][40:60]
RIGHT = "2026-05 of m02: right in"


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=HOMES, energy=one_sun_wh)
    yield opened
    await opened.store.close()


async def publish(street: Street, kind: str) -> None:
    run = await settle_month(street.store, month=MAY, kind=kind, made_at=1_781_000_000, key=KEY)
    for member in ("m01", "m02"):
        await approve_run(street.store, run=run.run_key, member=member, at=1_781_000_100, key=KEY)
    await publish_run(street.store, run=run.run_key, member="m01", at=1_781_000_200, key=KEY)


async def state(street: Street) -> StatementFiles:
    member, home = await street.store.member("m02"), await street.store.home_of("m02")
    assert member is not None
    assert home is not None
    files = await StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS).state(
        member, home, month=MAY, access=STATEMENT_ACCESS
    )
    assert files is not None
    return files


def check(folder: Path, files: StatementFiles, readings: object = None) -> tuple[int, str]:
    """What the script says of the files, or of them with other readings."""
    if not folder.exists():
        write_folder(folder, files)
    names = [str(folder / name) for name in (NAME, "statement.json", "readings.json", "pool.json")]
    if readings is not None:
        Path(names[2]).write_text(json.dumps(readings))
    command = [sys.executable, "-I", *names, "--hub-key", files.hub_key]
    command += ["--before", str(folder / "before.json")] if files.before is not None else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).partition("\n")[0]


def late_slots(files: StatementFiles) -> list[int]:
    rows: Any = files.readings["readings"]
    return [row[0] for row in rows if row[3:] == ["late"]]


async def test_an_older_batch_does_not_change_what_is_published(street: Street, tmp_path: Path) -> None:
    await street.arrive_days(DAYS)
    await publish(street, "M1")
    first = await state(street)
    await street.arrive([(4, slots_of_day(date(2026, 5, 20), COOP.tz).start + 40)])
    second = await state(street)
    assert second.signed == first.signed
    assert (second.statement["billed"], second.statement["missing_days"]) == (True, [])
    assert check(tmp_path / "second", second)[0] == 0


async def test_what_is_not_published_begins_with_the_first_batch(street: Street) -> None:
    await street.arrive([(4, slots_of_day(date(2026, 5, 29), COOP.tz).start + 40)])
    await street.arrive_days(DAYS)
    await settle_month(street.store, month=MAY, kind="M1", made_at=1, key=KEY)
    await street.arrive([(4, slots_of_day(date(2026, 5, 27), COOP.tz).start + 40)])
    assert (await state(street)).statement["missing_days"] == ["2026-05-27", "2026-05-28"]


async def test_late_readings_are_a_note_until_the_next_run(street: Street, tmp_path: Path) -> None:
    await street.arrive_days(DAYS, without=LATE)
    await publish(street, "M1")
    assert late_slots(await state(street)) == []
    await street.arrive(LATE)
    waiting = await state(street)
    assert late_slots(waiting) == [slot for _, slot in LATE]
    assert check(tmp_path / "w", waiting) == (
        0,
        f"{RIGHT} 172 of 192 intervals; 20 without a reading; 20 slots late, for the next run",
    )
    await publish(street, "R1")
    second = await state(street)
    assert late_slots(second) == []
    # The other members are still shown the day as it was: m02's own correction cannot be recomputed from their sums.
    note = "; cannot be recomputed by you, only within bounds: 96 intervals, withheld"
    assert check(tmp_path / "second", second) == (0, f"{RIGHT} all of 192 intervals{note}")


async def test_a_forged_value_or_a_forged_mark_is_still_found(street: Street, tmp_path: Path) -> None:
    await street.arrive_days(DAYS, without=LATE)
    await publish(street, "M1")
    await street.arrive(LATE)
    files = await state(street)
    slot = LATE[0][1]

    def forged(change: dict[int, Sequence[object]]) -> dict[str, object]:
        rows: Any = files.readings["readings"]
        return {"member": "m02", "readings": [[row[0], *change.get(row[0], row[1:])] for row in rows]}

    for changed in (slot - 1, slot + 20):
        for row in ([1, 2], [1, 2, "late"]):
            code, said = check(tmp_path / "f", files, forged({changed: row}))
            assert code == 1
            assert f"slot {changed}" in said
    code, said = check(tmp_path / "f", files, forged({slot: [1, 2]}))
    assert code == 1
    assert f"slot {slot} surplus" in said


async def test_an_interval_of_an_hour_is_late_as_a_whole(tmp_path: Path) -> None:
    street = await open_street(tmp_path, homes=HOMES, rule=replace(RULE, aggregate=4), energy=one_sun_wh)
    await _publish_without(street, LATE[1:3])
    files = await state(street)
    assert late_slots(files) == [slot for _, slot in LATE[:4]]
    assert check(tmp_path / "files", files) == (
        0,
        f"{RIGHT} 47 of 48 intervals; 1 without a reading; 4 slots late, for the next run",
    )
    await street.store.close()


async def test_what_was_estimated_stays_marked_so(tmp_path: Path) -> None:
    rule = replace(RULE, estimate=EstimateRule("straight_line", longest=8))
    street = await open_street(tmp_path, homes=HOMES, rule=rule, energy=one_sun_wh)
    await _publish_without(street, LATE[1:3])
    files = await state(street)
    assert late_slots(files) == [slot for _, slot in LATE[1:3]]
    said = f"{RIGHT} all of 192 intervals; 2 slots estimated; 2 slots late, for the next run"
    assert check(tmp_path / "files", files) == (0, said)
    await street.store.close()


async def _publish_without(street: Street, late: Iterable[Arrival]) -> None:
    """M1 without these readings, which arrive then."""
    late = list(late)
    await street.arrive_days(DAYS, without=late)
    await publish(street, "M1")
    await street.arrive(late)
