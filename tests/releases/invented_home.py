"""A made-up home with the real agent: it meters, seals, sends and keeps receipts. Its number decides every value."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_agent.household import consent_in_force, read_consent
from edge_agent.metering.home_meter import HomeMeter, MeasuringPoint, Sample, read_checkpoint
from edge_agent.outbox.messages import ReceiptState
from edge_agent.outbox.opening import open_outbox
from edge_agent.outbox.store import Outbox
from edge_agent.outbox.view import leave_answer
from edge_agent.run_loop import LoopParts, SlotCloser
from edge_agent.setup.enrolment import enrol
from edge_agent.uplink.hub_keys import KnownHubKeys
from edge_agent.uplink.identity import KEY_FILE, Identity, hub_keys_of, load_identity
from edge_agent.uplink.sealing import ConsentFilter, seal_answer
from protocols.durable_files import write_durably
from protocols.enrolment.token import EnrolToken, token_text
from protocols.quantities import Gap
from protocols.slots import SLOT_S, Slot, slots_of_day, start_of
from protocols.timeline import Clock
from protocols.wire.messages import AnswerChoice, decode_prompt
from protocols.wire.readings import DeviceState, Liveness
from protocols.wire.receipts import decode_receipt

SEED = b"commonwatt kept release: test keys of a made-up co-op\n"
COOP_ID, TZ = "example-lane", "Europe/Berlin"
DAYS = (date(2021, 10, 30), date(2021, 10, 31))
"""The last two days of a month; the clocks go back in the night between them."""
SURGE_SLOT = slots_of_day(DAYS[1], TZ).start + 76
SURGE_WH = 4_200
METER = MeasuringPoint("meter", "grid", 20_000)
PANELS = MeasuringPoint("inverter", "pv", 8_000)
PANEL_PEAKS = {1: 90, 2: 45}
CONFIG = """# The agent of a made-up home.
data = "data"
consent = "consent.toml"

[hub]
url = "http://127.0.0.1:8400"
coop = "{coop}"

