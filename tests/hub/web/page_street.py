"""A small street in a real store with every case that pages must show; all numbers come from plain formulas."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.board.invitation_service import InvitationService
from hub.board.inviting import InvitingHub
from hub.board.map_releases import MapService
from hub.board.run_service import RunService
from hub.books.signing import as_row
from hub.books.view import read_heads
from hub.core.ledger.attestations import attest
from hub.core.ledger.run_calendar import RunCalendar
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.due import PAYOUTS, AmountDue, MonthCents
from hub.core.payments.order_history import PAYMENT_ORDER, order_content, order_key_of
from hub.core.rules.rulebook import Prices, Rule
from hub.folder.first_settings import settings_text
from hub.folder.settings import parse_settings
from hub.forecasts.street_totals import StreetService
from hub.health.facts import HubHealth, JobHealth, PartHealth, ProcessUse
from hub.money.order_service import PaymentService
from hub.quality.decisions import FindingService
from hub.settlement_job import settle_day
from hub.statements.months import StatementService
from hub.statements.shown_period import ShownPeriods
from hub.storage.account_records import NewAccount
from hub.storage.finding_records import NewFinding
from hub.storage.records import (
    AcceptedMessage,
    Agent,
    Appliance,
    Coop,
    DeviceRow,
    ForecastRow,
    Home,
    LongIntervalRow,
    Member,
    PromptRow,
    ReadingRow,
    RefusalCount,
)
from hub.storage.sqlite.store import SqliteStore
from hub.trials.fairness_service import FairnessService
from hub.trials.what_if_service import TrialService
from hub.web.frame.services import HubParts
from hub.web.frame.tokens import hash_token
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, default_consent, encode_consent, sort_rules
from protocols.hub_keys import HubSigner
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slots_of_day, start_of
from protocols.timeline import Clock
from tests.hub.health.whole_hub import whole_hub
from tests.hub.known_seals import SEALS
from tests.hub.new_store import open_new_store

STATUS_KEY = "status-key-of-the-tests"
HUB_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HUB_SECRET = bytes(range(32, 64))
COOP = Coop("sunny-lane", "Sunny Lane Energy", "Europe/Berlin", "EUR")
HUB_FOLDER = Path("no-folder-of-a-hub")
HUB_SETTINGS = parse_settings(settings_text(COOP).encode(), name="hub.toml", folder=HUB_FOLDER)
BANK = CoopAccount("Sunny Lane Energy", "DE89370400440532013000", creditor_id="DE98ZZZ09999999999")
TODAY = date(2026, 6, 12)
NOW_SLOT = slots_of_day(TODAY, COOP.tz).start + 41  # 10:15
NOW_S = start_of(NOW_SLOT) + 120
FOUND_DAY, FOUND_SLOT = "2026-06-10", NOW_SLOT - 190
FIRST_SLOT = slots_of_day(date(2026, 6, 9), COOP.tz).start
HOSTILE = '<script>alert("x")</script>'
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
# Households are counted, not named; one name is not plain ASCII and one is hostile.
FAMILIES = (
    *("Household One", "Household Two", "Household Dreißig", "Household Four", "Household Five", "Household Six"),
    *("Household Seven", "Household Eight", "Household Nine", "Household Ten", "Household Eleven"),
    HOSTILE,
)


@dataclass(frozen=True)
class Plant:
    """What a home has: kW of panels, whether a turbine or a battery, and how much it uses."""

    sun_kw: float
    wind_kw: float
    battery_kw: float
    use_kw: float


def plant_of(number: int) -> Plant:
    return Plant(
        sun_kw=(0.0, 4.2, 6.0, 5.1, 8.4, 0.0, 3.6, 6.6, 4.8, 0.0, 7.2, 5.4)[number - 1],
        wind_kw=1.5 if number == 4 else 0.0,
        battery_kw=2.0 if number in (5, 8) else 0.0,
        use_kw=0.55 + 0.09 * (number % 5),
    )


def watched_hub(now_s: float) -> HubHealth:
    """A hub whose pages have been killed a while ago, with a job that fails and messages of every kind."""
    now = int(now_s)
    parts = {
        "pages": PartHealth(
            "pages", True, 3, "it was killed by signal 9", now - 600, ProcessUse(7, 4.2, 9 * 10**7, 20)
        ),
        "forecast-worker": PartHealth("forecast-worker", False, 0, "exit code 1", now - 60),
    }
    jobs = (
        JobHealth("weather", now + 60, now - 3540, None, 9, 0, 3.0, 0.3),
        JobHealth("backup", now + 3600, now - 9000, now - 9000, 1, 1, 3.0, 3.0),
        JobHealth("settlement", now + 70, now - 900, None, 1, 0, 3.0, 3.0),
        JobHealth("forecast", now + 60, now - 3540, None, 9, 0, 3.0, 0.3),
    )
    known = whole_hub(
        parts=parts,
        jobs=jobs,
        received=120,
        asked_again=3,
        dropped_in=1,
        refused={"bad_signature": 12},
        left={"too_many": 7},
        last_hour={"refused": 12, "dropped": 1},
        newest_slot_end=now - 300,
        homes=12,
        warnings={"backup": "the newest backup is older than 48 hours"},
    )
    return replace(known, now_s=now_s)


def sun_share(slot: int) -> float:
    """A bright June day in local solar time with some clouds that the clock alone decides."""
    of_day = (slot + 8) % 96  # two hours ahead of UTC
    height = max(0.0, math.sin(math.pi * (of_day - 22) / 64))
    cloud = 1 - 0.18 * (1 + math.sin(slot / 3.7)) / 2 - 0.22 * max(0.0, math.sin(slot / 11.3))
    return float(height**1.25 * cloud * 0.78)


def use_kw(plant: Plant, slot: int, number: int) -> float:
    """A household's curve: breakfast, lunch, a long evening."""
    of_day = (slot + 8) % 96
    bumps = sum(
        size * math.exp(-(((of_day - at - (number % 3)) / wide) ** 2))
        for at, wide, size in ((29, 5, 0.9), (51, 6, 0.8), (79, 9, 1.9))
    )
    today = 1 + 0.2 * math.sin(slot // 96 * 2.3 + number)
    return plant.use_kw * today * (0.75 + 0.15 * math.sin(slot * 1.7 + number) + bumps)


def slot_energies(number: int, slot: int) -> dict[Measure, int]:
    """Wh of every measure of a home in a slot; import minus export closes the balance exactly."""
    plant = plant_of(number)
    sun = round(plant.sun_kw * sun_share(slot) * 250)
    wind = round(plant.wind_kw * (0.25 + 0.2 * math.sin(slot / 17)) * 250)
    used = round(use_kw(plant, slot, number) * 250)
    spare = sun + wind - used
    charge = min(max(0, spare), round(plant.battery_kw * 120))
    discharge = min(max(0, -spare), round(plant.battery_kw * 50))
    net = used + charge - sun - wind - discharge
    energies = {Measure.GRID_IMPORT: max(0, net), Measure.GRID_EXPORT: max(0, -net)}
    if plant.sun_kw:
        energies[Measure.PV_PRODUCTION] = sun
    if plant.wind_kw:
        energies[Measure.WIND_PRODUCTION] = wind
    if plant.battery_kw:
        energies |= {Measure.BATTERY_CHARGE: charge, Measure.BATTERY_DISCHARGE: discharge}
    return energies


def reading_rows(number: int, slots: range) -> Iterator[ReadingRow]:
    home = f"h{number:02}"
    for slot in slots:
        for measure, energy_wh in slot_energies(number, slot).items():
            value: int | None = energy_wh
            mark, gap = Mark.MEASURED, Gap.NONE
            if number == 2 and slot in range(NOW_SLOT - 14, NOW_SLOT - 11) and measure is Measure.PV_PRODUCTION:
                value, mark, gap = None, Mark.MISSING, Gap.IMPLAUSIBLE
            if number == 9 and slot % 96 in range(20, 26):
                value, mark, gap = None, Mark.MISSING, Gap.DEVICE_SILENT
            if number == 7 and slot % 96 in range(60, 66):
                mark = Mark.DERIVED
            yield ReadingRow(home, measure, slot, 1, value, mark, gap)


def consent_of(number: int, *, sharing: int) -> ConsentSet:
    """The first `sharing` homes allow the forecast and prompts; the others only what the contract needs."""
    home = f"h{number:02}"
    if number > sharing:
        return default_consent(home)
    everything = tuple(Measure)[:6]
    rules = [*default_consent(home).rules] + [
        ConsentRule(code, everything, Resolution.PT15M, FIRST_SLOT, None) for code in ("forecast.hood", "prompt.shift")
    ]
    return ConsentSet(home, 3, sort_rules(rules))


def messages_of(number: int, *, sharing: int) -> list[AcceptedMessage]:
    agent, home = f"a-{number:02}", f"h{number:02}"
    last = NOW_SLOT - 30 if number == 11 else NOW_SLOT  # one home has been silent since 02:45
    slots = range(FIRST_SLOT, last)
    device = "silent" if number == 9 else "ok"
    consent = consent_of(number, sharing=sharing)
    body = AcceptedMessage(
        agent=agent,
        home=home,
        epoch=1,
        seq=1,
        kind="consent",
        hash=sha256(agent.encode()).digest(),
        sealed=b"consent",
        received_at=start_of(FIRST_SLOT),
        slot=None,
        readings=(),
        long_intervals=(),
        devices=(),
        consent=encode_consent(consent),
        consent_version=consent.version,
        answer=None,
    )
    total = LongIntervalRow(home, Measure.GRID_IMPORT, NOW_SLOT - 20, 4, 930)
    batch = AcceptedMessage(
        agent=agent,
        home=home,
        epoch=1,
        seq=2,
        kind="batch",
        hash=sha256(home.encode()).digest(),
        sealed=b"batch",
        received_at=start_of(last) + 40,
        slot=last - 1,
        readings=tuple(reading_rows(number, slots)),
        long_intervals=(total,) if number == 2 else (),
        devices=(
            DeviceRow(home, "meter", "ok", 20, start_of(last) + 30),
            DeviceRow(home, "inverter", device, 40 if device == "ok" else 5400, start_of(last) + 30),
        ),
        consent=None,
        consent_version=3,
        answer=None,
    )
    return [body, batch]


def forecast_rows(homes: int) -> list[ForecastRow]:
    """Forecasts from NOW_SLOT for 48 hours, near what the formulas give, with a range that widens."""
    slots = range(NOW_SLOT, NOW_SLOT + 192)
    numbers = range(1, homes + 1)
    sums = {
        "demand": [sum(use_kw(plant_of(n), s, n) * 250 for n in numbers) for s in slots],
        "pv": [sum(plant_of(n).sun_kw * sun_share(s) * 252 for n in numbers) for s in slots],
        "wind": [sum(plant_of(n).wind_kw * 0.27 * 250 for n in numbers) for s in slots],
    }
    spread = np.array([-1.28, -0.67, 0.0, 0.67, 1.28])
    rows = []
    for target, values in sums.items():
        middle = np.array(values)[:, None]
        width = np.linspace(0.08, 0.22, len(slots))[:, None]
        energy = np.maximum(0.0, middle * (1 + width * spread[None, :]))
        rows.append(
            ForecastRow(
                target=target,
                issued_slot=NOW_SLOT,
                first_slot=NOW_SLOT,
                quantiles=QUANTILES,
                energy_wh=energy,
                model="ridge",
                reason="Used a regression on earlier days, the calendar and the weather.",
                drivers=("The forecast sunshine adds 12.4 kWh over the next 24 hours.",),
                weather_issued_at=start_of(NOW_SLOT) - 600,
            )
        )
    return rows


def prompt_rows() -> list[PromptRow]:
    def prompt(
        name: str, number: int, appliance: str, *, back: int, answer: str | None = None, measured: int | None = None
    ) -> PromptRow:
        usual = NOW_SLOT - back + 38
        return PromptRow(
            id=name,
            home=f"h{number:02}",
            member=f"m{number:02}",
            appliance=appliance,
            energy_wh=1150,
            usual_slot=usual,
            proposed_slot=usual - 27,
            duration_slots=6,
            relief_wh=940,
            reasons=(("expected_surplus_wh", 5200), ("relief_wh", 940)),
            issued_slot=NOW_SLOT - back - 1,
            answer_by_slot=usual - 28,
            answer=answer,
            answered_at=start_of(NOW_SLOT - back) if answer else None,
            measured_wh=measured,
        )

    return [
        prompt("p-open", 2, "dishwasher", back=0),
        prompt("p-other", 3, "ev", back=0),
        prompt("p-yes", 2, "washing_machine", back=96, answer="yes", measured=870),
        prompt("p-no", 2, "dishwasher", back=192, answer="no"),
    ]


async def build_street(folder: Path, *, homes: int = 12, sharing: int = 10, is_forecast: bool = True) -> SqliteStore:
    """A store with `homes` homes; m01 is on the board."""
    store = await open_new_store(folder / "hub.sqlite", now=lambda: NOW_S)
    await store.set_coop(COOP)
    messages: list[AcceptedMessage] = []
    for number in range(1, homes + 1):
        name = FAMILIES[number - 1]
        home = Home(f"h{number:02}", HOSTILE if name == HOSTILE else f"Lane {number}", f"m{number:02}")
        member = Member(f"m{number:02}", name, f"m{number:02}@example.org", "en", number == 1, start_of(FIRST_SLOT))
        await store.add_member(member, home)
        await store.add_invite(home.id.encode(), home_id=home.id, expires_at=NOW_SLOT * 900)
        agent = Agent(f"a-{number:02}", home.id, number, sha256(home.id.encode()).digest(), start_of(FIRST_SLOT), None)
        refusal = await store.redeem_invite(home.id.encode(), agent=agent, now=start_of(FIRST_SLOT))
        assert refusal is None, refusal
        messages += messages_of(number, sharing=sharing)
    await store.store_messages(messages)
    await store.set_appliances("h02", [Appliance("h02", "dishwasher", 1150, 6, 79, 32, 92, True)])
    await store.count_refusals([RefusalCount("a-03", "bad_signature", 4, int(NOW_S) - 900, "the signature is wrong")])
    if is_forecast:
        await store.add_forecasts(forecast_rows(min(homes, sharing)))
    await store.add_prompts([row for row in prompt_rows() if int(row.home[1:]) <= homes])
    return store


async def settle_street(store: SqliteStore, *, days: int = 3) -> None:
    """A proportional rule and settled days up to yesterday."""
    rule = Rule(method="proportional", prices=Prices(160_000, 140_000, 320_000, 80_000))
    await store.add_rule(rule.version(), canonical=rule.canonical(), valid_from_day="2026-01-01")
    for back in range(days, 0, -1):
        made_at = int(NOW_S) - (back - 1) * 86_400 - 36_000
        await settle_day(store, day=TODAY - timedelta(days=back), made_at=made_at)


async def order_payouts(store: SqliteStore, members: Sequence[str] = ("m02", "m03")) -> str:
    """An order of payouts to these members, a draft; its message id."""
    dues = []
    for place, member in enumerate(members):
        row = await store.add_account(NewAccount(member, "Household", "AT611904300234573201", member, int(NOW_S)))
        cents = MonthCents(1234 + place, 0, 0)
        dues.append(
            (AmountDue(member, cents.net_cent, (("2026-04", cents), ("2026-05", cents.plus(cents, -1)))), row, None)
        )
    content = order_content(
        dues, kind=PAYOUTS, through="2026-05", pay_on="2026-06-20", made_at=int(NOW_S) - 60, coop=COOP.id,
        number=len(await store.attestations((PAYMENT_ORDER,))) + 1, account=BANK,
    )  # fmt: skip
    head, run_key = (await read_heads(store)).attestation, order_key_of(content)
    said = attest(content, kind=PAYMENT_ORDER, subject="2026-05", run_key=run_key, coop=COOP.id, head=head, key=HUB_KEY)
    await store.attest([as_row(said)])
    return str(content["message_id"])


async def find_on_street(store: SqliteStore) -> None:
    """A stuck meter and a gap of m02, an odd yield of m03, an unbalanced home of the board's m01."""
    place = (FOUND_SLOT, 16)
    found = (
        NewFinding("h02", "frozen_value", Measure.GRID_IMPORT, *place, "hold", (("energy_wh", 345),), "345 Wh."),
        NewFinding("h02", "gap", None, FOUND_SLOT, 4, "note", (("missing", 4), ("reason", 1)), "Missing."),
        NewFinding("h03", "odd_yield", Measure.PV_PRODUCTION, *place, "check", (("percent_of_usual", 50),), "50 %."),
        NewFinding("h01", "unbalanced", None, *place, "check", (("excess_wh", 77),), "77 Wh."),
    )
    await store.put_findings(FOUND_DAY, found, closing="gone", at=1_781_000_000, message_position=1)


async def sign_in_token(store: SqliteStore, member: str) -> str:
    """The token of a new one-time link."""
    token = f"link-{member}-{len(member)}"
    await store.add_sign_in(hash_token(token), member_id=member, expires_at=int(NOW_S) + 3600)
    return token


def inviting_hub(store: SqliteStore) -> InvitingHub:
    return InvitingHub(store, HUB_KEY.public_key().public_bytes_raw(), HUB_SECRET)


def parts_over(store: SqliteStore, *, now_s: float = NOW_S, secure_cookies: bool = False) -> HubParts:
    async def enrol(body: bytes) -> tuple[int, bytes]:
        return (400, b'{"error": "the invitation is unknown"}') if b"good" not in body else (200, b'{"agent": "a-99"}')

    async def status() -> dict[str, object]:
        return {"now_s": now_s, "jobs_due": 0}

    async def health() -> HubHealth:
        return watched_hub(now_s)

    return HubParts(
        store=store,
        clock=Clock(real=lambda: now_s),
        coop=COOP,
        enrol=enrol,
        status=status,
        health=health,
        statements=StatementService(store, key=HubSigner.of_one_key(HUB_KEY), seals=SEALS),
        runs=RunService(store, calendar=RunCalendar(), key=HUB_KEY),
        payments=PaymentService(store, key=HUB_KEY),
        maps=MapService(store),
        invitations=InvitationService(
            HUB_FOLDER, settings=HUB_SETTINGS, hub=inviting_hub(store), clock=Clock(real=lambda: now_s)
        ),
        trials=TrialService(store, shown=ShownPeriods(store), wait_s=60),
        fairness=FairnessService(store, shown=ShownPeriods(store), wait_s=60),
        findings=FindingService(store),
        street=StreetService(store, tz=COOP.tz),
        secure_cookies=secure_cookies,
        bank=BANK,
        host_names=frozenset({"hub.example"}),
        status_key=STATUS_KEY,
    )
