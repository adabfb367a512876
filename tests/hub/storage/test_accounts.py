"""Bank accounts and mandates in the store: append-only, no access without a log line, no IBAN in any text."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub.storage.account_records import NewAccount
from hub.storage.contract import Store
from hub.storage.records import Access, Home, Member
from tests.hub.storage.backends import OpenBackend, is_kept

IBAN, OTHER = "AT611904300234573201", "ES9121000418450200051332"
LOOK = Access("m01", "board", "bank.pay")


@pytest.fixture
async def store(open_backend: OpenBackend) -> AsyncIterator[Store]:
    opened = await open_backend(now=lambda: 0.0)
    for number in (1, 2):
        member = Member(f"m0{number}", "Name", f"m{number}@example.org", "en", number == 1, 0)
        await opened.add_member(member, Home(f"h0{number}", "Home", member.id))
    yield opened
    await opened.close()


def new(iban: str = IBAN, *, member: str = "m02", at: int = 10) -> NewAccount:
    return NewAccount(member, "Name", iban, "m01", at)


async def test_the_last_account_counts_and_another_iban_ends_the_mandate(store: Store) -> None:
    assert await store.add_mandate("m02", signed_on="2026-05-01", made_by="m02", made_at=1) == "no account"
    await store.add_account(new())
    assert await store.add_mandate("m02", signed_on="2026-05-01", made_by="m02", made_at=2) is None
    assert await store.add_mandate("m02", signed_on="2026-05-01", made_by="m02", made_at=3) == "already in force"
    await store.add_account(new(at=11))
    details = await store.bank_details(["m02"], access=LOOK)
    mandate = details.mandate_of("m02")
    assert mandate is not None, "the same IBAN entered again leaves the mandate"
    assert (mandate.id, mandate.account, mandate.signed_on) == ("m02-1", 1, "2026-05-01")
    await store.add_account(new(OTHER, at=12))
    details = await store.bank_details(["m02"], access=LOOK)
    account = details.account_of("m02")
    assert account is not None
    assert (account.iban, details.mandate_of("m02"), len(details.accounts)) == (OTHER, None, 3)
    assert (details.mandates[0].ended_by, details.mandates[0].ended_at) == ("m01", 12)
    assert await store.add_mandate("m02", signed_on="2026-06-01", made_by="m02", made_at=13) is None
    assert await store.end_mandate("m02", made_by="m02", made_at=14)
    assert not await store.end_mandate("m02", made_by="m02", made_at=15)
    ids = [row.id for row in (await store.bank_details(None, access=LOOK)).mandates]
    assert ids == ["m02-1", "m02-2"]


async def test_a_mandate_keeps_the_id_of_its_letter_and_no_two_share_one(store: Store) -> None:
    for member in ("m01", "m02"):
        await store.add_account(new(member=member))
    given = {"signed_on": "2026-05-01", "made_by": "m01", "made_at": 1, "mandate": "LETTER 7"}
    assert await store.add_mandate("m01", **given) is None  # type: ignore[arg-type]
    assert await store.add_mandate("m02", **given) == "taken"  # type: ignore[arg-type]
    found = await asyncio.gather(
        *(store.add_mandate("m02", signed_on="2026-05-01", made_by="m02", made_at=n) for n in range(5))
    )
    assert sorted(map(str, found)) == ["None", *["already in force"] * 4]


async def test_every_access_is_in_the_log_of_its_home(store: Store) -> None:
    await store.add_account(new())
    await store.bank_details(["m02"], access=LOOK)
    assert await store.access_rows("h01", limit=9) == ()
    (row,) = await store.access_rows("h02", limit=9)
    assert (row.actor, row.role, row.purpose, row.fields) == ("m01", "board", "bank.pay", "bank account")
    await store.bank_details(None, access=LOOK)
    assert len(await store.access_rows("h01", limit=9)) == 1
    nobody = Access("", "board", "bank.pay")
    with pytest.raises(ValueError, match="actor"):
        await store.bank_details(None, access=nobody)


async def test_no_row_is_ever_changed_and_no_text_shows_an_iban(store: Store) -> None:
    await store.add_account(new())
    await store.add_mandate("m02", signed_on="2026-05-01", made_by="m02", made_at=2)
    await store.end_mandate("m02", made_by="m02", made_at=3)
    assert IBAN not in repr(new())
    assert IBAN not in repr(await store.bank_details(None, access=LOOK))
    for table in ("account", "mandate", "mandate_end"):
        for sql in (f"UPDATE {table} SET made_at = 0", f"DELETE FROM {table}"):
            assert await is_kept(store, sql), sql
