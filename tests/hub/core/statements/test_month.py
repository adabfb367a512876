"""A month made ready for statements: books and runs agree on every day, roots are signed, cents are rounded for all."""

from dataclasses import replace

import pytest

from hub.core.ledger.entries import Entry, Posting, read_entry
from hub.core.ledger.merkle import build_tree
from hub.core.ledger.signed_document import SIGNED_TAG, canonical_bytes, document_hash
from hub.core.statements.month import (
    CoopName,
    RunNote,
    SettledDay,
    booked_amounts,
    gather_month,
    settled_amounts,
    state_day,
)
from tests.hub.core.statements.statement_street import (
    COOP,
    HUB_KEY,
    Street,
    book,
    make_readings,
    make_rule,
    make_street,
    month_of,
    street_members,
)
from tests.hub.known_seals import SEALS

DAYS = ("2026-03-28", "2026-03-29", "2026-03-30")  # the clocks go forward on the second


def street_of(count: int = 6) -> Street:
    members = street_members(count)
    readings = {day: make_readings(members, day, seed=1 + n, gaps=0.02) for n, day in enumerate(DAYS)}
    return make_street(readings, make_rule("equal", members, seed=2))


STREET = street_of()


def first_day() -> SettledDay:
    return STREET.days[0]


def test_names_and_runs_as_plain_tables() -> None:
    assert CoopName("c", "C", "UTC", "EUR").plain() == {"id": "c", "name": "C", "tz": "UTC", "currency": "EUR"}
    note = RunNote("k", "M1", "complete")
    assert note.plain(SEALS) == {"key": SEALS.run("k"), "kind": "M1", "state": "complete"}


def test_a_days_root_is_signed_and_covers_all_its_entries_in_their_order() -> None:
    day = first_day()
    stated = state_day(COOP, replace(day, booked=day.booked[::-1], attested=(4, "ab")), key=HUB_KEY, seals=SEALS)
    root = stated.root["document"]
    HUB_KEY.public_key().verify(bytes.fromhex(stated.root["signature"]), SIGNED_TAG + canonical_bytes(root))
    rows = sorted(day.booked, key=lambda row: row.position)
    shown = [SEALS.salt(row) + SEALS.shown(read_entry(row.canonical)).encode() for row in rows]
    assert root["root"] == build_tree(shown).root.hex()
    assert (root["coop"], root["day"], root["entries"]) == ("sunny", day.day, len(rows))
    assert root["attested"] == [4, SEALS.attested("ab")]
    assert root["pool"] == {
        "members": document_hash(stated.pool.for_members()),
        "auditor": document_hash(stated.pool.for_auditor(SEALS.pool(day.run.key))),
    }
    places = sorted(each.place for mine in stated.mine.values() for each in mine)
    assert places == list(range(len(rows))), "every entry is one member's"


def test_a_day_that_the_books_do_not_bear_out_is_refused() -> None:
    day = first_day()
    fee = (Posting("member:a:money", -5, "fee"), Posting("coop:fees", 5, "fee"))
    elsewhere = book(Entry("nano", DAYS[1], "fees", "a", fee, ""), after=day.booked[-1])
    for rows, reason in (
        (day.booked[1:], "differ from what run run-M1-2026-03-28 settled"),
        ([*day.booked, day.booked[0]], "differ from what run run-M1-2026-03-28 settled"),
        ([*day.booked, elsewhere], "an entry of 2026-03-29 does not belong to 2026-03-28"),
    ):
        with pytest.raises(ValueError, match=reason):
            state_day(COOP, replace(day, booked=rows), key=HUB_KEY, seals=SEALS)
    with pytest.raises(ValueError, match="exactly the slots"):
        state_day(COOP, replace(day, settled=day.settled.part(1, 96)), key=HUB_KEY, seals=SEALS)
    with pytest.raises(ValueError, match="exactly the slots"):
        state_day(replace(COOP, tz="Europe/Lisbon"), day, key=HUB_KEY, seals=SEALS)


def test_an_entry_of_a_fund_is_no_part_of_what_a_run_settled() -> None:
    day = first_day()
    fee = (Posting("member:a:money", -5, "fee"), Posting("coop:fees", 5, "fee"))
    row = book(Entry("nano", day.day, "fees", "a", fee, ""), after=day.booked[-1])
    stated = state_day(COOP, replace(day, booked=[*day.booked, row]), key=HUB_KEY, seals=SEALS)
    assert [each.entry.run for each in stated.mine["a"]][-1] == "fees"


def test_booked_amounts_by_hand() -> None:
    energy = (
        Posting("member:a:energy", 30, "received"), Posting("member:a:energy", -20, "sold"),
        Posting("member:a:energy", 7, "imported"), Posting("member:a:energy", -4, "exported"),
        Posting("pool", -13, "received"),
    )  # fmt: skip
    money = (
        Posting("member:a:money", -900, "received"), Posting("member:a:money", 300, "sold"),
        Posting("member:a:money", -50, "fee"), Posting("coop:margin", 650, "received"),
    )  # fmt: skip
    entries = [Entry("Wh", DAYS[0], "r", "a", energy, ""), Entry("nano", DAYS[0], "r", "a", money, "")]
    assert booked_amounts(entries, "a") == {
        "received": 30, "sold": 20, "imported": 7, "exported": 4, "debit_nano": 900, "credit_nano": 300,
    }  # fmt: skip
    assert set(booked_amounts(entries, "b").values()) == {0}
    assert settled_amounts(first_day().settled, "nobody") == booked_amounts((), "nobody")


def test_a_month_sums_its_days_in_their_order() -> None:
    stated = [state_day(COOP, day, key=HUB_KEY, seals=SEALS) for day in STREET.days]
    month = gather_month(
        COOP, "2026-03", days=stated[::-1], missing=("2026-03-31", "2026-03-27"), before=("2026-03-01",)
    )
    assert [day.source.day for day in month.days] == list(DAYS)
    assert (month.missing, month.before) == (("2026-03-27", "2026-03-31"), ("2026-03-01",))
    for side in ("debit", "credit"):
        for column, member in enumerate(first_day().settled.members):
            amounts = [getattr(day.settled.money, f"{side}_nano")[column] for day in STREET.days]
            assert month.nano[side][member] == sum(amounts)


def test_the_bars_give_out_exactly_the_units_that_are_left_over() -> None:
    month = month_of(STREET.days, "2026-03")
    for unit, unit_nano in (("micro", 1_000), ("cent", 10_000_000)):
        for side in ("debit", "credit"):
            bar, before = month.bars[unit][side]
            rests = {member: nano % unit_nano for member, nano in month.nano[side].items()}
            above = [
                member
                for member, rest in rests.items()
                if bar is not None and (rest > bar or (rest == bar and (before is None or member < before)))
            ]
            assert len(above) == sum(rests.values()) // unit_nano
