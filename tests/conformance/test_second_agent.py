"""A hub and an agent written from the document alone: refused numbers, a clock ahead, answers, odd batches."""

from collections.abc import AsyncIterator, Hashable
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.broker.connection import Delivery
from hub.broker.link.outgoing import Seal, Taken
from hub.intake.homes_link import HomesLink
from hub.intake.receiver import Intake
from hub.storage.records import PromptRow
from hub.storage.sqlite.store import SqliteStore
from protocols.hub_keys import HubKeyCertificate, seal_certificate
from protocols.timeline import Clock
from tests.conformance.second_agent import SecondAgent
from tests.hub.sending_home import COOP, FIRST_SLOT, NOW_S, SendingHome, open_store

HUB_KEY = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
GARBAGE, CLOCK_WINDOW, OUTSIDE_CONSENT, EXPIRED = 1, 9, 10, 12
NOW_SLOT = NOW_S // 900


class Street:
    """One hub and the second agent; what either sends reaches the other."""

    def __init__(self, store: SqliteStore, home: SendingHome) -> None:
        self.store = store
        self.now_s = NOW_S
        self.sent: list[tuple[str, bytes]] = []
        self.intake = Intake(store, coop=COOP.id, key=HUB_KEY, clock=Clock(lambda: float(self.now_s)), broker=self)
        self.agent = SecondAgent(COOP.id, home.agent, home.key, HUB_KEY.public_key())

    def acknowledge(self, deliveries: list[Delivery]) -> None:
        """PUBACK proves nothing."""

    def publish(self, topic: str, sealed: bytes, *, is_kept: bool = False) -> None:
        self.sent.append((topic, sealed))

    def publish_latest(self, topic: str, seal: Seal, *, of: Hashable, taken: Taken | None = None) -> None:
        if (sealed := seal()) is not None:
            self.publish(topic, sealed)

    async def exchange(self, *more: tuple[str, bytes], times: int = 1) -> None:
        """The agent sends everything without a receipt, and hears what the hub says to it."""
        for _ in range(times):
            up = [*self.agent.outgoing(), *more]
            self.intake.offer([Delivery(topic, sealed, 1, n, 1) for n, (topic, sealed) in enumerate(up)])
            await self.intake.work_once()
            down, self.sent = self.sent, []
            for topic, sealed in down:
                self.agent.hear(topic, sealed)


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    home = SendingHome("h01")
    store = await open_store(tmp_path, [home])
    yield Street(store, home)
    await store.close()


async def last_slot(street: Street) -> int | None:
    (row,) = await street.store.fleet(slots=range(0))
    return row.last_slot


async def test_it_goes_on_after_a_number_whose_content_is_refused(street: Street) -> None:
    agent = street.agent
    agent.add_batch(FIRST_SLOT)
    agent.add("batch", {6: "a form of a later version"}, version=2)
    agent.add_batch(FIRST_SLOT + 1)
    await street.exchange()
    assert (agent.kept, agent.refused, agent.epoch) == ([], [(1, 2, GARBAGE)], 1)
    agent.add_batch(FIRST_SLOT + 2)
    await street.exchange()
    assert agent.kept == []
    assert await last_slot(street) == FIRST_SLOT + 2


async def test_it_goes_on_after_a_message_the_hub_can_never_number(street: Street) -> None:
    agent = street.agent
    agent.add_batch(FIRST_SLOT)
    agent.add("batch", {9: "no epoch, no number"}, head=(1, 2))
    agent.add_batch(FIRST_SLOT + 1)
    agent.add_batch(FIRST_SLOT + 2)
    await street.exchange(times=2)
    assert (agent.kept, agent.told, agent.refused) == ([], [(1, 2, GARBAGE)], [])
    assert agent.epoch == 2
    assert await last_slot(street) == FIRST_SLOT + 2
    assert await street.store.message_count() == 3


