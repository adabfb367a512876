"""Double entry: zero sums per unit, differences only, replay, and any changed byte found with its position."""

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.ledger.entries import (
    GENESIS,
    Entry,
    Posting,
    balances,
    book_day,
    entry_hash,
    read_entry,
    trial_balance,
    units_of,
    verify_chain,
)
from hub.core.rules.rulebook import Prices, Rule
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import Readings
from tests.hub.core.settlement.settlement_worlds import METHODS, make_world

relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32)
DAY = "2026-11-21"


@dataclass(frozen=True)
class Chained:
    canonical: bytes
    hash: bytes


def settled_day(method: str, seed: int, *, correction: int = 0, slots: int = 1_000) -> Settlement:
    """The same day for the same seed; each correction is a different set of late readings.

    Ten such days are 10,000 slots of each method in every property below.
    """
    world = make_world(method, seed=seed, count=2 + seed % 6, highest_wh=2_000, slots=slots)
    demand = world.demand_wh + np.random.default_rng(correction).integers(0, 50, world.demand_wh.shape) * bool(
        correction
    )
    rule = Rule(method, world.params, prices=Prices(165_432, 158_765, 301_999, 71_003))
    return settle(Readings(world.members, tuple(range(slots)), world.surplus_wh, demand), rule)


def chain(entries: tuple[Entry, ...]) -> list[Chained]:
    links, previous = [], GENESIS
    for entry in entries:
        previous = entry_hash(previous, entry.canonical())
        links.append(Chained(entry.canonical(), previous))
    return links


def closing(entries: tuple[Entry, ...]) -> dict[tuple[str, str], int]:
    """Balances without the accounts that come to nothing."""
    return {account: amount for account, amount in balances(entries).items() if amount}


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_every_entry_and_the_whole_ledger_sum_to_zero(method: str, seed: int) -> None:
    settled = settled_day(method, seed)
    entries = book_day(settled, day=DAY, run="run-1")
    assert all(sum(posting.amount for posting in entry.postings) == 0 for entry in entries)
    assert trial_balance(entries) == {"Wh": 0, "nano": 0}
    books = balances(entries)
    assert books.get(("Wh", "pool"), 0) == books.get(("nano", "pool"), 0) == 0
    assert books.get(("nano", "coop:margin"), 0) == settled.money.coop_margin_nano
    assert -books.get(("Wh", "grid-import"), 0) == sum(settled.totals_wh["import"])
    assert books.get(("Wh", "grid-export"), 0) == sum(settled.totals_wh["export"])
    for i, member in enumerate(settled.members):
        owed = settled.money.credit_nano[i] - settled.money.debit_nano[i]
        assert books.get(("nano", f"member:{member}:money"), 0) == owed
        drawn = settled.totals_wh["demand"][i] - settled.totals_wh["surplus"][i]
        assert books.get(("Wh", f"member:{member}:energy"), 0) == drawn


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_one_entry_per_member_and_unit_and_none_the_second_time(method: str, seed: int) -> None:
    settled = settled_day(method, seed)
    entries = book_day(settled, day=DAY, run="run-1")
    assert len({(entry.member, entry.unit) for entry in entries}) == len(entries)
    assert {entry.cites for entry in entries} <= {settled.result_hash()}
    assert book_day(settled, day=DAY, run="run-2", booked=entries) == ()


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_corrections_in_any_order_end_where_a_fresh_run_does(method: str, seed: int) -> None:
    fresh = closing(book_day(settled_day(method, seed, correction=3), day=DAY, run="fresh"))
    for first, second in permutations([1, 2]):
        booked: tuple[Entry, ...] = ()
        for n, correction in enumerate((0, first, second, 3)):
            booked += book_day(settled_day(method, seed, correction=correction), day=DAY, run=f"run-{n}", booked=booked)
        assert closing(booked) == fresh
        assert trial_balance(booked) == {"Wh": 0, "nano": 0}


def test_who_left_the_run_is_brought_back_to_zero() -> None:
    settled = settled_day("static_rounds", 4, slots=16)
    stranger = Entry(
        "nano", DAY, "run-0", "x", (Posting("member:x:money", -5, "received"), Posting("pool", 5, "received")), ""
    )
    entries = book_day(settled, day=DAY, run="run-1", booked=[stranger])
    assert balances([stranger, *entries])["nano", "member:x:money"] == 0


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_replay_gives_the_same_balances_and_hashes(method: str, seed: int) -> None:
    entries = book_day(settled_day(method, seed), day=DAY, run="run-1")
    again = tuple(read_entry(link.canonical) for link in chain(entries))
    assert again == entries
    assert balances(again) == balances(entries)
    assert chain(again) == chain(entries)


def test_any_changed_byte_is_found_with_its_position() -> None:
    entries = book_day(settled_day("weighted", 7, slots=16), day=DAY, run="run-1")
    links = chain(entries)
    assert verify_chain(links) is None
    rng = np.random.default_rng(1)
    for _ in range(1_000):
        position = int(rng.integers(len(links)))
        name = ("canonical", "hash")[int(rng.integers(2))]
        changed = bytearray(getattr(links[position], name))
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
        broken = [*links]
        broken[position] = replace(links[position], **{name: bytes(changed)})
        assert verify_chain(broken) == position + 1


def test_a_missing_swapped_or_cut_entry_is_found() -> None:
    links = chain(book_day(settled_day("weighted", 7, slots=16), day=DAY, run="run-1"))
    head = links[-1].hash
    assert verify_chain(links, head) is None
    assert verify_chain(links[:2] + links[3:], head) == 3
    assert verify_chain([links[1], links[0], *links[2:]], head) == 1
    assert verify_chain(links[:-1], head) == len(links)
    assert verify_chain(links[3:], head, previous=links[2].hash, first_position=4) is None


def test_an_entry_takes_one_unit_and_sums_to_zero() -> None:
    with pytest.raises(ValueError, match="zero"):
        Entry("Wh", DAY, "r", "a", (Posting("pool", 1, "sold"),), "")
    with pytest.raises(ValueError, match="does not take"):
        Entry("Wh", DAY, "r", "a", (Posting("pool", 1, "sold"), Posting("member:a:money", -1, "sold")), "")
    with pytest.raises(ValueError, match="does not belong"):
        book_day(
            settled_day("equal", 1, slots=16),
            day="2026-11-22",
            run="r",
            booked=book_day(settled_day("equal", 1, slots=16), day=DAY, run="r"),
        )


@pytest.mark.parametrize(
    ("account", "units"),
    [
        ("pool", ("Wh", "nano")),
        ("grid-import", ("Wh",)),
        ("coop:margin", ("nano",)),
        ("tax:20", ("nano",)),
        ("tax:", ()),
        ("member:b:money:energy", ("Wh",)),
        ("member::energy", ()),
        ("member:a:shares", ()),
    ],
)
def test_accounts(account: str, units: tuple[str, ...]) -> None:
    assert units_of(account) == units


@pytest.mark.parametrize("broken", [b"", b"[]", b"{}", b'{"unit":"Wh"}', b"\xff", b"[" * 100_000, b'{"postings":[1]}'])
def test_what_is_no_entry_is_not_read(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_entry(broken)


def test_other_bytes_for_the_same_entry_are_not_read() -> None:
    canonical = book_day(settled_day("weighted", 7, slots=16), day=DAY, run="run-1")[0].canonical()
    with pytest.raises(ValueError, match="canonical"):
        read_entry(canonical.replace(b'":', b'": ', 1))
