"""A published month that was corrected: the days its editions have in common are made once, each with its own kind."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.books.runs import settle_month
from hub.core.statements.kept_day import state_to_keep
from hub.core.statements.month import CoopName, SettledDay, StatedDay
from hub.statements import months
from hub.statements.months import StatementService
from protocols.hub_keys import HubSigner
from tests.hub.known_seals import SEALS
from tests.hub.settled_street import KEY, Street, arrivals_of, one_sun_wh, open_street
from tests.hub.statements.test_months import DAYS, HOMES, MAY, check, publish, state

CELLS_OF_A_DAY = 96 * HOMES


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=HOMES, energy=one_sun_wh)
    yield opened
    await opened.store.close()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The days that were made, with the kind of the edition for which they were."""
    found: list[tuple[str, str]] = []

    def noting(coop: CoopName, source: SettledDay, **how: Any) -> StatedDay:
        found.append((source.day, source.run.kind))
        return state_to_keep(coop, source, **how)

    monkeypatch.setattr(months, "state_to_keep", noting)
    return found


async def test_a_corrected_month_keeps_the_days_that_its_editions_share(
    street: Street, tmp_path: Path, made: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [each for each in arrivals_of(DAYS[1], HOMES) if each[0] == 2][40:60]
    await street.arrive_days(DAYS, without=late)
    await publish(street, "M1")
    await street.arrive(late)
    await publish(street, "R1")
    # Room for each day as M1 has it and for the changed one as R1 counts and as it shows it; for no copy of the other.
    monkeypatch.setattr(months, "KEPT_CELLS", 4 * CELLS_OF_A_DAY)
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    for member in ("m03", "m04", "m05"):
        files = await state(street, member, desk)
        assert files is not None
        assert files.before is not None
        assert check(tmp_path / member, files)[0] == 0
        for edition, kind in ((files.before, "M1"), (files.signed, "R1")):
            document: Any = edition["document"]
            assert [day["run"]["kind"] for day in document["days"]] == [kind, kind]
    assert made == [("2026-05-30", "M1"), ("2026-05-31", "M1"), ("2026-05-31", "R1"), ("2026-05-31", "R1")]


async def test_what_is_booked_now_is_not_shown_as_what_was_published(
    street: Street, made: list[tuple[str, str]]
) -> None:
    await street.arrive_days(DAYS)
    await settle_month(street.store, month=MAY, kind="M1", made_at=2, key=KEY)
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    for _ in range(2):
        await state(street, "m02", desk)
    await publish(street, "M1")
    for _ in range(2):
        await state(street, "m02", desk)
    assert [kind for _, kind in made] == ["D", "D", "M1", "M1"]
