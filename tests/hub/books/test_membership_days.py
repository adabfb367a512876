"""Who is settled on a day, found from the few turns, hashes as it does from the tables of every slot."""

import asyncio

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from hub.books.days import counted_errors, digest_members
from hub.books.membership_days import MembershipDays
from hub.core.homes.meter_trust import ToldMeter, meter_spans
from hub.core.rules.derived_energy import DerivedRule
from hub.core.rules.rulebook import Rule
from hub.storage.life_records import SettledPeople
from hub.storage.series import errors_table, held_table, membership
from protocols.slots import start_of
from tests.hub.settled_street import RULE

FIRST, DAY, DAYS = 1_990_080, 96, 5
SPAN = DAYS * DAY
MEMBERS = tuple((f"m{n}", f"h{n}") for n in range(4))

seconds = st.integers(start_of(FIRST) - 2000, start_of(FIRST + SPAN) + 2000)
members = st.tuples(*(st.tuples(st.just(m), st.just(h), seconds, seconds) for m, h in MEMBERS))
held = st.lists(st.tuples(st.sampled_from(["h0", "h1", "gone"]), seconds, st.none() | seconds), max_size=3)
meters = st.lists(
    st.builds(
        lambda home, slot, derived: ToldMeter(
            home, 1, slot, "silver", "per-phase", "netted", derived, "none", within_wh=derived * 5, within_percent=1
        ),
        st.sampled_from(["h0", "h2"]),
        st.integers(FIRST - 5, FIRST + SPAN + 5),
        st.booleans(),
    ),
    max_size=3,
)
LENIENT = Rule(RULE.method, prices=RULE.prices, derived=DerivedRule(10, 10))


class Tables:
    """What a store makes of these people and meters."""

    def __init__(self, people: SettledPeople, told: list[ToldMeter]) -> None:
        self.people, self.told = people, told
        self.homes = [home for _, home, _, _ in people.members]

    async def settlement_members(self, *, slots: range) -> tuple[tuple[str, ...], npt.NDArray[np.bool_]]:
        return tuple(m for m, _, _, _ in self.people.members), membership(self.people.members, slots)

    async def held_slots(self, *, slots: range) -> npt.NDArray[np.bool_]:
        return held_table(self.people.held, slots, self.homes)

    async def stated_errors(self, *, slots: range) -> npt.NDArray[np.int64]:
        return errors_table(meter_spans(self.told), slots, self.homes)


@given(members, held, meters, st.sampled_from([None, RULE, LENIENT]))
def test_a_days_members_hash_as_their_tables_do(
    people: tuple[tuple[str, str, int, int], ...],
    waits: list[tuple[str, int, int | None]],
    told: list[ToldMeter],
    rule: Rule | None,
) -> None:
    settled = SettledPeople(people, tuple(waits))
    days = MembershipDays(Tables(settled, told), settled, tuple(told))
    homes = [home for _, home, _, _ in people]
    whole = range(FIRST, FIRST + SPAN)
    present, waiting = membership(people, whole), held_table(waits, whole, homes)
    errors = errors_table(meter_spans(told), whole, homes)
    for day in range(DAYS):
        place = slice(day * DAY, (day + 1) * DAY)
        slots = range(FIRST + day * DAY, FIRST + (day + 1) * DAY)
        stated = counted_errors(errors[place], rule)
        expected = digest_members([m for m, _, _, _ in people], present[place], waiting[place], stated)
        assert asyncio.run(days.of_day(slots, rule)) == (bool(np.any(present[place])), expected)
