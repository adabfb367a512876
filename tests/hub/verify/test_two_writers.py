"""Several processes write to one store: the log of rows that each continues stays one chain."""

import asyncio
from pathlib import Path

from hub.folder.opening import open_store
from tests.hub.verify.tampering import CLOCK, findings_of


def test_writers_that_take_turns_keep_one_log(hub: Path) -> None:
    async def write() -> None:
        stores = [await open_store(hub, clock=CLOCK) for _ in range(3)]

        async def links(number: int) -> None:
            for n in range(20):
                link = bytes((number, n))
                await stores[number].add_sign_in(link, member_id="m03", expires_at=2_000_000_000)

        await asyncio.gather(*(links(number) for number in range(len(stores))))
        for store in stores:
            await store.close()

    asyncio.run(write())
    assert findings_of(hub, only="rows") == []
