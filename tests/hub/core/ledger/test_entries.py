"""Double entry: zero sums per unit, differences only, replay, and any changed byte found with its position."""

import hashlib
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
    book_difference,
    difference,
    entry_hash,
    read_entry,
    sum_settlement,
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
class Row:
    position: int
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


def book(settled: Settlement, *, run: str = "run-1", booked: tuple[Entry, ...] = ()) -> tuple[Entry, ...]:
    """What a run of the day adds to what is booked of it, as hub/books/days.py computes it."""
    current = sum_settlement(entry.canonical() for entry in booked)
    return book_difference(settled, current, day=DAY, run=run)


def chain(entries: tuple[Entry, ...]) -> list[Row]:
    rows, previous = [], GENESIS
    for position, entry in enumerate(entries, start=1):
        previous = entry_hash(previous, entry.canonical())
        rows.append(Row(position, entry.canonical(), previous))
    return rows


def closing(entries: tuple[Entry, ...]) -> dict[tuple[str, str], int]:
    """Balances without the accounts that come to nothing."""
    return {account: amount for account, amount in balances(entries).items() if amount}


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_every_entry_and_the_whole_ledger_sum_to_zero(method: str, seed: int) -> None:
    settled = settled_day(method, seed)
    entries = book(settled)
    assert all(sum(posting.amount for posting in entry.postings) == 0 for entry in entries)
    books = balances(entries)
    assert trial_balance(books) == {"Wh": 0, "nano": 0}
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
    entries = book(settled)
    assert len({(entry.member, entry.unit) for entry in entries}) == len(entries)
    assert {entry.cites for entry in entries} <= {settled.result_hash()}
    assert book(settled, run="run-2", booked=entries) == ()


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_corrections_in_any_order_end_where_a_fresh_run_does(method: str, seed: int) -> None:
    fresh = closing(book(settled_day(method, seed, correction=3), run="fresh"))
    for first, second in permutations([1, 2]):
        booked: tuple[Entry, ...] = ()
        for n, correction in enumerate((0, first, second, 3)):
            booked += book(settled_day(method, seed, correction=correction), run=f"run-{n}", booked=booked)
        assert closing(booked) == fresh
        assert trial_balance(balances(booked)) == {"Wh": 0, "nano": 0}


def test_a_member_who_left_the_run_is_brought_back_to_zero() -> None:
    settled = settled_day("static_rounds", 4, slots=16)
    stranger = Entry(
        "nano", DAY, "run-0", "x", (Posting("member:x:money", -5, "received"), Posting("pool", 5, "received")), ""
    )
    entries = book(settled, booked=(stranger,))
    assert balances([stranger, *entries])["nano", "member:x:money"] == 0


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
@settings(relaxed, max_examples=10)
def test_replay_gives_the_same_balances_and_hashes(method: str, seed: int) -> None:
    entries = book(settled_day(method, seed))
    again = tuple(read_entry(row.canonical) for row in chain(entries))
    assert again == entries
    assert balances(again) == balances(entries)
    assert chain(again) == chain(entries)


def test_any_changed_byte_is_found_with_its_position() -> None:
    rows = chain(book(settled_day("weighted", 7, slots=16)))
    assert verify_chain(rows) is None
    rng = np.random.default_rng(1)
    for _ in range(1_000):
        index = int(rng.integers(len(rows)))
        name = ("canonical", "hash")[int(rng.integers(2))]
        changed = bytearray(getattr(rows[index], name))
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
        broken = [*rows]
        broken[index] = replace(rows[index], **{name: bytes(changed)})
        assert verify_chain(broken) == index + 1


def test_a_missing_swapped_or_renumbered_entry_is_found() -> None:
    rows = chain(book(settled_day("weighted", 7, slots=16)))
    assert verify_chain(rows[:2] + rows[3:]) == 3
    assert verify_chain([rows[1], rows[0], *rows[2:]]) == 1
    assert verify_chain([*rows[:4], replace(rows[4], position=6), *rows[5:]]) == 5
    assert verify_chain([]) is None


def test_a_later_part_is_checked_after_the_entry_before_it() -> None:
    rows = chain(book(settled_day("weighted", 7, slots=16)))
    assert verify_chain(rows[3:], previous=rows[2].hash, first_position=4) is None
    assert verify_chain(rows[3:], previous=rows[1].hash, first_position=4) == 4
    assert verify_chain(rows[3:], previous=rows[2].hash) == 1


def test_an_entry_takes_one_unit_and_sums_to_zero() -> None:
    with pytest.raises(ValueError, match="zero"):
        Entry("Wh", DAY, "r", "a", (Posting("pool", 1, "sold"),), "")
    with pytest.raises(ValueError, match="member:a:money does not hold Wh"):
        Entry("Wh", DAY, "r", "a", (Posting("pool", 1, "sold"), Posting("member:a:money", -1, "sold")), "")
    with pytest.raises(ValueError, match="EUR is not a unit"):
        Entry("EUR", DAY, "r", "a", (), "")  # type: ignore[arg-type]


