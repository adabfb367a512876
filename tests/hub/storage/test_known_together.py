"""Homes that people know together: each group once, by its first home, however its links come."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from hub.storage.household_records import known_together

NUMBERS = st.integers(min_value=1, max_value=9)
LIVES = st.lists(st.tuples(NUMBERS.map("h{}".format), NUMBERS.map("m{}".format)), max_size=20)


def by_looking_again(lives: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Slow and plain: give both homes of a person the first one's id, until nothing changes."""
    found = {home: home for home, _ in lives}
    while True:
        before = dict(found)
        for home, person in lives:
            for other, theirs in lives:
                if person == theirs:
                    found[home] = found[other] = min(found[home], found[other])
        if found == before:
            return found


@given(LIVES)
def test_linked_homes_have_the_id_of_the_first_of_them(lives: list[tuple[str, str]]) -> None:
    assert known_together(lives) == by_looking_again(lives)


def test_a_long_chain_of_homes_is_one_group() -> None:
    lives = [(f"h{number:05d}", f"m{number + step:05d}") for number in range(20_000) for step in (0, 1)]
    assert set(known_together(lives).values()) == {"h00000"}
