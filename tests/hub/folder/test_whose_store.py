"""A store takes the hub whose keys signed what is in it, whatever became of them since, and no other hub."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.__main__ import main
from hub.commands.operation.init import init_hub
from hub.core.ledger.signed_document import SIGNED_TAG, Signer
from hub.folder.clock import open_clock
from hub.folder.keys.hub_key import load_key
from hub.folder.keys.rotation import make_identity, rotate_hub_key
from hub.folder.opening import opened_hub
from hub.storage.contract import Store
from hub.storage.errors import StoreConflictError
from hub.storage.postgres.store import PostgresStore
from hub.storage.records import AttestationRow, Coop
from hub.storage.sqlite import schema
from hub.storage.sqlite.store import SqliteStore
from protocols.hub_keys import HubSigner
from tests.hub.new_store import open_new_store
from tests.hub.postgres_server import Databases
from tests.hub.storage.backends import BACKENDS
from tests.hub.verify.certified_keys import STRANGER, signer_of

COOP = Coop("sunny", "Sunny Street", "Europe/Madrid", "EUR")
NOW_S = 1_790_000_000
PASSPHRASE = b"five words for the safe"
ANOTHER = "another hub signed this store of the co-op sunny"

IDENTITY = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
ONE_KEY = HubSigner.of_one_key(IDENTITY)
ONE, TWO = (signer_of(number, IDENTITY, valid_from=NOW_S + number) for number in (1, 2))
OTHER = HubSigner.of_one_key(STRANGER)

OpenAs = Callable[[Signer], Awaitable[Store]]


def knowing(signer: HubSigner, *certified: HubSigner) -> HubSigner:
    """The signer as a folder with the certificates of these keys makes it."""
    return replace(signer, certified=tuple(each.public_key for each in certified))


@pytest.fixture(params=BACKENDS)
async def open_as(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenAs]:
    """Opens one and the same store with what a hub signs with."""
    databases = Databases()

    async def opened(signer: Signer) -> Store:
        if request.param == "postgres":
            return await PostgresStore.open(await databases.of(tmp_path), now=lambda: NOW_S, signer=signer)
        path = tmp_path / "hub.sqlite"
        await (await open_new_store(path, now=lambda: NOW_S)).close()
        return await SqliteStore.open(path, now=lambda: NOW_S, signer=signer)

    yield opened
    await databases.drop()


async def begun(open_as: OpenAs, signer: Signer, *, documents: int = 0) -> None:
    """The co-op is set, and this signer signs the log of rows and so many documents of the books."""
    store = await open_as(signer)
    await store.set_coop(COOP)
    for number in range(1, documents + 1):
        document = b"document %d" % number
        row = AttestationRow(number, "head", "2026-05-01", "", document, signer.sign(SIGNED_TAG + document))
        await store.attest([row])
    await store.close()


async def is_taken(open_as: OpenAs, signer: Signer) -> bool:
    """Whether the store takes the hub with this signer."""
    store, said = await open_as(signer), ""
    try:
        await store.require_own()
    except StoreConflictError as error:
        said = str(error)
    finally:
        await store.close()
    assert said == "" or (ANOTHER in said and len(said.splitlines()) == 1)
    return not said


@pytest.mark.parametrize("documents", [0, 2])
async def test_a_store_takes_every_key_of_its_own_hub_and_none_of_another(open_as: OpenAs, documents: int) -> None:
    assert await is_taken(open_as, OTHER), "a store without a co-op is nobody's yet"
    await begun(open_as, ONE, documents=documents)
    assert await is_taken(open_as, knowing(ONE, ONE))
    assert await is_taken(open_as, knowing(TWO, ONE, TWO)), "the key was replaced since"
    assert not await is_taken(open_as, OTHER)
    assert not await is_taken(open_as, knowing(TWO, TWO)), "nothing here says that key 1 was ever its own"


async def test_a_hub_whose_one_key_became_the_identity_keeps_its_store(open_as: OpenAs) -> None:
    await begun(open_as, ONE_KEY, documents=1)
    assert await is_taken(open_as, knowing(ONE, ONE))


async def test_a_folder_from_before_the_newest_key_keeps_its_store_once_it_has_books(open_as: OpenAs) -> None:
    await begun(open_as, ONE, documents=1)
    store = await open_as(knowing(TWO, ONE, TWO))
    await store.set_coop(replace(COOP, name="Sunnier Street"))
    await store.close()
    assert await is_taken(open_as, knowing(ONE, ONE)), "the folder was restored, the server was not"


async def test_a_log_that_another_hub_signed_since_takes_the_books_from_nobody(open_as: OpenAs) -> None:
    await begun(open_as, ONE, documents=1)
    store = await open_as(OTHER)
    await store.set_coop(replace(COOP, name="Sunnier Street"))
    await store.close()
    assert await is_taken(open_as, knowing(ONE, ONE))
    assert not await is_taken(open_as, OTHER)


async def made(folder: Path) -> Path:
    await init_hub(folder, coop=COOP, clock=open_clock(None))
    async with opened_hub(folder, clock=open_clock(None)):
        return folder


def test_a_command_on_another_hubs_file_says_so_in_one_line_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (asyncio.run(made(tmp_path / name)) for name in ("first", "second"))
    shutil.copy(first / "hub.sqlite", second / "hub.sqlite")
    before = (second / "hub.sqlite").read_bytes()
    for command in (["run"], ["members"], ["status"], ["settle", "--day", "2026-05-01"], ["mend-sums"]):
        capsys.readouterr()
        assert main([command[0], "--data", str(second), *command[1:]]) == 1
        said = capsys.readouterr().err
        assert ANOTHER in said, said
        assert len(said.splitlines()) == 1
        assert (second / "hub.sqlite").read_bytes() == before


async def test_keys_that_a_folder_made_one_after_another_open_its_store(tmp_path: Path) -> None:
    folder, clock = await made(tmp_path / "hub"), open_clock(None)
    identity = load_key(folder / "hub.key")
    make_identity(folder, coop=COOP.id, passphrase=PASSPHRASE, now_s=NOW_S)
    for day in range(2):
        async with opened_hub(folder, clock=clock) as hub:
            await hub.store.set_coop(replace(COOP, name=f"Street {day}"))
        rotate_hub_key(folder, identity, now_s=NOW_S + day * 86_400)
    async with opened_hub(folder, clock=clock):
        pass


async def test_an_older_file_of_another_hub_is_not_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = schema.known_migrations()
    path = tmp_path / "hub.sqlite"
    with monkeypatch.context() as older:
        older.setattr(schema, "known_migrations", lambda: known[:-1])
        store = await SqliteStore.open(path, now=lambda: NOW_S, create=True, signer=ONE_KEY)
        await store.set_coop(COOP)
        await store.close()
    before = path.read_bytes()
    with pytest.raises(StoreConflictError, match=re.escape(ANOTHER)):
        await SqliteStore.open(path, now=lambda: NOW_S, signer=OTHER)
    assert path.read_bytes() == before
    await (await SqliteStore.open(path, now=lambda: NOW_S, signer=ONE_KEY)).close()