def test_the_bytes_of_an_entry_and_its_hash() -> None:
    fee = (Posting("member:mä:money", -7, "fee"), Posting("coop:fees", 7, "fee"))
    entry = Entry("nano", DAY, "r", "mä", fee, "c1")
    canonical = (
        '{"cites":"c1","day":"2026-11-21","member":"mä","postings":[["fee","member:mä:money",-7],["fee","coop:fees",7]],'
        '"run":"r","unit":"nano"}'
    ).encode()
    assert entry.canonical() == canonical
    hashed = hashlib.sha256(b"commonwatt ledger entry v1\n" + b"\x01" * 32 + canonical).digest()
    assert entry_hash(b"\x01" * 32, canonical) == hashed


def test_a_seller_and_a_buyer_are_booked_by_hand() -> None:
    """5 Wh go from p to a at 3 and 2 micro per kWh; a draws 4 Wh more from the grid, p feeds 1 Wh into it."""
    readings = Readings(("a", "p"), (0,), np.array([[0, 6]]), np.array([[9, 0]]))
    rule = Rule("static", {"weights": {"a": 5, "p": 1}}, prices=Prices(3, 2))
    entries = book(settle(readings, rule))
    assert [(entry.member, entry.unit) for entry in entries] == [("a", "Wh"), ("a", "nano"), ("p", "Wh"), ("p", "nano")]
    booked = {
        (entry.member, each.line, each.account, entry.unit): each.amount for entry in entries for each in entry.postings
    }
    assert booked == {
        ("a", "received", "member:a:energy", "Wh"): 5,
        ("a", "received", "pool", "Wh"): -5,
        ("a", "imported", "member:a:energy", "Wh"): 4,
        ("a", "imported", "grid-import", "Wh"): -4,
        ("a", "received", "member:a:money", "nano"): -15,
        ("a", "received", "pool", "nano"): 10,
        ("a", "received", "coop:margin", "nano"): 5,
        ("p", "sold", "member:p:energy", "Wh"): -5,
        ("p", "sold", "pool", "Wh"): 5,
        ("p", "exported", "member:p:energy", "Wh"): -1,
        ("p", "exported", "grid-export", "Wh"): 1,
        ("p", "sold", "member:p:money", "nano"): 10,
        ("p", "sold", "pool", "nano"): -10,
    }


def test_a_settlement_ignores_what_other_runs_booked_on_the_day() -> None:
    fee = Entry("nano", DAY, "fees", "a", (Posting("member:a:money", -7, "fee"), Posting("coop:fees", 7, "fee")), "")
    sale = (Posting("member:a:money", 9, "sold"), Posting("pool", -9, "sold"))
    current = sum_settlement([fee.canonical(), Entry("nano", DAY, "r", "a", sale, "").canonical()])
    assert {key: dict(lines) for key, lines in current.items()} == {
        ("a", "nano"): {("sold", "member:a:money"): 9, ("sold", "pool"): -9}
    }
    with pytest.raises(ValueError, match="missing required field"):
        sum_settlement([b'{"unit":"nano"}'])


def test_a_difference_names_only_lines_that_change() -> None:
    wanted, current = {("sold", "pool"): 3, ("sold", "bank"): 1}, {("sold", "pool"): 5, ("fee", "bank"): 4}
    assert difference(wanted, current) == (
        Posting("bank", -4, "fee"), Posting("bank", 1, "sold"), Posting("pool", -2, "sold"),
    )  # fmt: skip
    assert difference(wanted, wanted) == ()


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


@pytest.mark.parametrize(
    "broken", [b"", b"[]", b"{}", b'{"unit":"Wh"}', b"\xff", b'["\xff"]', b"[" * 100_000, b'{"postings":[1]}']
)
def test_what_is_not_an_entry_is_not_read(broken: bytes) -> None:
    with pytest.raises(ValueError, match="not an entry: "):
        read_entry(broken)


@pytest.mark.parametrize(
    ("stored", "changed"),
    [(b'"unit":"nano"', b'"unit":"EUR"'), (b",7]", b",7.0]"), (b",7]", b",true]"), (b'"run":"r"', b'"run":"r","x":1')],
)
def test_an_entry_with_another_type_or_key_is_not_read(stored: bytes, changed: bytes) -> None:
    entry = Entry("nano", DAY, "r", "a", (Posting("member:a:money", -7, "fee"), Posting("coop:fees", 7, "fee")), "")
    canonical = entry.canonical()
    assert read_entry(canonical) == entry
    assert stored in canonical
    with pytest.raises(ValueError, match="not an entry: "):
        read_entry(canonical.replace(stored, changed))


def test_other_bytes_for_the_same_entry_are_not_read() -> None:
    canonical = book(settled_day("weighted", 7, slots=16))[0].canonical()
    with pytest.raises(ValueError, match="canonical"):
        read_entry(canonical.replace(b'":', b'": ', 1))
