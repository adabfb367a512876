"""The ledger's exports: beancount's own loader finds our balances, CSV and JSON give back every byte of the chain."""

import csv
import io
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pytest
from beancount import loader
from beancount.core.data import Balance, Transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.ledger.entries import (
    GENESIS,
    UNITS,
    Entry,
    LedgerUnit,
    Posting,
    balances,
    entry_hash,
    read_entry,
    trial_balance,
)
from hub.core.ledger.entries import verify_chain as broken_at
from hub.core.ledger.export import BeancountExport, CsvExport, JsonExport, beancount_account, export_whole, in_currency

PLAIN_ACCOUNTS: dict[LedgerUnit, tuple[str, ...]] = {
    "Wh": ("pool", "grid-import", "grid-export"),
    "nano": ("pool", "coop:margin", "coop:fees", "coop:reserve", "coop:patronage", "bank", "rounding", "tax:20"),
}


@dataclass(frozen=True)
class Row:
    position: int
    canonical: bytes
    hash: bytes


def chained(entries: list[Entry]) -> list[Row]:
    rows, previous = [], GENESIS
    for position, entry in enumerate(entries, start=1):
        previous = entry_hash(previous, entry.canonical())
        rows.append(Row(position, entry.canonical(), previous))
    return rows


ids = st.one_of(
    st.sampled_from(["m01", "m10", "Z", "ä", "a:b", "-", "M-2D", '="x"\\', "a\nb", "\u202e"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    unit = draw(st.sampled_from(UNITS))
    member = draw(ids)
    accounts = (*PLAIN_ACCOUNTS[unit], f"member:{member}:{'energy' if unit == 'Wh' else 'money'}")
    amounts = draw(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=4))
    chosen = draw(st.lists(st.sampled_from(accounts), min_size=len(amounts) + 1, max_size=len(amounts) + 1))
    postings = [Posting(account, amount, "received") for account, amount in zip(chosen, amounts, strict=False)]
    postings.append(Posting(chosen[-1], -sum(amounts), "sold"))
    day = date(2026, 1, 1) + timedelta(days=draw(st.integers(0, 400)))
    return Entry(unit, day.isoformat(), draw(st.text("0123456789abcdef", min_size=4)), member, tuple(postings), "c0")


ledgers = st.lists(entries(), max_size=6).map(chained)


def text_of(export: BeancountExport | CsvExport | JsonExport, rows: list[Row]) -> str:
    return "".join(export_whole(export, rows))


@settings(max_examples=40, deadline=None)
@given(ledgers)
def test_beancount_loads_it_and_has_our_balances(rows: list[Row]) -> None:
    loaded, errors, _ = loader.load_string(text_of(BeancountExport('Sunny "Street"', "EUR"), rows))
    assert errors == []
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    transactions = [entry for entry in loaded if isinstance(entry, Transaction)]
    for transaction in transactions:
        for posting in transaction.postings:
            amount = posting.units
            assert amount is not None
            assert amount.number is not None
            found[posting.account, amount.currency] += amount.number
    ours = balances(read_entry(row.canonical) for row in rows)
    expected = {
        (beancount_account(account), "WH" if unit == "Wh" else "EUR"): Decimal(amount)
        if unit == "Wh"
        else -Decimal(amount).scaleb(-9)
        for (unit, account), amount in ours.items()
    }
    assert dict(found) == expected
    assert len([entry for entry in loaded if isinstance(entry, Balance)]) == len(ours)
    hashes = {int(entry.meta["position"]): entry.meta["hash"] for entry in transactions}
    assert hashes == {row.position: row.hash.hex() for row in rows}


def test_beancount_itself_notices_a_nano_too_much() -> None:
    entry = Entry(
        "nano", "2026-03-29", "r", "m01", (Posting("bank", 5, "x"), Posting("member:m01:money", -5, "x")), "c"
    )
    text = text_of(BeancountExport("t", "EUR"), chained([entry]))
    forged = text.replace("balance Assets:Bank  -0.000000005", "balance Assets:Bank  -0.000000004")
    assert forged != text
    assert len(loader.load_string(forged)[1]) == 1


@settings(max_examples=150, deadline=None)
@given(ledgers)
def test_json_gives_back_the_chain(rows: list[Row]) -> None:
    document = json.loads(text_of(JsonExport("Sunny Street", "EUR"), rows))
    again = []
    for item in document["entries"]:
        postings = tuple(Posting(account, amount, line) for line, account, amount in item["entry"]["postings"])
        entry = Entry(**{**item["entry"], "postings": postings})
        again.append(Row(item["position"], entry.canonical(), bytes.fromhex(item["hash"])))
    assert again == rows
    assert broken_at(again) is None
    assert document["trial_balance"] == {"Wh": 0, "nano": 0}
    ours = balances(read_entry(row.canonical) for row in rows)
    told = {(unit, name): amount for unit in UNITS for name, amount in document["balances"][unit].items()}
    assert told == ours
    assert document["last"]["position"] == len(rows)


@settings(max_examples=150, deadline=None)
@given(ledgers)
def test_csv_gives_back_every_posting(rows: list[Row]) -> None:
    table = list(csv.DictReader(io.StringIO(text_of(CsvExport("EUR"), rows), newline="")))
    posted = [
        (read_entry(row.canonical), row, posting) for row in rows for posting in read_entry(row.canonical).postings
    ]
    assert len(table) == len(posted)
    for cells, (entry, row, posting) in zip(table, posted, strict=True):
        assert (int(cells["position"]), cells["hash"]) == (row.position, row.hash.hex())
        assert (cells["member"], cells["account"], cells["line"]) == (entry.member, posting.account, posting.line)
        assert (cells["unit"], int(cells["amount"])) == (entry.unit, posting.amount)
        scale = 0 if entry.unit == "Wh" else -9
        assert Decimal(cells["value"]) == Decimal(posting.amount).scaleb(scale)
    sums: dict[str, int] = defaultdict(int)
    for cells in table:
        sums[cells["unit"]] += int(cells["amount"])
    assert all(total == 0 for total in sums.values())
    assert trial_balance(read_entry(row.canonical) for row in rows) == {"Wh": 0, "nano": 0}


@given(st.lists(ids, min_size=2, max_size=2, unique=True))
def test_no_two_members_share_an_account(pair: list[str]) -> None:
    names = {beancount_account(f"member:{member}:{kind}") for member in pair for kind in ("energy", "money")}
    assert len(names) == 4


def test_an_empty_ledger_exports_too() -> None:
    assert loader.load_string(text_of(BeancountExport("t", "EUR"), []))[1] == []
    assert json.loads(text_of(JsonExport("t", "EUR"), []))["entries"] == []
    assert text_of(CsvExport("EUR"), []).count("\n") == 1


@pytest.mark.parametrize("currency", ["", "eur", "EURO", 'E"R', "€"])
def test_a_currency_that_is_none_is_refused(currency: str) -> None:
    for make in (
        lambda: BeancountExport("t", currency),
        lambda: CsvExport(currency),
        lambda: JsonExport("t", currency),
    ):
        with pytest.raises(ValueError, match="is not a currency like EUR"):
            make()


@pytest.mark.parametrize(
    ("nano", "shown"),
    [(0, "0.000000000"), (-1, "-0.000000001"), (10**9, "1.000000000"), (-(10**18) - 5, "-1000000000.000000005")],
)
def test_nine_decimals_exactly(nano: int, shown: str) -> None:
    assert in_currency(nano) == shown
