"""The hub's own jobs on a real store: forecasts from consenting homes alone, prompts with reasons, measured effects,
and a verification that finds any change of what homes signed.
"""

import asyncio
import math
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hub.core.forecasting.forecaster import Forecast, forecast
from hub.core.rules.rulebook import Prices, Rule
from hub.forecasts.frames import ForecastRequest
from hub.forecasts.job import ForecastJob
from hub.intake.acceptance import judge_message, open_message
from hub.intake.state import (
    Acceptance,
    AgentChain,
    IncomingMessage,
    IntakeState,
    OpenedMessage,
)
from hub.prompts.job import PromptEffectJob, PromptJob
from hub.settlement_job import SettlementJob
from hub.storage.records import Appliance, Home, Member, PromptRow
from hub.storage.sqlite.store import SqliteStore
from hub.timetable import JobError
from hub.verify.books import check_books
from hub.verify.messages import check_messages
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, default_consent, sort_rules
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slot_of, slots_of_day, start_of
from protocols.wire.readings import Column
from tests.hub.sending_home import COOP, SendingHome, open_store

TZ = ZoneInfo(COOP.tz)
DAYS = 12
LAST_DAY = datetime(2026, 6, 15, tzinfo=TZ).date()
DUE_S = int(datetime(2026, 6, 16, 9, 5, tzinfo=TZ).timestamp())
NOW_SLOT = slot_of(DUE_S)
FIRST_SLOT = NOW_SLOT - DAYS * 96
SHARED = ("forecast.hood", "prompt.shift")
MEASURES = (Measure.GRID_IMPORT, Measure.GRID_EXPORT, Measure.PV_PRODUCTION)


class InProcess:
    """The worker's answer without its process: the same pure function."""

    def __init__(self) -> None:
        self.requests: list[ForecastRequest] = []

    async def forecast(self, request: ForecastRequest) -> Forecast:
        self.requests.append(request)
        return forecast(
            request.history, request.weather, request.horizon_slots, issued_slot=request.issued_slot, tz=request.tz
        )


def consent(home: str) -> ConsentSet:
    rules = [ConsentRule(purpose, _measures(purpose), Resolution.PT15M, 0, None) for purpose in SHARED]
    return ConsentSet(home, 2, sort_rules([*default_consent(home).rules, *rules]))


def _measures(_purpose: str) -> tuple[Measure, ...]:
    return MEASURES


def columns(slot: int, *, makes_power: bool, shift: int) -> list[Column]:
    """A home that cooks in the evening; with a roof it makes more than it uses around noon."""
    local = datetime.fromtimestamp(start_of(slot), UTC).astimezone(TZ)
    hour = local.hour + local.minute / 60
    use = 60 + round(350 * math.exp(-((hour - 20) ** 2) / 2)) + (slot * 7 + shift) % 11
    made = round(1400 * max(0.0, math.cos((hour - 13.5) / 12 * math.pi)) ** 2) if makes_power else 0
    values = [(Measure.GRID_IMPORT, max(0, use - made)), (Measure.GRID_EXPORT, max(0, made - use))]
    if makes_power:
        values.append((Measure.PV_PRODUCTION, made))
    return [Column(measure, 1, energy, 0, Mark.MEASURED, Gap.NONE) for measure, energy in values]


async def send(store: SqliteStore, homes: Sequence[SendingHome], *, quiet: Sequence[str]) -> None:
    """Every home's history through the real rules of intake; `quiet` homes consent to nothing beyond the contract."""
    state = IntakeState(COOP.id)
    for agent in await store.agents():
        key = next(home.key.public_key() for home in homes if home.agent == agent.id)
        state.chains[agent.id] = AgentChain(agent.home_id, key)
    for number, home in enumerate(homes):
        sealed = [] if home.home in quiet else [home.consent(consent(home.home))]
        makes_power = number < len(homes) // 2 and home.home not in quiet
        for slot in range(FIRST_SLOT, NOW_SLOT):
            told = columns(slot, makes_power=makes_power, shift=number)
            sealed.append(home.batch(slot, columns=told))
        await store.store_messages([_accepted(topic, message, state) for topic, message in sealed])


