"""The homes behind a street total: neither the total, nor what it lacks, nor its makers may be one to four homes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.rules.group_size import GroupRule
from hub.core.rules.street_groups import slot_group

HOMES = [f"h{n:02d}" for n in range(40)]


@st.composite
def streets(draw: st.DrawFn) -> tuple[set[str], set[str], set[str], GroupRule]:
    everybody = set(HOMES[: draw(st.integers(1, 40))])
    members = st.sets(st.sampled_from(sorted(everybody)))
    late = draw(st.sets(st.sampled_from(sorted(everybody)), max_size=6))
    return everybody, everybody - late, draw(members), GroupRule(frozenset(draw(members)), frozenset(draw(members)))


@settings(deadline=None, derandomize=True, max_examples=300)
@given(streets())
def test_no_part_of_the_street_is_shown_by_a_difference(
    street: tuple[set[str], set[str], set[str], GroupRule],
) -> None:
    everybody, ready, makers, rule = street
    group = slot_group(everybody, ready, makers=makers, rule=rule)
    if group is not None:
        assert group <= ready
        assert rule.allows(group)
        assert rule.allows(everybody - group)
        assert rule.allows(group & makers)


def test_a_whole_street_is_added_up_whole() -> None:
    everybody = set(HOMES[:12])
    assert slot_group(everybody, everybody, makers=set(HOMES[:6]), rule=GroupRule()) == everybody


def test_with_one_home_late_four_more_are_left_out_and_makers_last() -> None:
    everybody, makers = set(HOMES[:12]), set(HOMES[:6])
    group = slot_group(everybody, everybody - {"h07"}, makers=makers, rule=GroupRule())
    assert group is not None
    assert len(group) == 7
    assert group >= makers


def test_a_street_too_small_to_leave_out_five_shows_nothing_while_one_is_late() -> None:
    everybody = set(HOMES[:9])
    assert slot_group(everybody, everybody - {"h08"}, makers=set(), rule=GroupRule()) is None
    # A home that lets others see it may be the difference.
    rule = GroupRule(open_homes=frozenset({"h08"}))
    assert slot_group(everybody, everybody - {"h08"}, makers=set(), rule=rule) == everybody - {"h08"}
