"""Records of fees: read as they were written, also by releases that knew whole months only."""

import json

import pytest

from hub.core.ledger.fee_records import FeePart, fee_inputs, read_fee_record
from hub.core.rules.part_months import BY_DAY, FIRST_FULL_MONTH, FULL_MONTH, MemberDays

MEMBERS = {"m01": MemberDays(31, 31, on_first=True), "m02": MemberDays(1, 31, on_first=False)}
PLAN = {"decided": "assembly", "steps_nano": {"full": 5_000_000_000}, "usual": "full", "chosen": {}}


def amounts(**nano: int) -> dict[str, list[list[object]]]:
    return {
        member: [["fee", "coop:fees", each], ["fee", f"member:{member}:money", -each]] for member, each in nano.items()
    }


def record(way: str, **nano: int) -> bytes:
    plan = PLAN if way == FULL_MONTH else PLAN | {"part_month": way}
    inputs = fee_inputs("2026-05", MEMBERS, part_month=way)
    return json.dumps({"kind": "fund:fees", "plan": plan, "inputs": inputs, "amounts": amounts(**nano)}).encode()


def test_a_record_of_whole_months_is_the_one_of_earlier_releases() -> None:
    assert fee_inputs("2026-05", MEMBERS, part_month=FULL_MONTH) == {"month": "2026-05", "members": ["m01", "m02"]}
    found = read_fee_record(record(FULL_MONTH, m01=5_000_000_000, m02=5_000_000_000))
    assert found.recomputed() == found.stated()
    assert found.parts() == {}


def test_a_record_by_day_says_who_pays_for_how_many_days() -> None:
    found = read_fee_record(record(BY_DAY, m01=5_000_000_000, m02=160_000_000))
    assert found.recomputed() == found.stated()
    assert found.members == MEMBERS
    assert found.parts() == {"m02": FeePart(1, 31, 5_000_000_000)}


def test_who_joins_later_than_the_first_pays_nothing_where_the_rule_says_so() -> None:
    found = read_fee_record(record(FIRST_FULL_MONTH, m01=5_000_000_000, m02=0))
    assert found.recomputed() == found.stated()
    assert found.parts() == {}


def test_changed_amounts_do_not_follow_and_bytes_that_are_no_record_are_refused() -> None:
    found = read_fee_record(record(BY_DAY, m01=5_000_000_000, m02=5_000_000_000))
    assert found.recomputed() != found.stated()
    with pytest.raises(ValueError, match="plan"):
        read_fee_record(b"{}")