def _accepted(topic: str, sealed: bytes, state: IntakeState):  # type: ignore[no-untyped-def]
    opened = open_message(IncomingMessage(topic, sealed, DUE_S), state)
    assert isinstance(opened, OpenedMessage), opened
    (verdict,) = judge_message(opened, state, held_hash=None, now_s=DUE_S)
    assert isinstance(verdict, Acceptance)
    assert verdict.message.refused is None, verdict
    return verdict.message


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the whole history, made once; every test works on a copy of it."""
    folder = tmp_path_factory.mktemp("filled")

    async def fill() -> None:
        homes = [SendingHome(f"h{number:02d}") for number in range(1, 7)]
        store = await open_store(folder, homes)
        await send(store, homes, quiet=["h06"])
        rule = Rule("proportional", prices=Prices(200_000, 140_000, 300_000, 80_000))
        await store.add_rule(rule.version(), canonical=rule.canonical(), valid_from_day="2026-01-01")
        await store.close()

    asyncio.run(fill())
    return folder / "hub.sqlite"


@pytest.fixture
async def store(filled: Path, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    shutil.copy(filled, tmp_path / "hub.sqlite")
    opened = await SqliteStore.open(tmp_path / "hub.sqlite", now=time.time)
    yield opened
    await opened.close()


async def test_a_forecast_uses_consenting_homes_alone_and_leaves_a_line_in_each_log(store: SqliteStore) -> None:
    worker = InProcess()
    job = ForecastJob(store, worker=worker, tz=COOP.tz)
    await job(DUE_S)
    rows = await store.latest_forecasts(issued_by=NOW_SLOT)
    assert set(rows) == {"demand", "pv"}, "nobody has a turbine"
    assert rows["demand"].issued_slot == NOW_SLOT
    assert rows["demand"].energy_wh.shape[0] == 192
    # Five homes' values, not six: h06 shares with settlement only. Three of them make power, which is left in the use;
    # at noon they make more than the five use.
    five = [c for n in range(5) for c in columns(NOW_SLOT - 1, makes_power=n < 3, shift=n)]
    drawn, fed_in = (
        sum(c.energy or 0 for c in five if c.measure == m) for m in (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
    )
    assert [request.history.energy_wh[-1] for request in worker.requests] == [0, fed_in - drawn]
    assert [row.actor for row in await store.access_rows("h01", limit=10)] == ["job:forecast"]
    assert not await store.access_rows("h06", limit=10)


async def test_no_forecast_is_made_that_would_be_about_one_to_four_homes(tmp_path: Path) -> None:
    """Nobody would see it, and prompts made from it would tell when a neighbour's sun shines."""
    homes = [SendingHome(f"h{number:02d}") for number in range(1, 6)]
    few = await open_store(tmp_path, homes)
    await send(few, homes, quiet=["h05"])
    job = ForecastJob(few, worker=InProcess(), tz=COOP.tz)
    await job(DUE_S)
    assert not await job.issued(DUE_S)
    assert not await few.latest_forecasts(issued_by=NOW_SLOT)
    await few.close()


async def test_a_hub_without_readings_says_what_it_waits_for(tmp_path: Path) -> None:
    empty = await open_store(tmp_path, [SendingHome("h01")])
    with pytest.raises(JobError, match="no readings yet"):
        await ForecastJob(empty, worker=InProcess(), tz=COOP.tz)(DUE_S)
    await empty.close()


async def prompted(store: SqliteStore) -> tuple[PromptJob, list[PromptRow]]:
    for number in range(1, 7):
        home = f"h{number:02d}"
        await store.set_appliances(home, [Appliance(home, "dishwasher", 1200, 6, 78, 36, 90, True)])
    sent: list[PromptRow] = []

    async def post(row: PromptRow) -> bool:
        sent.append(row)
        return True

    forecasts = ForecastJob(store, worker=InProcess(), tz=COOP.tz)
    await forecasts(DUE_S)
    job = PromptJob(store, forecasts=forecasts, send=post, tz=COOP.tz)
    await job(DUE_S + 60)
    return job, sent


async def test_prompts_ask_willing_homes_with_reasons_and_never_twice(store: SqliteStore) -> None:
    job, sent = await prompted(store)
    assert sent, "a sunny noon and an evening peak are worth a question"
    assert {row.home for row in sent} <= {f"h{n:02d}" for n in range(1, 6)}
    for row in sent:
        assert row.proposed_slot > NOW_SLOT
        assert dict(row.reasons)["asked_this_week"] == 0
        assert row.answer_by_slot < min(row.usual_slot, row.proposed_slot)
    stored = await store.prompts(home=None, issued=range(NOW_SLOT, NOW_SLOT + 1))
    assert {row.id for row in stored} == {row.id for row in sent}
    first = sorted(row.id for row in sent)
    await job(DUE_S + 60)
    assert sorted(row.id for row in sent[len(first) :]) == first, (
        "the same question has one name: an agent keeps it once"
    )
    assert await store.prompts(home=None, issued=range(NOW_SLOT, NOW_SLOT + 1)) == stored
    assert await store.answer_prompt(sent[0].id, home=sent[0].home, answer="no", at=int(DUE_S) + 90) is None
    await job(DUE_S + 60)
    again = {row.id for row in sent[2 * len(first) :]}
    assert again == set(first) - {sent[0].id}, "who has answered is not asked again"


