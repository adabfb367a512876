"""A published month that was corrected: the days its editions have in common are made once, each with its own kind."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hub.books.days import settle_day
from hub.books.runs import settle_month
from hub.core.statements.month import CoopName, SettledDay, StatedDay, state_day
from hub.statements import kept_days
from hub.statements.months import StatementService
from hub.statements.prepared_days import PreparedDaysJob
from hub.storage.sql.connection import Connection
from hub.storage.street_records import PartPlace
from protocols.hub_keys import HubSigner
from protocols.slots import slots_of_day, start_of
from tests.hub.known_seals import SEALS
from tests.hub.settled_street import COOP, KEY, Street, arrivals_of, one_sun_wh, open_street
from tests.hub.statements.test_months import DAYS, HOMES, MAY, check, publish, state


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
        return state_day(coop, source, **how)

    monkeypatch.setattr(kept_days, "state_day", noting)
    return found


async def test_a_corrected_month_keeps_the_days_that_its_editions_share(
    street: Street, tmp_path: Path, made: list[tuple[str, str]]
) -> None:
    late = [each for each in arrivals_of(DAYS[1], HOMES) if each[0] == 2][40:60]
    await street.arrive_days(DAYS, without=late)
    await publish(street, "M1")
    await street.arrive(late)
    await publish(street, "R1")
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


async def rows_of(street: Street) -> dict[PartPlace, bytes]:
    """Everything that is kept."""

    async def work(db: Connection) -> dict[PartPlace, bytes]:
        rows = await db.execute_fetchall("SELECT day, name, part, content FROM kept_part")
        return {(day, name, part): content for day, name, part, content in rows}

    return await street.store.read(work)


async def test_another_process_makes_no_day_again_and_says_the_same(
    street: Street, made: list[tuple[str, str]], tmp_path: Path
) -> None:
    await street.arrive_days(DAYS)
    await publish(street, "M1")
    before = [await state(street, member) for member in ("m01", "m02")]
    assert len(made) == len(DAYS)
    after = [await state(street, member) for member in ("m01", "m02")]
    assert [files and files.signed for files in after] == [files and files.signed for files in before]
    assert [files and files.pool for files in after] == [files and files.pool for files in before]
    assert len(made) == len(DAYS), "each state() above has a desk of its own: what is kept is in the store"
    assert after[0] is not None
    assert check(tmp_path / "again", after[0])[0] == 0


async def test_a_part_that_the_hub_did_not_seal_is_made_again(street: Street, made: list[tuple[str, str]]) -> None:
    await street.arrive_days(DAYS)
    await publish(street, "M1")
    said = await state(street, "m02")
    rows = await rows_of(street)
    own = {place: content for place, content in rows.items() if place[2] == "of m02"}
    others = {place: rows[(place[0], place[1], "of m01")] for place in own}
    flipped = {place: content[:-1] + bytes([content[-1] ^ 1]) for place, content in own.items()}
    for altered in (others, flipped, dict.fromkeys(own, b""), dict.fromkeys(own, b"x" * 40)):
        await street.store.keep_parts(altered)
        made.clear()
        assert await state(street, "m02") == said
        assert len(made) == len(DAYS)
        assert await rows_of(street) == rows
    heads = {place: rows[place][:-1] for place in rows if place[2] == "head"}
    await street.store.keep_parts(heads)
    assert await state(street, "m02") == said


async def test_a_view_reads_its_members_rows_alone(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    await street.arrive_days(DAYS)
    await publish(street, "M1")
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    await state(street, "m01", desk)
    read: list[PartPlace] = []
    kept_parts = street.store.kept_parts

    async def noting(places: Sequence[PartPlace]) -> dict[PartPlace, bytes]:
        read.extend(places)
        return await kept_parts(places)

    monkeypatch.setattr(street.store, "kept_parts", noting)
    for name in ("run_record", "entries_of_day", "settlement_members", "entries_of_days"):
        monkeypatch.setattr(street.store, name, None)
    await state(street, "m02", desk)
    assert {part for _, _, part in read} == {"of m02"}
    assert len(read) == len(DAYS)


async def test_days_are_prepared_once_and_old_ones_forgotten(street: Street, made: list[tuple[str, str]]) -> None:
    await street.arrive_days(DAYS)
    for day in DAYS:
        await settle_day(street.store, day=day, made_at=1, key=KEY)
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    job = PreparedDaysJob(desk, tz=COOP.tz)
    june = start_of(slots_of_day(date(2026, 6, 2), COOP.tz).start)
    for _ in range(2):
        await job(june)
        assert [day for day, _ in made] == [day.isoformat() for day in DAYS]
    await state(street, "m02")
    assert len(made) == len(DAYS), "a member's look finds them"
    await publish(street, "M1")
    await job(june)
    assert len(made) == 2 * len(DAYS)
    held = {name[0] for _, name, _ in await rows_of(street)}
    await job(june + 80 * 86_400)
    assert (held, {name[0] for _, name, _ in await rows_of(street)}) == ({"n", "p"}, {"p"})
    await job(june + 500 * 86_400)
    assert await rows_of(street) == {}


async def test_who_was_no_member_yet_is_told_so_without_a_second_making(
    street: Street, made: list[tuple[str, str]]
) -> None:
    await street.arrive_days(DAYS)
    await publish(street, "M1")
    desk = StatementService(street.store, key=HubSigner.of_one_key(KEY), seals=SEALS)
    await state(street, "m01", desk)
    await street.join(HOMES + 1, joined_at=start_of(slots_of_day(date(2026, 6, 5), COOP.tz).start))
    made.clear()
    for _ in range(2):
        assert await state(street, f"m{HOMES + 1:02d}", desk) is None
        assert len(made) == len(DAYS)
