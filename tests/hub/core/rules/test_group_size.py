"""The rule on small groups: nobody, five homes, or only homes that let others see them."""

import pytest

from hub.core.rules.group_size import LEAST_HOMES, GroupRule

RULE = GroupRule(open_homes=frozenset({"o1", "o2"}), plants=frozenset({"p1"}))


@pytest.mark.parametrize(
    ("group", "may"),
    [
        ("", True),
        ("a", False),
        ("abcd", False),
        ("abcde", True),
        (("a", "b", "c", "d", "p1"), False),
        (("p1",), True),
        (("o1",), True),
        (("o1", "o2", "p1"), True),
        (("o1", "a"), False),
        (("o1", "o2", "a", "b", "c"), True),
    ],
)
def test_a_group_counts_homes_and_not_plants(group: str | tuple[str, ...], may: bool) -> None:
    assert RULE.allows(set(group)) is may


def test_five_is_the_least() -> None:
    assert LEAST_HOMES == 5