async def test_prompts_of_a_run_that_ended_before_they_were_sent_are_sent_by_the_next(store: SqliteStore) -> None:
    """A worker may be killed after the prompts are stored, and what it sends waits in its memory until then."""
    for number in range(1, 7):
        home = f"h{number:02d}"
        await store.set_appliances(home, [Appliance(home, "dishwasher", 1200, 6, 78, 36, 90, True)])
    sent: list[PromptRow] = []

    async def post(row: PromptRow) -> bool:
        sent.append(row)
        return True

    async def killed(row: PromptRow) -> bool:
        raise OSError(row.id)

    forecasts = ForecastJob(store, worker=InProcess(), tz=COOP.tz)
    await forecasts(DUE_S)
    with pytest.raises(OSError, match="p-"):
        await PromptJob(store, forecasts=forecasts, send=killed, tz=COOP.tz)(DUE_S + 60)
    stored = await store.prompts(home=None, issued=range(NOW_SLOT, NOW_SLOT + 1))
    assert stored
    await PromptJob(store, forecasts=forecasts, send=post, tz=COOP.tz)(DUE_S + 60)
    assert sorted(row.id for row in sent) == sorted(row.id for row in stored)


async def test_prompts_are_the_same_where_another_worker_made_the_forecast(store: SqliteStore, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "hub.sqlite", tmp_path / "as_before.sqlite")
    _, wanted = await prompted(store)
    there = await SqliteStore.open(tmp_path / "as_before.sqlite", now=time.time)
    for number in range(1, 7):
        home = f"h{number:02d}"
        await there.set_appliances(home, [Appliance(home, "dishwasher", 1200, 6, 78, 36, 90, True)])
    sent: list[PromptRow] = []

    async def post(row: PromptRow) -> bool:
        sent.append(row)
        return True

    maker, other = (ForecastJob(there, worker=InProcess(), tz=COOP.tz) for _ in range(2))
    job = PromptJob(there, forecasts=other, send=post, tz=COOP.tz)
    await job(DUE_S + 60)
    assert not sent, "no forecast was issued yet"
    await maker(DUE_S)
    await job(DUE_S + 60)
    await there.close()
    assert sent == wanted
    assert sent


async def test_no_prompt_without_this_hours_forecast(store: SqliteStore) -> None:
    job, sent = await prompted(store)
    before = len(sent)
    await job(DUE_S + 3600)
    assert len(sent) == before


async def test_the_effect_of_a_followed_prompt_is_measured_once_its_windows_are_over(store: SqliteStore) -> None:
    yesterday = range(NOW_SLOT - 96, NOW_SLOT)
    asked = PromptRow(
        id="p-1", home="h04", member="m04", appliance="dishwasher", energy_wh=1200, usual_slot=yesterday[50],
        proposed_slot=yesterday[20], duration_slots=4, relief_wh=500, reasons=(), issued_slot=yesterday[4],
        answer_by_slot=yesterday[19], answer=None, answered_at=None, measured_wh=None,
    )  # fmt: skip
    await store.add_prompts([asked])
    job = PromptEffectJob(store, tz=COOP.tz)
    await job(DUE_S)
    (row,) = await store.prompts(home="h04", issued=yesterday)
    assert row.measured_wh is None, "nobody said yes"
    assert await store.answer_prompt("p-1", home="h04", answer="yes", at=start_of(yesterday[10])) is None
    await job(DUE_S)
    (row,) = await store.prompts(home="h04", issued=yesterday)
    assert row.measured_wh is not None
    assert abs(row.measured_wh) < 100, "this home did what it always does"
    assert "job:prompt-effect" in {line.actor for line in await store.access_rows("h04", limit=20)}


