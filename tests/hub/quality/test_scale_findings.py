"""What the nightly look at grid meters compares: the grid of every home, production where it may be used, the cold."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from hub.core.quality.cold_days import heat_demand
from hub.core.quality.scale_changes import DAYS, DAYS_BEFORE, MANY_DAYS, ScaleChange, StreetDays
from hub.quality.scale_findings import MADE, scale_findings
from hub.storage.records import Access, HomeSeries, ReadingRow
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slots_of_day, start_of
from tests.hub.settled_street import COOP, Arrival, Street, open_street

DAY = date(2026, 5, 30)
SLOTS = slots_of_day(DAY, COOP.tz)
PARTS = {
    Measure.PV_PRODUCTION: 700,
    Measure.WIND_PRODUCTION: -1,
    Measure.BATTERY_CHARGE: 300,
    Measure.BATTERY_DISCHARGE: 50,
}
"""What home 1 says of each slot, in Wh; it has no turbine."""


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=4)
    yield opened
    await opened.store.close()


async def arrive(street: Street, arrivals: list[Arrival]) -> None:
    messages = []
    for number, slot in arrivals:
        message = street.message(number, slot)
        extra = [
            ReadingRow(message.home, measure, slot, 1, wh, Mark.MEASURED, Gap.NONE)
            for measure, wh in PARTS.items()
            if wh >= 0 and number in (1, 2)
        ]
        messages.append(replace(message, readings=(*message.readings, *extra)))
    await street.store.store_messages(messages)


def compared(monkeypatch: pytest.MonkeyPatch, *found: ScaleChange) -> list[StreetDays]:
    seen: list[StreetDays] = []

    def look(homes: list[str], days: StreetDays) -> tuple[ScaleChange, ...]:
        assert homes == ["h01", "h02", "h03", "h04"]
        seen.append(days)
        return found

    monkeypatch.setattr("hub.quality.scale_findings.find_scale_changes", look)
    return seen


async def test_what_is_compared(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """Homes 1 and 2 make energy and only 1 lets it be used, so 2 is compared by its nights; 3 and 4 only draw."""
    seen = compared(monkeypatch)
    earliest = slots_of_day(DAY - timedelta(days=90), COOP.tz)[0]
    street.values |= (
        {(1, slot): (100, 0) for slot in SLOTS} | {(2, slot): (40, 0) for slot in SLOTS} | {(2, SLOTS[7]): (0, 9)}
    )
    street.values |= {(3, slot): (7, 0) for slot in SLOTS} | {(4, slot): (9, 0) for slot in SLOTS}
    street.values |= {(number, earliest): (1, 0) for number in range(1, 5)}
    await arrive(street, [(1, earliest), *((number, slot) for slot in SLOTS[:24] for number in range(1, 5))])
    first_s = start_of(SLOTS.start)
    await street.store.add_weather(first_s, rows=[(first_s + 3600 * hour, 2.0, 0.0, 0.0) for hour in range(24)])
    assert (
        await scale_findings(street.store, DAY, SLOTS, allowed={"h01": list(MADE), "h02": [Measure.PV_PRODUCTION]})
        == []
    )
    (days,) = seen
    assert days.net_wh.shape == days.made_wh.shape == (DAYS_BEFORE + MANY_DAYS, 96, 4)
    assert days.net_wh[-1, :7].tolist() == [[100, 40, 7, 9]] * 7
    assert np.isfinite(days.net_wh[-1, :, 1]).tolist() == [0 <= slot < 16 and slot != 7 for slot in range(96)]
    assert days.net_wh[-1, 16:24, [0, 2, 3]].T.tolist() == [[100, 7, 9]] * 8
    assert np.isnan(days.net_wh[-1, 24:]).all()
    assert days.made_wh[-1, :24, 0].tolist() == [700 + 50 - 300] * 24
    assert np.isnan(days.made_wh[-1, 24:, 0]).all()
    assert not days.made_wh[:, :, 1:].any()
    assert days.heat[-1] == pytest.approx(np.full(96, float(heat_demand(np.array(2.0)))))


async def test_however_many_homes_few_are_read_together(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each home's 70 days of what it makes are large: the night's memory may not grow by them with every home."""
    monkeypatch.setattr("hub.quality.scale_findings.HOMES_AT_ONCE", 2, raising=False)
    seen, read = compared(monkeypatch), street.store.homes_series
    asked: list[list[str]] = []

    async def noting(
        wanted: Mapping[str, Sequence[Measure]], *, slots: range, access: Access
    ) -> dict[str, dict[Measure, HomeSeries]]:
        asked.append(list(wanted))
        return await read(wanted, slots=slots, access=access)

    monkeypatch.setattr(street.store, "homes_series", noting)
    earliest = slots_of_day(DAY - timedelta(days=90), COOP.tz)[0]
    await arrive(street, [(number, slot) for number in range(1, 5) for slot in (earliest, *SLOTS[:4])])
    allowed = {home: list(MADE) for home in ("h01", "h02", "h04")}
    assert await scale_findings(street.store, DAY, SLOTS, allowed=allowed) == []
    assert asked == [["h01", "h02"], ["h04"]]
    (days,) = seen
    assert days.made_wh[-1, :4].tolist() == [[450, 450, 0, 0]] * 4


async def test_a_change_is_said_once_a_month_with_its_days(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    compared(monkeypatch, ScaleChange("h02", 110, MANY_DAYS, 13.0))
    await street.arrive([(number, slots_of_day(DAY - timedelta(days=60), COOP.tz)[0]) for number in range(1, 5)])
    (found,) = await scale_findings(street.store, DAY, SLOTS, allowed={})
    assert (found.code, found.home, found.severity) == ("scale_change", "h02", "check")
    assert dict(found.numbers) == {"percent_of_usual": 110, "days": MANY_DAYS}
    assert found.sentence == "For 28 days the grid meter has counted about 110 % of what is usual for this home."


async def test_a_young_street_is_not_compared(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = compared(monkeypatch)
    assert await scale_findings(street.store, DAY, SLOTS, allowed={}) == []
    await street.arrive([(1, slots_of_day(DAY - timedelta(days=DAYS + DAYS_BEFORE - 2), COOP.tz)[0])])
    assert await scale_findings(street.store, DAY, SLOTS, allowed={}) == []
    assert seen == []
