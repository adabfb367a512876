"""A home with a summer of history and a page to look at, without devices or hub: values put in by hand."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.home_store.contents import KeptQuarter
from edge_agent.home_store.live_values import LiveValues
from edge_agent.home_store.store import HomeStore
from edge_agent.metering.counter_records import ReadingVerdict
from edge_agent.metering.home_meter import ClosedSlot, MeasuringPoint, Sample
from edge_agent.outbox.opening import open_outbox
from edge_agent.page.guard import Gate
from edge_agent.page.running_home import DeviceFacts, RunningHome
from edge_agent.page.server import PageServer, ServingLimits
from edge_agent.page.site import PageSite
from edge_agent.page_settings import PageSettings
from edge_agent.settings import parse_settings
from edge_agent.uplink.sealing import AgentSigner, BatchContext, ConsentFilter, seal_consent_notice
from edge_agent.uplink.sending_switch import SendingSwitch
from protocols.consent.reduction import SlotValue
from protocols.consent.rules import default_consent, encode_consent
from protocols.consent.text import consent_toml
from protocols.durable_files import make_private_folder
from protocols.enrolment.answer import EnrolAnswer, build_answer
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import SLOTS_PER_UTC_DAY, parse_slot, start_of
from protocols.wire.readings import ClockTrust, DeviceState, Liveness
from protocols.wire.receipts import Receipt
from protocols.wire.refusal_reasons import RefusalReason
from protocols.wire.topics import shard_of
from tests.edge_agent.hand_clock import until

TZ = "Europe/Berlin"
NOW_SLOT = parse_slot("2026-06-11T10:15Z")
NOW_S = start_of(NOW_SLOT) + 100.0
NAMES = frozenset({"localhost", "pi.local"})
CONFIG = b"""
data = "data"
[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://192.168.1.20:502"
max_power_w = 15000
[[device]]
name = "roof"
map = "shelly-pro3em"
role = "pv"
connect = "tcp://192.168.1.21:502"
max_power_w = 10000
"""
GRID = MeasuringPoint("meter", "grid", 15_000)
SUN = MeasuringPoint("roof", "pv", 10_000)
POINTS = (GRID, SUN)
ENROLLED = EnrolAnswer(
    coop="sonnenstrasse",
    home="h07",
    agent="a-07",
    shard=shard_of("a-07"),
    hub_public_key=Ed25519PrivateKey.generate().public_key().public_bytes_raw(),
    broker_host="127.0.0.1",
    broker_port=1,
    tz=TZ,
    consent=consent_toml(default_consent("h07")),
)


class PageHome:
    """A home at a time of the test's choosing."""

    def __init__(self, folder: Path, *, points: tuple[MeasuringPoint, ...] = POINTS, now_s: float = NOW_S) -> None:
        make_private_folder(folder)
        self.folder = folder
        self.consent_path = folder.parent / "consent.toml"
        (folder / "enrolment.json").write_text(build_answer(ENROLLED))
        self.now_s = now_s
        self.live = LiveValues()
        self.switch = SendingSwitch(folder)
        self.woken = 0
        self.device_states = [DeviceState("meter", Liveness.OK, 3), DeviceState("roof", Liveness.SILENT, 5400)]
        settings = parse_settings(CONFIG, name="agent.toml", folder=folder.parent)
        self.running = RunningHome(
            folder=folder,
            agent="a-07",
            home="h07",
            coop="sonnenstrasse",
            tz=TZ,
            interval_s=10,
            devices=settings.devices,
            places=points,
            live=self.live,
            switch=self.switch,
            now=lambda: self.now_s,
            consent_path=self.consent_path,
            states=lambda: self.device_states,
            facts=lambda: {"meter": DeviceFacts("silver"), "roof": DeviceFacts("bronze", 12, "no answer within 1.0 s")},
            is_connected=lambda: True,
            wake=self.wake,
        )
        self.gate = Gate(folder, now=lambda: self.now_s)
        self.site = PageSite(self.running, names=NAMES, gate=self.gate)

    def wake(self) -> None:
        self.woken += 1

    def show(self, place: MeasuringPoint, power_w: int | None, *, age_s: float = 2.0) -> None:
        self.live.note(place, Sample(self.now_s - age_s, {}, power_w), ReadingVerdict.GOOD)

    def connections(self) -> int:
        return self.server.connections

    @contextlib.asynccontextmanager
    async def served(self, limits: ServingLimits | None = None) -> AsyncIterator[int]:
        """Its page on a free port."""
        server = PageServer(
            PageSettings("127.0.0.1", 0), answer=self.site.answer, refuse=self.site.refuse, limits=limits
        )
        self.server = server
        task = asyncio.create_task(server.run())
        await until(lambda: server.port, what="the server's port")
        try:
            yield server.port
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def fill_outbox(self) -> None:
        """Some messages: a consent, readings with a receipt, one refused, one waiting."""
        signer = AgentSigner("sonnenstrasse", "a-07", Ed25519PrivateKey.generate())
        consent = default_consent("h07")
        async with open_outbox(self.folder, max_mb=64, now_s=1_790_000_000) as (outbox, _):
            notice = seal_consent_notice(signer, consent)
            await outbox.append_consent(consent.version, encode_consent(consent), notice=notice, now_s=NOW_S - 4000)
            allowed = ConsentFilter(consent)
            context = BatchContext(1, ClockTrust.TRUSTED, int(NOW_S) - 100)
            for slot in range(NOW_SLOT - 3, NOW_SLOT):
                quarter = summer_quarter(slot)
                closed = ClosedSlot(slot, quarter.values, ())
                sealing = allowed.batch(signer, closed, devices=self.device_states, context=context)
                await outbox.append([sealing], now_s=start_of(slot + 1) + 2)
            refused = ((3, RefusalReason.CLOCK_WINDOW),)
            told = Receipt("a-07", outbox.next_link.epoch, 3, bytes([1]) * 32, (), int(NOW_S), refused)
            await outbox.note_receipt(told, published=[1, 2, 3], now_s=NOW_S - 60)


def summer_quarter(slot: int) -> KeptQuarter:
    """A plausible quarter hour: sun by day, cooking in the evening, one hour in which the roof's meter was silent."""
    hour = (slot % SLOTS_PER_UTC_DAY) / 4
    sun_wh = max(0, round(1500 * math.sin((hour - 4) / 15 * math.pi))) if 4 < hour < 19 else 0
    use_wh = 80 + (260 if 16 <= hour < 19 else 0) + (slot * 7919 % 60)
    values = {
        Measure.GRID_IMPORT: SlotValue(max(0, use_wh - sun_wh), Mark.MEASURED),
        Measure.GRID_EXPORT: SlotValue(max(0, sun_wh - use_wh), Mark.MEASURED),
        Measure.PV_PRODUCTION: SlotValue(sun_wh, Mark.MEASURED),
    }
    if slot % SLOTS_PER_UTC_DAY in range(20, 24):
        values[Measure.PV_PRODUCTION] = SlotValue(None, Mark.MISSING, Gap.DEVICE_SILENT)
    watts = tuple(4 * (use_wh - sun_wh) + (slot * 31 + minute * 17) % 90 for minute in range(15))
    return KeptQuarter(slot, values, (), {"meter/grid": watts})


def fill_history(folder: Path, *, days: int = 40) -> None:
    """History up to NOW_SLOT."""
    store = HomeStore(folder, now_s=NOW_S)
    store.keep([summer_quarter(slot) for slot in range(NOW_SLOT - days * SLOTS_PER_UTC_DAY, NOW_SLOT)])
    store.close()


async def ask(port: int, head: str, body: bytes = b"") -> tuple[int, dict[str, str], str]:
    """Send these bytes; status, headers and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return read_answer(answer)


def read_answer(answer: bytes) -> tuple[int, dict[str, str], str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body.decode()


async def get(port: int, path: str, *headers: str) -> tuple[int, dict[str, str], str]:
    """GET it, as a browser on this computer."""
    return await ask(port, "\n".join([f"GET {path} HTTP/1.1", f"Host: localhost:{port}", *headers]))


async def post(port: int, path: str, body: str, *headers: str) -> tuple[int, dict[str, str], str]:
    """POST this form, as a browser on this computer."""
    lines = [f"POST {path} HTTP/1.1", f"Host: localhost:{port}", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: application/x-www-form-urlencoded", *headers]
    return await ask(port, "\n".join(lines), body.encode())