async def test_what_homes_signed_verifies_and_any_change_of_the_table_is_found(
    store: SqliteStore, tmp_path: Path
) -> None:
    found = await check_messages(store)
    assert (found.wrong, found.messages) == (0, 6 * DAYS * 96 + 5)
    slot = FIRST_SLOT + 100
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as db, db:
        db.execute(
            "UPDATE reading SET energy_wh = energy_wh + 1 WHERE home = 'h02' AND measure = 1 AND slot = ?", (slot,)
        )
    found = await check_messages(store)
    assert found.wrong == 1
    assert "h02 grid_import" in found.findings[0]


async def test_a_changed_or_missing_message_is_found(store: SqliteStore, tmp_path: Path) -> None:
    agent = (await store.agents())[0].id
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as db, db:
        for trigger, table in db.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            if table == "message":
                db.execute(f'DROP TRIGGER "{trigger}"')
        (sealed,) = db.execute("SELECT sealed FROM message WHERE agent = ? AND seq = 50", (agent,)).fetchone()
        flipped = bytes([*sealed[:100], sealed[100] ^ 1, *sealed[101:]])
        db.execute("UPDATE message SET sealed = ? WHERE agent = ? AND seq = 50", (flipped, agent))
        db.execute("DELETE FROM message WHERE agent = ? AND seq = 70", (agent,))
    found = await check_messages(store)
    told = " ".join(found.findings)
    assert "1/50: the stored bytes do not open" in told
    assert "number 70 is missing" in told


@pytest.mark.parametrize(("home", "slot"), [("h02", FIRST_SLOT - 3), ("h07", FIRST_SLOT + 100), ("h02", NOW_SLOT + 20)])
async def test_a_value_nobody_signed_is_found(store: SqliteStore, tmp_path: Path, home: str, slot: int) -> None:
    if home == "h07":
        await store.add_member(Member("m07", "Gus", "g@example.org", "en", False, 0), Home("h07", "Lane 7", "m07"))
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as db, db:
        db.execute("INSERT INTO reading VALUES (?, 1, ?, 1, 77000, 0, 0)", (home, slot))
    found = await check_messages(store)
    assert found.wrong == 1
    assert f"{home} grid_import" in found.findings[0]
    assert "nobody signed" in found.findings[0]


async def test_a_newest_message_that_went_away_is_found(store: SqliteStore, tmp_path: Path) -> None:
    agent = (await store.agents())[0].id
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as db, db:
        db.execute("DROP TRIGGER message_is_kept")
        db.execute("DELETE FROM message WHERE position = (SELECT max(position) FROM message WHERE agent = ?)", (agent,))
    found = await check_messages(store)
    assert any("was receipted and is missing" in finding for finding in found.findings)


CONSENTS = [
    ("UPDATE consent SET document = zeroblob(9) WHERE home = 'h02'", "h02 consent 2: the table differs"),
    (
        "INSERT INTO consent SELECT 'h06', 1, 2, document, 0 FROM consent LIMIT 1",
        "h06 consent 2: the table holds it and",
    ),
    (
        "INSERT INTO consent SELECT home, 1, 3, document, 0 FROM consent WHERE home = 'h01'",
        "h01 consent 3: the table h",
    ),
    ("DELETE FROM consent WHERE home = 'h03'", "h03 consent 2: signed by the home but missing from the table"),
]


@pytest.mark.parametrize(("change", "said"), CONSENTS, ids=[change.split()[0] for change, _ in CONSENTS])
async def test_a_consent_that_is_not_the_signed_one_is_found(
    store: SqliteStore, tmp_path: Path, change: str, said: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as db, db:
        db.execute(change)
    found = await check_messages(store)
    assert (found.wrong, found.consents) == (1, 5)
    assert said in found.findings[0]


async def test_nights_settle_every_closed_day_once(store: SqliteStore) -> None:
    night_s = int(datetime(2026, 6, 16, 0, 20, tzinfo=TZ).timestamp())
    job = SettlementJob(store, tz=COOP.tz)
    await job(night_s)
    runs = await store.runs()
    whole_days = [run for run in runs if run.state == "complete"]
    assert runs[-1].day == LAST_DAY.isoformat()
    assert len(whole_days) == DAYS - 1
    position, _ = await store.ledger_head()
    await job(night_s + 86400)
    assert (await store.ledger_head())[0] == position + len(await store.entries_of_day("2026-06-16"))
    books = await check_books(store)
    assert (books.wrong, books.sums) == (0, {"Wh": 0, "nano": 0})
    assert len(slots_of_day(LAST_DAY, COOP.tz)) == 96
