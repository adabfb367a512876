"""What is compared with the grid operator's readings: what counts in settlement, also where an agent derived it."""

from pathlib import Path

import pytest

from hub.commands.grid_file import as_settled
from hub.core.rules.rulebook import Rule
from hub.storage.records import Access
from tests.hub.quality.test_derived_energy import COUNTS, NOON, SLOTS, opened, tell
from tests.hub.settled_street import COOP, RULE


@pytest.mark.parametrize(("rule", "missing"), [(COUNTS, 0), (RULE, len(NOON))])
async def test_derived_energy_that_counts_is_compared_too(tmp_path: Path, rule: Rule, missing: int) -> None:
    street = await opened(tmp_path, rule)
    try:
        await tell(street, within_wh=50, percent=10)
        access = Access("m01", "board", "settle.share", "grid-file")
        found = await as_settled(street.store, SLOTS, tz=COOP.tz, access=access)
        assert int((found.surplus_wh[:, 0] < 0).sum()) == missing
        assert int((found.demand_wh[:, 0] < 0).sum()) == missing
    finally:
        await street.store.close()
