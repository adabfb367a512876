"""A million random slots of each method against the slow reference: `make campaign`, about twenty minutes on one core.

Every slot stands in a random period with its windows, gaps, participation factors and, in half of them, hourly sums.
New periods are drawn at each run; a failure prints the seed that made it.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import COUNTED
from tests.hub.core.settlement.period_check import check_against_slow_period
from tests.hub.core.settlement.settlement_worlds import HIGHEST, METHODS, make_period

PERIODS, INTERVALS = 500, 2_000


@pytest.mark.campaign
@pytest.mark.parametrize("method", METHODS)
def test_a_million_slots_equal_the_slow_reference(method: str, record_property: Callable[[str, object], None]) -> None:
    checked = 0

    @given(seed=st.integers(0, 2**62), count=st.integers(1, 7), highest_wh=st.sampled_from(HIGHEST))
    @settings(
        max_examples=PERIODS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(seed: int, count: int, highest_wh: int) -> None:
        nonlocal checked
        period = make_period(method, seed=seed, intervals=INTERVALS, highest_wh=highest_wh, count=count)
        checked += check_against_slow_period(*period)

    check()
    record_property(COUNTED, f"{method}: {checked:,} slots equal the slow reference")
    assert checked >= PERIODS * INTERVALS
