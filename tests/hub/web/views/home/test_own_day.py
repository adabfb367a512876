"""What a home's page calls missing: gaps in what has arrived, never readings still on their way."""

from datetime import date

import numpy as np
import pytest

from hub.storage.records import HomeSeries
from hub.web.frame.translation import Localizer
from hub.web.views.home.own_day import HomeDays, home_page
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slots_of_day
from tests.hub.web.conftest import SignIn
from tests.hub.web.page_street import COOP


async def test_a_hole_of_today_is_named(sign_in: SignIn) -> None:
    page = (await (await sign_in("m02")).get("/my-home")).text
    assert "quarter hours of today are missing." in page


async def test_what_is_on_its_way_is_not_called_missing(sign_in: SignIn) -> None:
    page = (await (await sign_in("m11")).get("/my-home")).text
    assert "No contact with your home since" in page
    assert "of today is missing" not in page
    assert "of today are missing" not in page


def silent_days(joined_after: int) -> HomeDays:
    """Yesterday and ten hours of today without a reading; the membership began so many slots after midnight."""
    today = slots_of_day(date(2026, 6, 12), COOP.tz)
    slots = range(today.start - 96, today.start + 40)
    nothing = np.full(len(slots), -1)
    gaps = np.full(len(slots), int(Gap.DEVICE_SILENT), dtype=np.int8)
    marks = np.full(len(slots), int(Mark.MISSING), dtype=np.int8)
    return HomeDays(
        home="h01",
        slots=slots,
        today=today,
        series={m: HomeSeries("h01", m, slots.start, nothing, marks, gaps) for m in Measure},
        totals=(),
        devices=(),
        received_through=slots.stop - 1,
        member_from=today.start + joined_after,
    )


@pytest.mark.parametrize(("joined_after", "missing"), [(0, "40 quarter hours"), (30, "10 quarter hours"), (40, "")])
def test_what_was_before_the_membership_is_not_missing(joined_after: int, missing: str) -> None:
    days = silent_days(joined_after)
    lede = home_page(days, Localizer("en", COOP.tz, "EUR"), now_s=float(days.slots.stop * 900)).lede
    assert (f"{missing} of today" in lede) if missing else ("of today" not in lede)


@pytest.mark.parametrize(
    ("joined_after", "when"),
    [
        (-200, "Thu 11 Jun, 00:00 – Fri 12 Jun, 10:00"),
        (-4, "Thu 11 Jun, 23:00 – Fri 12 Jun, 10:00"),
        (30, "Fri 12 Jun, 07:30–10:00"),
        (40, None),
    ],
)
def test_what_does_not_count_is_named_with_its_days_and_only_since_the_membership(
    joined_after: int, when: str | None
) -> None:
    days = silent_days(joined_after)
    page = home_page(days, Localizer("en", COOP.tz, "EUR"), now_s=float(days.slots.stop * 900))
    assert {line.when for line in page.set_aside} == ({when} if when else set())


@pytest.mark.parametrize("arrived", [(), (Measure.PV_PRODUCTION,)])
def test_a_home_whose_grid_meter_has_sent_nothing_is_not_said_to_use_nothing(arrived: tuple[Measure, ...]) -> None:
    today = slots_of_day(date(2026, 6, 12), COOP.tz)
    slots = range(today.start - 96, today.start + 40)
    shape, never = len(slots), int(Gap.NEVER_ARRIVED)
    series = {
        m: HomeSeries(
            "h01",
            m,
            slots.start,
            np.full(shape, 100 if m in arrived else -1),
            np.full(shape, int(Mark.MEASURED if m in arrived else Mark.MISSING), dtype=np.int8),
            np.full(shape, int(Gap.NONE) if m in arrived else never, dtype=np.int8),
        )
        for m in Measure
    }
    days = HomeDays("h01", slots, today, series, totals=(), devices=(), received_through=None)
    page = home_page(days, Localizer("en", COOP.tz, "EUR"), now_s=float(slots.stop * 900))
    assert page.headline == "Nothing measured at your home today yet"
    assert page.lede.startswith("There are no readings from yesterday to compare with. 40 quarter hours")
    assert page.charts[0].sentence == "Neither today nor yesterday is known."
    assert page.has_readings == bool(arrived)