[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:1502"
max_power_w = {meter_w}

[[device]]
name = "inverter"
map = "huawei-sun2000"
role = "pv"
connect = "tcp://127.0.0.1:1503"
max_power_w = {panels_w}
"""
MORE_CONSENT = """home = "{home}"
version = 2

[[rule]]
purpose = "forecast.hood"
measures = ["grid_import", "grid_export", "pv_production"]
resolution = "PT15M"
valid_from = "{valid_from}"

[[rule]]
purpose = "prompt.shift"
measures = ["grid_import", "pv_production"]
resolution = "PT15M"
valid_from = "{valid_from}"
"""

Message = tuple[str, bytes]
"""(topic, sealed bytes)."""
Send = Callable[[list[Message]], Awaitable[list[Message]]]
"""Delivers messages to the hub and returns what the hub sends back."""


class _Answering:
    """Devices that answered five seconds ago."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names)

    async def run(self) -> None:
        """Reads nothing: InventedHome passes the samples to the meter."""

    def states(self) -> list[DeviceState]:
        return [DeviceState(name, Liveness.OK, 5) for name in self._names]


class InventedHome:
    """Home number n with its own folder. `now_s` is its present time."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.number = number
        self.home, self.member = f"h{number:02d}", f"m{number:02d}"
        self.secret = secret("token", number)[:16]
        self.now_s = 0.0
        self._places = (METER, PANELS) if number in PANEL_PEAKS else (METER,)
        self._counters = {"import_wh": 10_000 * number, "export_wh": 2_000 * number, "production_wh": 5_000 * number}

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def identity(self) -> Identity:
        return load_identity(self.data)

    @property
    def _hub_keys(self) -> KnownHubKeys:
        return hub_keys_of(self.data, self.identity.enrolment, now=lambda: self.now_s)

    def enrol(self, post: Callable[[bytes], bytes], *, token: EnrolToken) -> None:
        """Make the folder and the key, and enrol with the token. `post` sends the request to the hub."""
        self.folder.mkdir(mode=0o700)
        self.data.mkdir(mode=0o700)
        config = CONFIG.format(coop=COOP_ID, meter_w=METER.max_power_w, panels_w=PANELS.max_power_w)
        (self.folder / "agent.toml").write_text(config, encoding="utf-8")
        write_durably(self.data / KEY_FILE, key_file(secret("agent", self.number)), replace=True)
        identity = enrol(self.data, token_text(token), coop=COOP_ID, post=post)
        (self.folder / "consent.toml").write_text(identity.enrolment.consent, encoding="utf-8")

    def allow_more(self, valid_from: str) -> None:
        """Edit the household's consent; the agent applies it at its next start."""
        text = MORE_CONSENT.format(home=self.home, valid_from=valid_from)
        (self.folder / "consent.toml").write_text(text, encoding="utf-8")

    async def run(self, slots: range, *, send: Send | None = None, silent: range = range(0)) -> None:
        """Start the agent, meter these slots and stop it. With `send` it sends every waiting message.

        No device answers in the slots of `silent`.
        """
        async with open_outbox(self.data, max_mb=8, now_s=self.now_s) as (outbox, aside):
            assert aside is None, "the outbox was damaged"
            gate = await self._gate(outbox)
            clock = Clock(real=lambda: self.now_s)
            metering = await self._metering(outbox, slots.start)
            closing = SlotCloser(LoopParts(clock, self.identity.signer, gate, outbox, 7, lambda: True), metering)
            closing.readers = [_Answering(place.device for place in self._places)]
            for slot in range(slots.start, slots.stop + 1):
                self.now_s = start_of(slot) + 20.0
                self._read(metering, slot, is_first=slot == slots.start, is_silent=slot in silent)
                await closing.store_closed()
            if send is not None:
                await self._deliver(outbox, send)

    async def deliver(self, send: Send) -> None:
        """Start the agent only to send its answers and waiting messages, and to take the receipts."""
        async with open_outbox(self.data, max_mb=8, now_s=self.now_s) as (outbox, _):
            await self._gate(outbox)
            for prompt_id, choice, at in await outbox.given_answers():
                sealing = seal_answer(self.identity.signer, prompt_id, choice=choice, at=at)
                await outbox.append_answer(prompt_id, sealing, choice=choice, at=at, now_s=self.now_s)
            await self._deliver(outbox, send)

    async def take_prompts(self, messages: Iterable[Message]) -> None:
        """Keep the prompts the hub sent."""
        async with open_outbox(self.data, max_mb=8, now_s=self.now_s) as (outbox, _):
            for topic, sealed in messages:
                payload = self._hub_keys.open(sealed, topic)
                await outbox.keep_prompt(decode_prompt(payload).prompt_id, payload, now_s=self.now_s)

    def answer(self, prompt_id: str, choice: AnswerChoice) -> None:
        """Answer a prompt as a person of the household."""
        leave_answer(self.data, prompt_id, choice=choice, now_s=self.now_s)

    async def forget(self, before_s: float) -> None:
        """Delete messages that got their receipt before this time."""
        async with open_outbox(self.data, max_mb=8, now_s=self.now_s) as (outbox, _):
            await outbox.forget(before_s=before_s)

    async def _gate(self, outbox: Outbox) -> ConsentFilter:
        text = (self.folder / "consent.toml").read_text(encoding="utf-8")
        wanted = read_consent(text, name="consent.toml", home=self.home)
        consent = await consent_in_force(outbox, self.identity, wanted=wanted, name="consent.toml", now_s=self.now_s)
        return ConsentFilter(consent)

    async def _metering(self, outbox: Outbox, slot: Slot) -> HomeMeter:
        """The meter at the beginning of this slot: a new one, or one that resumes from the checkpoint."""
        kept = await outbox.checkpoint()
        next_slot, bases = read_checkpoint(kept) if kept else (slot, {})
        assert next_slot == slot, "run the slots of a home in order"
        self._counters |= {name.rpartition("/")[2]: base.counter_wh for name, base in bases.items()}
        return HomeMeter(self._places, next_slot=next_slot, longest_hole_s=300, bases=bases)

    def _read(self, metering: HomeMeter, slot: Slot, *, is_first: bool, is_silent: bool) -> None:
        """Take the readings of the slot before and the one at the beginning of `slot`, which ends it."""
        before = dict(self._counters)
        ran = dict.fromkeys(before, 0) if is_first else energies_wh(self.number, slot - 1)
        self._counters = {name: counter_wh + ran[name] for name, counter_wh in before.items()}
        for place in self._places:
            names = ("import_wh", "export_wh") if place is METER else ("production_wh",)
            power_w = sum(ran[name] * (-4 if name == "export_wh" else 4) for name in names)
            for second in () if is_silent else (SLOT_S,) if is_first else (1, 300, 600, SLOT_S):
                shown = {name: before[name] + ran[name] * second // SLOT_S for name in names}
                metering.add_sample(place, Sample(start_of(slot - 1) + second, shown, power_w))
            if is_first:
                metering.open(place)
            else:
                metering.close(place, Gap.DEVICE_SILENT)

    async def _deliver(self, outbox: Outbox, send: Send) -> None:
        waiting = await outbox.waiting(after=0, limit=1000)
        answers = await send([(each.topic, each.sealed) for each in waiting])
        published = [each.seq for each in waiting]
        for topic, sealed in answers:
            receipt = decode_receipt(self._hub_keys.open(sealed, topic))
            told = ReceiptState(receipt.through_seq, receipt.stored_at)
            await outbox.note_receipt(receipt, published=published, now_s=self.now_s, state=told)


def energies_wh(number: int, slot: Slot) -> dict[str, int]:
    """What a home's counters count in a slot, from integers only. Home 3 exceeds its connection once."""
    of_day = slot % 96
    load = 60 + (slot * 37 + number * 101) % 240 + (180 if of_day in range(68, 84) else 0)
    if number == 3 and slot == SURGE_SLOT:
        load = SURGE_WH
    sun = max(0, 20 - abs(of_day - 44)) * PANEL_PEAKS.get(number, 0)
    net = load - sun
    return {"import_wh": max(net, 0), "export_wh": max(-net, 0), "production_wh": sun}


def secret(what: str, number: int) -> bytes:
    """32 bytes in place of random ones: always the same, and public."""
    return sha256(SEED + f"{what} {number}".encode()).digest()


def key_file(private: bytes) -> bytes:
    """The content of a key file."""
    key = Ed25519PrivateKey.from_private_bytes(private)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
