"""What a run changes: sums by member by hand, and what the board may see of fewer than five members."""

import pytest

from hub.core.ledger.entries import Entry, Posting
from hub.core.ledger.month_preview import BoardPreview, MemberChange, MonthPreview, board_preview, sum_changes

DAY = "2026-05-01"


def entry(unit: str, member: str, *postings: tuple[str, int, str]) -> Entry:
    return Entry(unit, DAY, "run", member, tuple(Posting(*each) for each in postings), "")  # type: ignore[arg-type]


ENTRIES = (
    entry(
        "Wh",
        "b",
        ("member:b:energy", 5, "received"),
        ("pool", -5, "received"),
        ("member:b:energy", 4, "imported"),
        ("grid-import", -4, "imported"),
    ),
    entry("nano", "b", ("member:b:money", -15, "received"), ("pool", 10, "received"), ("coop:margin", 5, "received")),
    entry(
        "Wh",
        "a",
        ("member:a:energy", -5, "sold"),
        ("pool", 5, "sold"),
        ("member:a:energy", -1, "exported"),
        ("grid-export", 1, "exported"),
    ),
    entry("nano", "a", ("member:a:money", 10, "sold"), ("pool", -10, "sold")),
    entry("Wh", "b", ("member:b:energy", 2, "received"), ("pool", -2, "received")),
)


def change(member: str, *, received: int = 0, money: int = 0) -> MemberChange:
    return MemberChange(member, received, 0, 0, 0, money)


def preview(*changes: MemberChange, margin: int = 0) -> MonthPreview:
    return MonthPreview("2026-05", (DAY,), 3, changes, margin, "r", "i")


def test_entries_are_summed_by_member_with_energy_positive() -> None:
    found = sum_changes(ENTRIES, month="2026-05", days=(DAY,), digests=("rules", "inputs"))
    assert found == MonthPreview(
        month="2026-05",
        days=(DAY,),
        entries=5,
        members=(MemberChange("a", 0, 5, 0, 1, 10), MemberChange("b", 7, 0, 4, 0, -15)),
        margin_nano=5,
        rules="rules",
        inputs="inputs",
    )


def test_members_are_in_byte_order_and_without_entries_nothing_changes() -> None:
    named = [entry("Wh", name, (f"member:{name}:energy", 0, "sold")) for name in ("ä", "b", "Z")]
    members = sum_changes(named, month="2026-05", days=(), digests=("", "")).members
    assert [each.member for each in members] == ["Z", "b", "ä"]
    assert not any(each.is_any for each in members)
    assert sum_changes([], month="2026-05", days=(), digests=("", "")).members == ()


@pytest.mark.parametrize("place", range(5))
def test_any_single_amount_is_a_change(place: int) -> None:
    amounts = [0, 0, 0, 0, 0]
    assert not MemberChange("a", *amounts).is_any
    amounts[place] = -1
    assert MemberChange("a", *amounts).is_any


def test_the_board_sees_sums_over_five_members_or_more() -> None:
    money = (30, -19, 4, 1, -60, -1)
    changes = [change(f"m{n}", received=n + 1, money=nano) for n, nano in enumerate(money)]
    assert board_preview(preview(*changes, change("idle"), margin=45)) == BoardPreview(
        month="2026-05",
        days=(DAY,),
        entries=3,
        members=6,
        shared_wh=21,
        to_members_nano=35,
        from_members_nano=80,
        margin_nano=45,
        largest_nano=60,
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_sums_over_fewer_than_five_members_are_withheld(count: int) -> None:
    changes = [change(f"m{n}", received=1, money=-3) for n in range(count)]
    idle = [change(f"idle{n}") for n in range(9)]
    seen = board_preview(preview(*changes, *idle, margin=45))
    assert (seen.members, seen.entries) == (count, 3)
    amounts = (seen.shared_wh, seen.to_members_nano, seen.from_members_nano, seen.margin_nano, seen.largest_nano)
    assert amounts == (None,) * 5


def test_a_run_that_changes_nobody_shows_zeros() -> None:
    seen = board_preview(preview(change("idle")))
    assert (seen.members, seen.shared_wh, seen.to_members_nano, seen.largest_nano) == (0, 0, 0, 0)
