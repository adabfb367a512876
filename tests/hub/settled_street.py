"""A small street on a real store for tests of the books: homes whose readings arrive in any order, and a rule."""

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.core.ledger.entries import read_entry
from hub.core.rules.rulebook import Prices, Rule
from hub.storage.records import AcceptedMessage, Agent, Coop, Home, Member, ReadingRow
from hub.storage.sqlite.store import SqliteStore
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot, slots_of_day, start_of
from tests.hub.new_store import open_new_store

COOP = Coop("street", "The Street", "Europe/Madrid", "EUR")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RULE = Rule("proportional", prices=Prices(185_432, 158_765, 301_999, 71_003))
SINCE = "2026-01-01"

Arrival = tuple[int, Slot]
"""(home's number, slot): one message with that quarter hour's import and export."""


@cache
def energy_wh(number: int, slot: Slot) -> tuple[int, int]:
    """(import, export) of a home in a slot: odd homes have panels, all have a load; the same at every call."""
    dice = random.Random(number * 10_000_000 + slot)
    sun = max(0, 48 - abs(slot % 96 - 48)) * 25 if number % 2 else 0
    net = dice.randrange(900) - (dice.randrange(sun) if sun else 0)
    return max(net, 0), max(-net, 0)


@cache
def one_sun_wh(number: int, slot: Slot) -> tuple[int, int]:
    """The same, but the sun shines on all panels at once: hardly ever do only one or two of many makers feed in."""
    dice = random.Random(number * 10_000_000 + slot)
    sun = max(0, 48 - abs(slot % 96 - 48)) * 8 if number % 2 else 0
    is_cooking = dice.randrange(8) == 0
    net = dice.randrange(6 if sun and not is_cooking else 900) - sun * dice.randrange(60, 101) // 100
    return max(net, 0), max(-net, 0)


class Street:
    """Homes 1..n on an open store; m01 and m02 are on the board. Each home's messages are numbered as they arrive."""

    def __init__(self, store: SqliteStore, homes: int) -> None:
        self.store = store
        self.homes = homes
        self.values: dict[Arrival, tuple[int, int]] = {}  # (import, export) in place of energy_wh
        self.energy = energy_wh
        self.made: dict[Arrival, dict[Measure, int]] = {}  # what a home makes and stores, if the test says so
        self._seq: dict[int, int] = {}

    async def join(self, number: int, *, joined_at: int) -> None:
        """One more home with its agent, a member from this time on."""
        home, member = f"h{number:02d}", f"m{number:02d}"
        await self.store.add_member(
            Member(member, f"Member {number}", f"{member}@example.org", "en", number <= 2, joined_at),
            Home(home, home, member),
        )
        token = hashlib.sha256(home.encode()).digest()
        await self.store.add_invite(token, home_id=home, expires_at=100)
        agent = Agent(f"a-{number:02d}", home, number % 64, token, 50, None)
        assert await self.store.redeem_invite(token, agent=agent, now=50) is None
        self.homes, self._seq[number] = max(self.homes, number), 0

    async def arrive(self, arrivals: Iterable[Arrival], *, at: int = 0) -> None:
        """Store these messages in this order, in one transaction."""
        await self.store.store_messages([self.message(*arrival, at=at) for arrival in arrivals])

    async def arrive_days(self, days: Sequence[date], *, without: Iterable[Arrival] = ()) -> None:
        """All quarter hours of these days of all homes, in the order they were measured."""
        left_out = set(without)
        for day in days:
            await self.arrive(each for each in arrivals_of(day, self.homes) if each not in left_out)

    def message(self, number: int, slot: Slot, *, at: int = 0) -> AcceptedMessage:
        """A home's next message, with this quarter hour's import and export."""
        self._seq[number] += 1
        home, seq = f"h{number:02d}", self._seq[number]
        demand, surplus = self.values.get((number, slot)) or self.energy(number, slot)
        readings = tuple(
            ReadingRow(home, measure, slot, 1, wh, Mark.MEASURED, Gap.NONE)
            for measure, wh in ((Measure.GRID_IMPORT, demand), (Measure.GRID_EXPORT, surplus))
        )
        return AcceptedMessage(
            agent=f"a-{number:02d}",
            home=home,
            epoch=1,
            seq=seq,
            kind="batch",
            hash=hashlib.sha256(f"{home} {seq} {slot}".encode()).digest(),
            sealed=b"sealed",
            received_at=at or start_of(slot + 1),
            slot=slot,
            readings=readings,
            long_intervals=(),
            devices=(),
            consent=None,
            consent_version=None,
            answer=None,
        )


async def open_street(
    folder: Path, *, homes: int = 3, rule: Rule = RULE, energy: Callable[[int, Slot], tuple[int, int]] = energy_wh
) -> Street:
    """A fresh store in this folder with homes, agents and a rule, and no reading yet; `energy` is what they send."""
    store = await open_new_store(folder / "hub.sqlite", now=lambda: 1_800_000_000.0)
    street = await fill_street(store, homes=homes, rule=rule)
    street.energy = energy
    return street


async def fill_street(store: SqliteStore, *, homes: int = 3, rule: Rule = RULE, joined_at: int = 0) -> Street:
    """The same in an open store that has no members yet."""
    await store.set_coop(COOP)
    await store.add_rule(rule.version(), canonical=rule.canonical(), valid_from_day=SINCE)
    street = Street(store, 0)
    for number in range(1, homes + 1):
        await street.join(number, joined_at=joined_at)
    return street


def arrivals_of(day: date, homes: int) -> list[Arrival]:
    """Every quarter hour of every home on a local day."""
    return [(number, slot) for slot in slots_of_day(day, COOP.tz) for number in range(1, homes + 1)]


async def balances_by_day(store: SqliteStore) -> dict[tuple[str, str, str, str], int]:
    """What the books say: (day, member, line, account) with its amount, zeros left out."""
    sums: dict[tuple[str, str, str, str], int] = {}
    for row in await store.entries(after_position=0, limit=10**6):
        entry = read_entry(row.canonical)
        for posting in entry.postings:
            place = (entry.day, entry.member, posting.line, posting.account)
            sums[place] = sums.get(place, 0) + posting.amount
    return {place: amount for place, amount in sums.items() if amount}
