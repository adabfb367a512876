"""Runs a made-up co-op from the first invitation to a booked payment: a hub folder and three agent folders.

It uses the hub as a board does, with commands at a set time, and calls a module only where there is no command.
"""

import asyncio
import json
from collections.abc import Callable, Hashable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from hub.broker.connection import Delivery
from hub.folder.keys.hub_key import load_key
from hub.folder.keys.salt_key import load_own_secret
from hub.folder.opening import open_hub
from hub.folder.paths import KEY_NAME, SALT_NAME
from hub.intake.receiver import Intake
from hub.prompts.delivery import PromptSender
from hub.storage.contract import Store
from hub.storage.jobs.records import Job
from hub.storage.records import Appliance, ForecastRow, Home, Member, NewObjection, PromptRow
from hub.trust.enrolment import Enrolment
from hub.trust.invitation_keys import mask_key
from hub.web.frame.tokens import hash_token
from protocols.durable_files import write_durably
from protocols.enrolment.token import EnrolToken, hub_hash_of
from protocols.hub_keys import HubSigner
from protocols.slots import format_slot, slots_of_day, start_of
from protocols.timeline import Clock, Timeline
from protocols.wire import topics
from protocols.wire.messages import AnswerChoice
from tests.releases.invented_home import COOP_ID, DAYS, TZ, InventedHome, Message, key_file, secret
from tests.releases.release_state import run_hub

MONTH = "2021-10"
FIRST, SECOND = (slots_of_day(day, TZ) for day in DAYS)
NOON, EVENING = FIRST.start + 48, FIRST.start + 72
SILENT = range(SECOND.start + 50, SECOND.start + 53)
SENT = range(SECOND.stop, SECOND.stop + 16)
WAITING = range(SENT.stop, SENT.stop + 16)
"""The next morning: slots the hub has receipted, and slots that still wait in the outbox."""

SETTINGS = (
    ('estimate = "none"', 'connection_w = 14000\nestimate = "straight_line"'),
    ('part_month_fee = "by_day"', 'part_month_fee = "full_month"'),  # the only way that releases up to 0.2.0 knew
    ("holidays = []", 'holidays = ["12-25", "2021-11-01"]'),
)
BANK = """
[bank]                     # test account of a made-up co-op
name = "Example Lane Energy"
iban = "DE89370400440532013000"
creditor_id = "DE98ZZZ09999999999"
smallest_cent = 1
"""
TAXES = """[issuer]
lines = ["Example Lane Energy eG", "Example Lane 1, Exampletown"]

[[rates]]
from = 2021-01-01
bought_ppm = 190000
sold_ppm = 190000
fees_ppm = 190000

[[member]]
id = "m01"
from = 2021-01-01
sells = "standard"
tax_number = "DE 1"

[words]
self_billing = "Gutschrift"
"""
FEES = 'decided = "assembly of 2021-10-01"\nusual = "full"\n[steps]\nfull = 30000\n'
IBANS = {"m01": "AT611904300234573201", "m02": "ES9121000418450200051332", "m03": "DE75512108001245126199"}
BOARD = ("m01", "m02")


