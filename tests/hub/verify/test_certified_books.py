"""Books signed with one hub key after another: `verify` checks each document through its key's certificate."""

import asyncio
import shutil
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from hub.books.days import settle_day
from hub.core.ledger.run_calendar import days_of
from hub.core.ledger.signed_document import Signer
from hub.settlement_job import SettlementJob
from hub.storage.sqlite.store import SqliteStore
from hub.timetable import JobError
from hub.verify.books import check_books
from hub.verify.rows import check_rows
from protocols.errors import RequestError
from protocols.hub_keys import HubKeyCertificate, HubSigner
from tests.hub.settled_street import COOP, Street, fill_street
from tests.hub.settled_street import KEY as IDENTITY
from tests.hub.verify.certified_keys import DAY_S, certificate_in, hub_key, signer_of

START: Final = 1_780_000_000
TURN: Final = START + 10 * DAY_S
DAYS: Final = days_of(date(2026, 5, 1))[-3:]


def key_of(number: int, *, valid_from: int, days: int = 400, overlap_days: int = 1, other: int = 0) -> HubSigner:
    return signer_of(
        number, IDENTITY, coop=COOP.id, valid_from=valid_from, days=days, overlap_days=overlap_days, other=other
    )


def opened(signer: HubSigner) -> HubKeyCertificate:
    return certificate_in(signer, coop=COOP.id)


ONE: Final = key_of(1, valid_from=START)
TWO: Final = key_of(2, valid_from=TURN)


class Books:
    """A street's store, opened with one key after another at a time of its own."""

    def __init__(self, path: Path) -> None:
        self.path, self.at = path, START
        self.signer: Signer = ONE

    async def open(self, signer: Signer) -> SqliteStore:
        return await SqliteStore.open(self.path, now=lambda: float(self.at), create=True, signer=signer)

    async def settle(self, signer: Signer, day: date, *, at: int) -> None:
        """One more day, booked with this key at this time."""
        self.at, self.signer = at, signer
        store = await self.open(signer)
        await settle_day(store, day=day, made_at=at, key=signer)
        await store.close()

    async def found(self, *certificates: HubKeyCertificate) -> list[str]:
        """What the check of books and rows finds, for somebody who knows the identity key."""
        store, known = await self.open(self.signer), IDENTITY.public_key()
        books = await check_books(store, known, certificates=certificates)
        rows, _ = await check_rows(store, known, certificates=certificates)
        await store.close()
        return books.findings + rows.findings


@pytest.fixture(scope="module")
def kept_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A street that has settled one day with the identity key and one with hub key 1; not to be written to."""
    path = tmp_path_factory.mktemp("street") / "hub.sqlite"

    async def book() -> None:
        books = Books(path)
        store = await books.open(IDENTITY)
        street: Street = await fill_street(store)
        await street.arrive_days(DAYS)
        await store.close()
        await books.settle(IDENTITY, DAYS[0], at=START - DAY_S)
        await books.settle(ONE, DAYS[1], at=START + DAY_S)

    asyncio.run(book())
    return path


@pytest.fixture
def books(kept_store: Path, tmp_path: Path) -> Books:
    """A copy of it."""
    shutil.copy(kept_store, tmp_path / "hub.sqlite")
    return Books(tmp_path / "hub.sqlite")


async def test_documents_of_every_key_hold_after_a_rotation(books: Books) -> None:
    assert await books.found(opened(ONE)) == []
    await books.settle(TWO, DAYS[2], at=TURN + 5)
    assert await books.found(opened(ONE), opened(TWO)) == []


async def test_the_old_key_may_sign_within_the_overlap(books: Books) -> None:
    await books.settle(ONE, DAYS[2], at=TURN + DAY_S)
    assert await books.found(opened(ONE), opened(TWO)) == []


async def test_an_older_day_may_be_signed_with_a_newer_key(books: Books) -> None:
    """As when a hub was down: the job's time lies before the certificate."""
    await books.settle(TWO, DAYS[2], at=TURN - DAY_S)
    assert await books.found(opened(ONE), opened(TWO)) == []


async def test_a_key_without_a_certificate_is_found(books: Books) -> None:
    await books.settle(TWO, DAYS[2], at=TURN + 5)
    assert await books.found(opened(ONE)) == [
        "attestation 3 of 2026-05-31: no hub key with a certificate has signed these bytes",
        "run 3 of 2026-05-31: the hub has not signed it",
        "log of rows: no hub key with a certificate has signed its head",
    ]


async def test_a_stranger_with_the_number_of_a_known_key_is_found(books: Books) -> None:
    await books.settle(key_of(2, valid_from=TURN, other=7), DAYS[2], at=TURN + 5)
    found = await books.found(opened(ONE), opened(TWO))
    assert found[0] == "attestation 3 of 2026-05-31: no hub key with a certificate has signed these bytes"


async def test_the_old_key_after_the_overlap_is_found(books: Books) -> None:
    await books.settle(ONE, DAYS[2], at=TURN + DAY_S + 1)
    over = "signed with hub key 1, whose time was over at 2026-06-08T20:26:40Z"
    assert await books.found(opened(ONE), opened(TWO)) == [
        f"attestation 3 of 2026-05-31: {over}",
        f"log of rows: its head is {over}",
    ]


async def test_a_stolen_key_is_found_from_the_rotation_on(books: Books) -> None:
    stolen = key_of(2, valid_from=TURN, overlap_days=0)
    await books.settle(ONE, DAYS[2], at=TURN + 1)
    found = await books.found(opened(ONE), opened(stolen))
    assert [line.split(":")[0] for line in found] == ["attestation 3 of 2026-05-31", "log of rows"]


async def test_a_hub_whose_certificate_has_ended_signs_nothing_and_catches_up_with_the_next(books: Books) -> None:
    ended = key_of(1, valid_from=START, days=5)
    with pytest.raises(RequestError, match="the certificate of hub key 1 has ended: nothing was signed or booked"):
        await books.settle(ended, DAYS[2], at=START + 5 * DAY_S + 1)
    await books.settle(TWO, DAYS[2], at=TURN)
    assert await books.found(opened(ended), opened(TWO)) == []


async def test_the_nightly_settlement_says_in_one_line_that_the_key_has_ended(books: Books) -> None:
    ended = key_of(1, valid_from=START, days=5)
    books.at = START + 6 * DAY_S
    store = await books.open(ended)
    with pytest.raises(JobError, match="the certificate of hub key 1 has ended") as refused:
        await SettlementJob(store, tz=COOP.tz, key=ended)(books.at)
    await store.close()
    assert "\n" not in str(refused.value)
    assert await books.found(opened(ONE)) == []


async def test_a_certificate_of_another_co_op_signs_nothing(books: Books) -> None:
    other = signer_of(1, IDENTITY, coop="other", valid_from=START)
    with pytest.raises(RequestError, match="it is of 'other', expected 'street': nothing was signed"):
        await books.settle(other, DAYS[2], at=START + DAY_S)


async def test_books_of_a_single_key_need_no_certificate(books: Books) -> None:
    assert await books.found(opened(ONE)) == []
    await books.settle(hub_key(9), DAYS[2], at=TURN)
    found = await books.found()
    assert "attestation 2 of 2026-05-30: the hub has not signed these bytes" in found
