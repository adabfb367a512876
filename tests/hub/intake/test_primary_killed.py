"""A hub whose database server is killed and whose standby takes its place: nothing with a receipt is lost (I1, I2)."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.__main__ import main
from hub.broker.plans import free_port
from protocols.enrolment.handshake import build_request, open_answer
from protocols.enrolment.token import parse_token
from protocols.slots import start_of
from protocols.timeline import Timeline
from tests.hub.intake.test_hub_killed import MESSAGES, Sender, post, running_hub
from tests.hub.intake.test_server_killed import moved_to
from tests.hub.postgres_pair import Pair
from tests.hub.postgres_server import SCHEMA
from tests.hub.sending_home import FIRST_SLOT, SendingHome

HOMES, FAILOVERS = 4, 10


class Street:
    """A hub on a pair of servers, and homes that send to it."""

    def __init__(self, folder: Path, pair: Pair) -> None:
        self.hub, self.clock, self.log, self.pair = folder / "hub", folder / "clock.json", folder / "log", pair
        self.homes: list[SendingHome] = []
        self.senders: list[Sender] = []

    async def command(self, *words: str) -> None:
        assert await asyncio.to_thread(main, [*words, "--data", str(self.hub), "--clock", str(self.clock)]) == 0

    async def make(self) -> None:
        self.clock.write_text(Timeline(0, start_of(FIRST_SLOT + MESSAGES + 1), 0, None).text())
        await self.command("init", "--name", "S", "--coop", "street", "--tz", "Europe/Madrid")
        settings = (self.hub / "hub.toml").read_text()
        settings = settings.replace('kind = "auto"', 'kind = "iotcore"\nallow_other_users = true')
        (self.hub / "hub.toml").write_text(settings)
        admin = await self.pair.primary.ask()
        await admin.execute("CREATE DATABASE energy")
        admin.terminate()
        await moved_to(self.pair.dsn("energy"), self.hub, clock=self.clock)

    async def enrol(self, token: str, *, pages: str, broker_port: int) -> None:
        home = SendingHome(f"h{len(self.homes) + 1:02d}")
        request = build_request(home.key, token=parse_token(token), coop="street")
        status, body = await asyncio.to_thread(post, f"{pages}/api/enrol", request)
        assert status == 200, body
        answer = open_answer(body, token=parse_token(token), request=request.encode(), agent_public_key=home.public_key)
        self.homes.append(home)
        key = Ed25519PublicKey.from_public_bytes(answer.hub_public_key)
        self.senders.append(Sender(home, hub_key=key, port=broker_port))

    @property
    def receipted(self) -> int:
        return sum(sender.through for sender in self.senders)

    async def require_receipted(self) -> None:
        """Every message that a home has a receipt for is stored, once, and those before it are."""
        through = {home.agent: sender.through for home, sender in zip(self.homes, self.senders, strict=True)}
        session = await self.pair.primary.ask("energy")
        sql = f"SELECT agent, array_agg(seq ORDER BY position) FROM {SCHEMA}.message GROUP BY agent"
        stored = {str(agent): list(numbers) for agent, numbers in await session.fetch(sql)}
        session.terminate()
        for agent, count in through.items():
            numbers = stored.get(agent, [])
            assert numbers == list(range(1, len(numbers) + 1)), "no hole, none twice, and in order"
            assert len(numbers) >= count, "nothing with a receipt is missing"

    def require_one_line_each(self) -> None:
        """Each of the hub's processes that missed its server said so once for each time, and in one line."""
        lines = self.log.read_text().splitlines()
        assert not [line for line in lines if not line.startswith("20")], "no traceback"
        trouble = [line for line in lines if " ERROR " in line]
        back = [line for line in lines if "the store's server is back" in line]
        assert all("trying again until it is back" in line for line in trouble), trouble
        assert 1 <= len(trouble) == len(back), (trouble, back)

    async def send_through(self, seq: int) -> None:
        await asyncio.gather(
            *(each.send_until(lambda each=each: each.through >= seq, within_s=300) for each in self.senders)
        )


@asynccontextmanager
async def sending_street(folder: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Street]:
    street, port = Street(folder, Pair()), free_port("127.0.0.1")
    await street.make()
    await street.pair.add_standby()
    tokens = []
    for number in range(HOMES):
        capsys.readouterr()
        await street.command("invite", "--member", f"M{number}", "--email", f"m{number}@b.c", "--json")
        tokens.append(json.loads(capsys.readouterr().out)["token"])
    with street.log.open("wb") as log:
        async with running_hub(street.hub, clock=street.clock, broker_port=port, log=log.fileno()) as (child, pages):
            for token in tokens:
                await street.enrol(token, pages=pages, broker_port=port)
            yield street
            for sender in street.senders:
                await sender.stop()
            assert child.returncode is None, "the hub went on by itself"


async def kill_in_the_middle(street: Street, chance: random.Random, *, through: int) -> None:
    """The primary dies at any moment of what the homes send, and the standby takes its place; all of it is stored."""
    sending = asyncio.create_task(street.send_through(through))
    dies_at = street.receipted + chance.randrange(HOMES * MESSAGES // 20)
    while street.receipted < dies_at:
        await asyncio.sleep(0.001)  # the receipts come from another process
    await asyncio.sleep(chance.random() / 20)  # anywhere in a commit
    await street.pair.fail_over()
    assert not sending.done(), "it was killed while homes sent"
    await street.require_receipted()
    await sending
    await street.require_receipted()


async def test_a_standby_takes_the_place_of_a_server_that_was_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sending_street(tmp_path, capsys) as street:
        await kill_in_the_middle(street, random.Random(1), through=60)
    street.require_one_line_each()


@pytest.mark.campaign
async def test_no_receipt_is_broken_by_ten_failovers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with sending_street(tmp_path, capsys) as street:
        for seed in range(1, FAILOVERS + 1):
            await kill_in_the_middle(street, random.Random(seed), through=seed * MESSAGES // FAILOVERS)
            if seed < FAILOVERS:
                await street.pair.add_standby()
        await street.command("verify")
    street.require_one_line_each()
    assert street.receipted == HOMES * MESSAGES