async def test_batches_sealed_by_a_clock_that_was_ahead_do_not_stop_it(street: Street) -> None:
    agent, years = street.agent, 5 * 365 * 96
    for slot in (NOW_SLOT - 2, NOW_SLOT + years, NOW_SLOT + years + 1):
        agent.add_batch(slot)
    await street.exchange(agent.question(NOW_S + years * 900, 2))
    assert agent.refused == [(1, 2, CLOCK_WINDOW), (1, 3, CLOCK_WINDOW)]
    assert agent.hub_time == NOW_S
    agent.add_batch(agent.hub_time // 900 - 1)
    await street.exchange()
    assert agent.kept == []
    assert await last_slot(street) == NOW_SLOT - 1
    (row,) = await street.store.fleet(slots=range(0))
    assert row.clock is not None
    assert (row.clock.ahead_s, row.clock.state) == (years * 900, "held")


@pytest.mark.parametrize(
    ("columns", "closed", "reason"),
    [
        ([[1, 1, 5, 0, 0, 0]], None, OUTSIDE_CONSENT),
        ([[1, 4, 5, 0, 0, 0], [2, 1, 0, 0, 0, 0]], None, OUTSIDE_CONSENT),
        ([[1, 1, None, 0, 3, 1], [2, 1, 0, 0, 0, 0]], None, None),
        (None, 0, CLOCK_WINDOW),
        (None, (FIRST_SLOT // 4 * 4 + 4) * 900 - 601, CLOCK_WINDOW),
        (None, (FIRST_SLOT // 4 * 4 + 4) * 900 - 600, None),
    ],
)
async def test_what_section_6_refuses_and_allows(
    street: Street, columns: list[list[int | None]] | None, closed: int | None, reason: int | None
) -> None:
    street.agent.add_batch(FIRST_SLOT // 4 * 4 + 3, columns=columns, closed=closed)
    await street.exchange()
    assert street.agent.kept == []
    assert street.agent.refused == ([] if reason is None else [(1, 1, reason)])


async def test_it_follows_the_hub_to_its_next_key_and_hears_no_other(street: Street) -> None:
    agent, now = street.agent, NOW_S

    def hub_with(number: int, *, by: Ed25519PrivateKey) -> None:
        key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        made = HubKeyCertificate(COOP.id, number, key.public_key().public_bytes_raw(), now, now + 9, now)
        homes = HomesLink(street, seal_certificate(made, by))
        street.intake = Intake(street.store, coop=COOP.id, key=key, clock=Clock(lambda: float(now)), broker=homes)

    hub_with(1, by=HUB_KEY)
    agent.add_batch(FIRST_SLOT)
    await street.exchange()
    assert agent.kept == []
    hub_with(2, by=Ed25519PrivateKey.from_private_bytes(b"x" * 32))
    agent.add_batch(FIRST_SLOT + 1)
    await street.exchange()
    assert len(agent.kept) == 1, "a receipt under a key that the identity key did not sign is none"


async def test_overlapping_totals_are_kept_and_a_worse_mark_replaces_nothing(street: Street) -> None:
    totals = [[1, FIRST_SLOT - 90 + n, 40, 500] for n in range(32)]
    street.agent.add_batch(FIRST_SLOT, columns=[[1, 1, 70, 0, 1, 0], [2, 1, 0, 0, 0, 0]], totals=totals)
    street.agent.add_batch(FIRST_SLOT, columns=[[1, 1, None, 0, 3, 1], [2, 1, 9, 0, 0, 0]])
    street.agent.add_batch(FIRST_SLOT, columns=[[1, 1, 75, 0, 0, 0], [2, 1, 9, 0, 0, 0]])
    street.agent.add_batch(FIRST_SLOT, columns=[[1, 1, 99, 0, 0, 0], [2, 1, 9, 0, 0, 0]])
    await street.exchange()
    assert (street.agent.kept, street.agent.refused) == ([], [])
    async with street.store.reading() as db:
        rows = await db.execute_fetchall("SELECT measure, energy_wh, mark FROM reading ORDER BY measure")
        (count,) = await db.execute_fetchall("SELECT count(*) FROM long_interval")
    assert [tuple(row) for row in rows] == [(1, 75, 0), (2, 0, 0)]
    assert count[0] == 32


def consent(version: int, *, home: str = "h01", purpose: str = "settle.share") -> dict[int, bytes]:
    return {6: cbor2.dumps({1: 1, 2: home, 3: version, 4: [[purpose, [1, 2], 0, 0, None]]})}


async def test_consents_skip_numbers_repeat_and_never_use_them_up(street: Street) -> None:
    agent = street.agent
    for body in (consent(7), consent(7), consent(2**32 - 1), consent(8, home="h02"), consent(8, purpose="unknown")):
        agent.add("consent", body)
    agent.add("consent", {6: b"\xff"})
    agent.add("consent", consent(9))
    agent.consent = 9
    agent.add_batch(FIRST_SLOT)
    await street.exchange()
    assert agent.kept == []
    assert agent.refused == [(1, seq, OUTSIDE_CONSENT) for seq in (3, 4, 5, 6)]


async def test_the_last_answer_before_the_deadline_counts_and_a_receipt_says_which_do_not(street: Street) -> None:
    deadline_slot = NOW_SLOT + 3
    row = PromptRow(
        *("p-1", "h01", "m01", "dryer", 900, NOW_SLOT + 20, NOW_SLOT + 10, 4, 100),
        reasons=(),
        issued_slot=NOW_SLOT,
        answer_by_slot=deadline_slot,
        answer=None,
        answered_at=None,
        measured_wh=None,
    )
    await street.store.add_prompts([row])
    agent, deadline_s = street.agent, (deadline_slot + 1) * 900
    agent.add_answer("p-1", 0, NOW_S)
    agent.add_answer("p-1", 2, NOW_S + 5)
    await street.exchange()

    async def counts() -> str | None:
        (prompt,) = await street.store.prompts(home="h01", issued=range(NOW_SLOT, NOW_SLOT + 1))
        return prompt.answer

    assert await counts() == "never_appliance"
    agent.add_answer("p-1", 1, deadline_s - 10)
    street.now_s = deadline_s + 7200
    await street.exchange()
    assert await counts() == "no", "made in time, delayed by an outage"
    agent.add_batch(deadline_slot)
    agent.add_answer("p-1", 0, deadline_s - 5)
    await street.exchange()
    assert await counts() == "no"
    assert (agent.kept, agent.refused) == ([], [(1, 5, EXPIRED)])