class _RecordingBroker:
    """Collects what the hub sends, and counts what it has done with."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.acknowledged = 0

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged += len(deliveries)

    def publish(self, topic: str, sealed: bytes) -> None:
        self.sent.append((topic, sealed))

    def publish_latest(self, topic: str, seal: Callable[[], bytes], *, of: Hashable) -> None:
        self.publish(topic, seal())


class InventedCoop:
    """The hub in `folder` and its homes beside it. `at` sets the present time of all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "hub"
        self.clock_file = folder / "clock.json"
        self.homes = [InventedHome(folder / f"agent-{number}", number) for number in (1, 2, 3)]
        self.now_s = 0.0

    def at(self, day: date, hour: int, minute: int = 0) -> None:
        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(TZ))
        self.now_s = moment.timestamp()
        self.clock_file.write_text(Timeline(0, self.now_s, 0, None).text(), encoding="utf-8")
        for home in self.homes:
            home.now_s = self.now_s

    def command(self, words: str, *more: str) -> str:
        """Run a hub command and return what it prints."""
        code, out = run_hub(self.folder, self.clock_file, words, *more)
        assert code == 0, (words, more, out)
        return out

    def json(self, words: str, *more: str) -> Any:
        return json.loads(self.command(words, *more, "--json"))

    async def opened(self) -> Store:
        _, _, store = await open_hub(self.folder, clock=self.clock)
        return store

    @property
    def clock(self) -> Clock:
        return Clock(real=lambda: self.now_s)

    async def send(self, messages: list[Message]) -> list[Message]:
        """Deliver messages to the hub's intake and return its receipts."""
        store, broker = await self.opened(), _RecordingBroker()
        key = load_key(self.folder / KEY_NAME)
        intake = Intake(store, coop=COOP_ID, key=key, clock=self.clock, broker=broker)
        await intake.agents_changed()
        deliveries = [Delivery(topic, sealed, 1, number, 1) for number, (topic, sealed) in enumerate(messages, start=1)]
        intake.offer(deliveries)
        while broker.acknowledged < len(deliveries):
            await intake.work_once()
        await store.close()
        return broker.sent

    def begin(self) -> None:
        """Make the hub with its settings, invite the members and enrol their agents."""
        self.at(DAYS[0], 9)
        self.folder.mkdir(mode=0o700)
        write_durably(self.folder / KEY_NAME, key_file(secret("hub", 0)))
        write_durably(self.folder / SALT_NAME, secret("salts", 0).hex().encode() + b"\n")
        self.command(f"init --coop {COOP_ID} --tz {TZ}", "--name", "Example Lane Energy")
        settings = self.folder / "hub.toml"
        text = settings.read_text(encoding="utf-8")
        for before, after in SETTINGS:
            assert before in text, f"init no longer writes {before!r} into hub.toml"
            text = text.replace(before, after)
        settings.write_text(text + BANK, encoding="utf-8")
        (self.folder / "tax.toml").write_text(TAXES, encoding="utf-8")
        asyncio.run(self._invite())
        for home in self.homes:
            home.enrol(lambda body: asyncio.run(self._enrol(body)), token=self._token_of(home))

    async def _invite(self) -> None:
        store = await self.opened()
        for home in self.homes:
            # Home 3 joins in the evening of the first day.
            joined = start_of(EVENING if home.number == 3 else NOON)
            name, email = f"Household {home.number}", f"{home.member}@example.org"
            member = Member(home.member, name, email, "en", home.member in BOARD, joined)
            await store.add_member(member, Home(home.home, f"Lane {home.number}", home.member))
            until = int(self.now_s) + 86_400
            token = self._token_of(home)
            masked = mask_key(token.key, token_id=token.id, secret=load_own_secret(self.folder))
            await store.add_invite(token.id, home_id=home.home, expires_at=until, masked_key=masked)
        await store.close()

    def _token_of(self, home: InventedHome) -> EnrolToken:
        return EnrolToken(home.secret, hub_hash_of(load_key(self.folder / KEY_NAME).public_key().public_bytes_raw()))

    async def _enrol(self, body: bytes) -> bytes:
        async def nobody_runs() -> None:
            return None

        store = await self.opened()
        enrolment = Enrolment(
            store,
            coop=await store.coop(),
            signer=HubSigner.of_one_key(load_key(self.folder / KEY_NAME)),
            secret=load_own_secret(self.folder),
            broker=lambda: ("127.0.0.1", 1883),
            clock=self.clock,
            agents_changed=nobody_runs,
        )
        status, answer = await enrolment(body)
        await store.close()
        assert status == 200, answer
        return answer

    def run_two_days(self) -> None:
        """Home 2 is offline in the first evening; home 1 allows more from the second day on."""
        one, two, three = self.homes
        self.at(DAYS[1], 0, 5)
        asyncio.run(one.run(range(NOON, FIRST.stop), send=self.send))
        asyncio.run(two.run(range(NOON, EVENING), send=self.send))
        asyncio.run(two.run(range(EVENING, FIRST.stop)))
        asyncio.run(three.run(range(EVENING, FIRST.stop), send=self.send))
        self.at(DAYS[1], 3, 30)
        self.command(f"settle --day {DAYS[0]}")
        one.allow_more(format_slot(SECOND.start))
        asyncio.run(self._plan())
        self.at(DAYS[1], 8)
        self._answer_prompts()
        self.at(date(2021, 11, 1), 0, 5)
        for home in self.homes:
            asyncio.run(home.run(SECOND, send=self.send, silent=SILENT if home is three else range(0)))
        two.answer("p-4", AnswerChoice.NEVER_APPLIANCE)
        asyncio.run(two.deliver(self.send))
        noise = topics.uplink_topic(COOP_ID, two.identity.signer.agent, kind="batch")
        asyncio.run(self.send([(noise, b"noise")]))
        self.at(date(2021, 11, 1), 3, 30)
        self.command(f"settle --day {DAYS[0]} {DAYS[1]}")

    async def _plan(self) -> None:
        """A forecast with its weather, prompts, and the appliance they are about."""
        store = await self.opened()
        await store.set_appliances("h01", [Appliance("h01", "dishwasher", 1150, 6, 79, 32, 92, True)])
        slots = range(SECOND.start + 32, SECOND.start + 48)
        hours = [start_of(slots.start) + 3600 * number for number in range(4)]
        await store.add_weather(int(self.now_s), rows=[(hour, 11.5, 80.0, 3.25) for hour in hours])
        middle = np.arange(len(slots), dtype=np.float64)[:, None] * 25.0 + 400.0
        energy_wh = middle + np.array([-100.0, 0.0, 100.0])
        row = ForecastRow(
            target="demand",
            issued_slot=SECOND.start + 14,
            first_slot=slots.start,
            quantiles=(0.1, 0.5, 0.9),
            energy_wh=energy_wh,
            model="ridge",
            reason="Used a regression on earlier days, the calendar and the weather.",
            drivers=("The forecast temperature adds 1.2 kWh over the next 24 hours.",),
            weather_issued_at=int(self.now_s),
        )
        await store.add_forecasts([row])
        rows = [_prompt(number) for number in (1, 2, 3, 4)]
        await store.add_prompts(rows[:3])
        await store.set_measured({"p-1": (870, 210)})
        await store.put_job(Job("settlement", int(self.now_s) + 86_400, int(self.now_s), ""))
        broker = _RecordingBroker()
        key = load_key(self.folder / KEY_NAME)
        sender = PromptSender(store, coop=COOP_ID, key=key, link=broker)
        for prompt in rows:
            assert await sender.send(prompt)
        await store.close()
        *of_one, of_two = broker.sent
        await self.homes[0].take_prompts(of_one)
        await self.homes[1].take_prompts([of_two])

    def _answer_prompts(self) -> None:
        """Home 1 answers two prompts; the hub gets one answer, the other waits for the agent."""
        one = self.homes[0]
        one.answer("p-1", AnswerChoice.YES)
        asyncio.run(one.deliver(self.send))
        one.answer("p-2", AnswerChoice.NO)

    def close_the_month(self) -> None:
        """The board decides on a finding, books fees and M1, publishes M1 and pays what is due."""
        self.at(date(2021, 11, 2), 10)
        waiting = [each for each in self.json("findings", "--member", "m01") if each["waiting"]]
        (surge,) = [each for each in waiting if each["code"] == "impossible"]
        self.command(f"findings --decide {surge['id']} estimate --member m01", "--reason", "A cable was being tested.")
        self.at(date(2021, 11, 3), 3, 30)
        self.command(f"settle --day {DAYS[1]}")
        self.at(date(2021, 11, 9), 10)
        plan = self.clock_file.with_name("fees.toml")
        plan.write_text(FEES, encoding="utf-8")
        self.command(f"funds fees --month {MONTH} --by m01", "--plan", str(plan))
        run = self.json(f"settle --month {MONTH} --kind M1")["run_key"]
        for member in BOARD:
            self.command(f"approve --run {run} --member {member}")
        self.command(f"approve --run {run} --member m01 --publish")
        asyncio.run(self._object())
        self._pay()

    async def _object(self) -> None:
        """One objection with a decision and one without; a sign-in link and a session."""
        store = await self.opened()
        at = int(self.now_s)
        for member, day, line in (("m03", str(DAYS[1]), "received"), ("m02", "", "credit")):
            words = ("11" * 32, "This is more than we remember.", at, at + 30 * 86_400)
            assert await store.add_objection(NewObjection(member, MONTH, day, line, 1, *words)) is None
        (first, *_) = await store.objections(member="m03")
        reason = "The meter of the home counted it."
        await store.decide_objection(first.id, board_member="m01", verdict="rejected", reason=reason, at=at)
        for member in BOARD:
            await store.add_sign_in(hash_token(f"link of {member}"), member_id=member, expires_at=at + 86_400)
        session = hash_token("session of m02")
        await store.redeem_sign_in(hash_token("link of m02"), session_hash=session, expires_at=at + 86_400, now=at)
        await store.close()

    def _pay(self) -> None:
        letter = self.clock_file.with_name("letter.txt")
        for member, iban in IBANS.items():
            letter.write_text(iban, encoding="ascii")
            mandate = ["--mandate-signed", str(DAYS[0]), "--mandate", f"EXAMPLE-{member}"] if member != "m01" else []
            self.command(f"account --member {member} --by m01 --iban-file", str(letter), *mandate)
        wish = f"payments --kind payouts --month {MONTH} --date 2021-11-15 --member m01"
        (order,) = self.json(wish)["orders"]
        for member in BOARD:
            self.command(f"payments --approve {order['message_id']} --member {member}")
        self.command(wish, "--out", str(self.clock_file.with_name("payouts.xml")))
        self.at(date(2021, 11, 15), 12)
        self.command(f"payments --booked {order['message_id']} --date 2021-11-15 --member m01")

    def begin_the_next_month(self) -> None:
        """Home 1 sends a part of the next morning; the rest waits in the outbox."""
        one = self.homes[0]
        self.at(date(2021, 11, 1), 8, 5)
        asyncio.run(one.run(SENT, send=self.send))
        asyncio.run(one.run(WAITING))
        asyncio.run(one.forget(start_of(SENT.start) + 3600))


def _prompt(number: int) -> PromptRow:
    """Prompts 1 to 3 are for home 1. The hub does not store the fourth, so it refuses home 2's answer."""
    usual = SECOND.start + 60 + number
    home = 2 if number == 4 else 1
    return PromptRow(
        id=f"p-{number}",
        home=f"h{home:02d}",
        member=f"m{home:02d}",
        appliance="dishwasher",
        energy_wh=1150,
        usual_slot=usual,
        proposed_slot=usual - 20,
        duration_slots=6,
        relief_wh=940,
        reasons=(("expected_surplus_wh", 5200), ("relief_wh", 940)),
        issued_slot=SECOND.start + 14,
        answer_by_slot=SECOND.stop + 4 if number == 4 else usual - 21,
        answer=None,
        answered_at=None,
        measured_wh=None,
    )


def run_coop(folder: Path) -> InventedCoop:
    """Everything that happens to the co-op, in an empty folder."""
    coop = InventedCoop(folder)
    coop.begin()
    coop.run_two_days()
    coop.begin_the_next_month()
    coop.close_the_month()
    return coop
