"""Seals: a member's files contain no hash from which a neighbour's values can be found by guessing."""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import product
from typing import Any

import numpy as np
import pytest

from hub.core.ledger.entries import Entry, Posting, entry_hash, read_entry
from hub.core.ledger.merkle import build_tree, leaf_hash, node_hash
from hub.core.settlement.prepared_readings import Readings
from hub.core.statements.document import state_month
from hub.core.statements.seals import Seals
from tests.hub.core.statements.statement_street import (
    SEALS,
    Street,
    make_readings,
    make_rule,
    make_street,
    street_members,
)

DAY, ME, OTHER = "2026-06-10", "a", "Z"
MOST_WH = 24


def sunless_street() -> Street:
    """Two homes on a day without surplus; the other one draws MOST_WH at most."""
    whole = make_readings(street_members(2), DAY, seed=4)
    demand = np.zeros_like(whole.demand_wh)
    demand[:, whole.members.index(ME)] = 7
    demand[30:40, whole.members.index(OTHER)] = 2
    readings = Readings(whole.members, whole.slots, np.zeros_like(demand), demand)
    return make_street({DAY: readings}, make_rule("equal", whole.members, seed=1))


def guesses(like: Entry) -> Iterator[Entry]:
    """Every plausible day of the neighbour's energy, in the form of my own entry."""
    account = f"member:{OTHER}:energy"
    postings: list[Posting]
    for received, imported in product(range(MOST_WH), repeat=2):
        postings = []
        if imported:
            postings += [Posting("grid-import", -imported, "imported"), Posting(account, imported, "imported")]
        if received:
            postings += [Posting(account, received, "received"), Posting("pool", -received, "received")]
        yield Entry("Wh", DAY, like.run, OTHER, tuple(postings), like.cites)


def found_by_guessing(shown: set[bytes], mine: Entry, texts: Iterable[bytes]) -> list[Entry]:
    """The guesses that lead to some shown hash: as a leaf, a node beside a shown hash, or the next in a chain."""
    before = [*shown, bytes(32)]
    found = []
    for guess, text in zip(guesses(mine), texts, strict=True):
        leaf = leaf_hash(text)
        hashes = {leaf, sha256(text).digest()}
        for each in before:
            hashes |= {node_hash(leaf, each), node_hash(each, leaf), entry_hash(each, text)}
        if hashes & shown:
            found.append(guess)
    return found


def hashes_in(part: Any) -> set[bytes]:
    """Every text of 32 bytes in hexadecimal, at any depth."""
    if isinstance(part, dict):
        return {each for value in (*part.values(), *part) for each in hashes_in(value)}
    if isinstance(part, list | tuple):
        return {each for value in part for each in hashes_in(value)}
    if isinstance(part, str) and part.startswith("{"):
        return hashes_in(json.loads(part))
    try:
        return {bytes.fromhex(part)} if isinstance(part, str) and len(part) == 64 else set()
    except ValueError:
        return set()


def test_a_neighbours_day_is_guessed_from_plain_entries_but_not_from_the_files() -> None:
    street = sunless_street()
    rows = street.days[0].booked
    entries = [read_entry(row.canonical) for row in rows]
    (mine,) = (each for each in entries if each.member == ME and each.unit == "Wh")
    (true,) = (each for each in entries if each.member == OTHER and each.unit == "Wh")
    tree = build_tree([row.canonical for row in rows])
    plain = {tree.root, *tree.proof(entries.index(mine)), *(row.hash for row in rows)}
    assert [g.postings for g in found_by_guessing(plain, mine, (g.canonical() for g in guesses(mine)))] == [
        true.postings
    ], "without a salt, the attack works"
    document = state_month(street.month, ME, name="A", made_at="2026-07-07T10:00Z")
    shown = hashes_in([document, street.pool()])
    assert len(shown) > 5
    for form in (
        lambda guess: guess.canonical(),
        lambda guess: SEALS.shown(guess).encode(),
        lambda guess: bytes(32) + SEALS.shown(guess).encode(),
    ):
        assert found_by_guessing(shown, mine, map(form, guesses(mine))) == []


def test_the_files_name_no_run_and_no_record_by_its_own_hash() -> None:
    street = sunless_street()
    text = json.dumps([state_month(street.month, ME, name="A", made_at="x"), street.pool()])
    day = street.days[0]
    hidden = [day.run.key, day.settled.result_hash(), *(row.hash.hex() for row in day.booked)]
    assert not any(each in text for each in hidden)
    assert SEALS.run(day.run.key) in text


def test_each_salt_is_its_entrys_own_and_depends_on_the_key() -> None:
    rows = sunless_street().days[0].booked
    salts = {Seals(bytes([n] * 32)).salt(row) for n in range(3) for row in rows}
    assert len(salts) == 3 * len(rows)
    assert all(len(salt) == 32 for salt in salts)


def test_one_text_has_a_seal_of_its_own_for_each_kind() -> None:
    text = "5b" * 32
    assert len({SEALS.run(text), SEALS.record(text), SEALS.attested(text), SEALS.pool(text)}) == 4


def test_a_key_has_thirty_two_bytes_and_is_not_printed() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        Seals(bytes(31))
    assert "1f1f" not in repr(Seals(b"\x1f" * 32))
    assert repr(Seals(b"\x1f" * 32)) == "Seals()"
