"""Two real Mosquittos and a hub: homes are moved between them under traffic, one is killed, and one is gone."""

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from edge_agent.uplink.moving.place import kept_notice
from hub.__main__ import main
from hub.broker.mosquitto_files import find_mosquitto
from hub.broker.plans import free_port
from protocols.timeline import Timeline
from protocols.wire.topics import shard_of
from tests.hub.intake.test_hub_killed import running_hub
from tests.hub.sending_home import COOP
from tests.journeys.test_home_elsewhere import is_port_free, until
from tests.journeys.uplink_home import UplinkHome, uplink_home

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here")
LOW, HIGH = range(32), range(32, 64)
TRAFFIC_EACH_S = 0.1


class Street:
    """A hub's folder and the ports of its two brokers; its settings may be changed between two starts."""

    def __init__(self, folder: Path) -> None:
        self.hub, self.clock = folder / "hub", folder / "clock.json"
        self.ports = [free_port("127.0.0.1") for _ in range(2)]
        self.enrol_port, self.broker_port = free_port("127.0.0.1"), free_port("127.0.0.1")
        # Near the real time, by which certificates go.
        self.now_s = int(time.time())
        self.clock.write_text(Timeline(self.now_s, self.now_s, 1.0, None).text())
        self._written = ""

    async def run(self, *arguments: str) -> None:
        assert await asyncio.to_thread(main, [*arguments, "--data", str(self.hub)]) == 0

    async def make(self, passphrase: Path) -> None:
        await self.run(
            *("init", "--name", "S", "--coop", COOP.id, "--tz", COOP.tz, "--passphrase-file", str(passphrase))
        )
        settings = self.hub / "hub.toml"
        public = f'\n[public]\nhost = "localhost"\nenrol_port = {self.enrol_port}\n'
        self._written = settings.read_text().replace('kind = "auto"', 'kind = "mosquitto"\n') + public

    def share(self, *sites: str) -> None:
        """Write `broker.shards`, which counts from the next start on."""
        text = self._written.replace('kind = "mosquitto"', f'kind = "mosquitto"\nshards = {json.dumps(sites)}')
        (self.hub / "hub.toml").write_text(text)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with running_hub(self.hub, clock=self.clock, broker_port=self.broker_port):
            await until(lambda: not is_port_free(self.enrol_port))
            yield

    def stored(self, agent: str) -> list[tuple[int, int]]:
        with sqlite3.connect(self.hub / "hub.sqlite") as db:
            return db.execute("SELECT epoch, seq FROM message WHERE agent = ? ORDER BY epoch, seq", (agent,)).fetchall()

    def brokers(self) -> dict[int, int]:
        """The process of each running Mosquitto of this hub, by its port for homes."""
        found = {}
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = place.read_bytes().split(b"\0")
            except OSError:
                continue  # it has just ended
            if words[0].endswith(b"mosquitto") and str(self.hub).encode() in words[2]:
                configuration = Path(words[2].decode()).read_text()
                port = next(each for each in self.ports if f"listener {each}\n" in configuration)
                found[port] = int(place.parent.name)
        return found


class Traffic:
    """Quarter hours end in every home, again and again, until it is stopped."""

    def __init__(self, homes: Sequence[UplinkHome]) -> None:
        self._homes = homes
        self._stops = asyncio.Event()
        self._task = asyncio.create_task(self._flow())

    async def _flow(self) -> None:
        while not self._stops.is_set():
            for home in self._homes:
                await home.add()
            await asyncio.sleep(TRAFFIC_EACH_S)  # the pace at which quarter hours end here

    async def stop(self) -> None:
        self._stops.set()
        await self._task


async def holds(condition: Callable[[], bool], what: str, *, within_s: float = 120) -> None:
    try:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(what) from None


async def moves_on(homes: Sequence[UplinkHome]) -> None:
    """Each of these homes gets a receipt for something that it makes from now on."""
    made = [home.made for home in homes]
    await holds(
        lambda: all(home.uplink._receipted.through > each for home, each in zip(homes, made, strict=True)),
        "receipts come for what is made now",
    )


@pytest.fixture
async def street(tmp_path: Path) -> Street:
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("five words for the safe\n")
    made = Street(tmp_path)
    await made.make(passphrase)
    return made


@asynccontextmanager
async def four_homes(
    street: Street, folder: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[list[UplinkHome]]:
    """Two whose shards are low and two whose shards are high, enrolled with the running hub."""
    async with AsyncExitStack() as stack:
        homes = []
        for number, shards in enumerate((LOW, LOW, HIGH, HIGH)):
            capsys.readouterr()
            member = ["--member", f"M{number}", "--email", f"m{number}@b.c", "--json", "--clock", str(street.clock)]
            await street.run("invite", *member)
            token = json.loads(capsys.readouterr().out)["token"]
            made = uplink_home(
                folder / f"home{number}", enrol_port=street.enrol_port, token=token, shards=shards, now_s=street.now_s
            )
            homes.append(await stack.enter_async_context(made))
        yield homes


async def test_homes_move_between_two_brokers_and_lose_and_double_nothing(
    street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = street.ports
    street.share(f"0-31 here:{one}", f"32-63 here:{two}")
    async with AsyncExitStack() as stack:
        async with street.running():
            homes = await stack.enter_async_context(four_homes(street, tmp_path, capsys))
            assert [home.place.address[1] for home in homes] == [one, one, two, two], "told at enrolment"
            for home in homes:
                await stack.enter_async_context(home.running())
            traffic = Traffic(homes)
            stack.push_async_callback(traffic.stop)
            await moves_on(homes)
            assert set(street.brokers()) == {one, two}
            assert await asyncio.to_thread(main, ["broker", "check", "--data", str(street.hub)]) == 0

        # The board moves the first home's shard, and with it that home alone.
        shard = shard_of(homes[0].agent)
        stay = [home for home in homes if shard_of(home.agent) != shard]
        rest = ",".join(str(each) for each in LOW if each != shard)
        street.share(f"{rest} here:{one}", f"{shard},32-63 here:{two}")
        async with street.running():
            await holds(lambda: homes[0].place.address == ("localhost", two), "the home is sent on")
            await holds(lambda: kept_notice(homes[0].folder, homes[0].agent) is not None, "and has an answer there")
            await moves_on(homes)
            assert all(kept_notice(home.folder, home.agent) is None for home in stay), "nobody else moved"

            # A broker dies: its homes wait, the others do not notice, and all of them catch up.
            os.kill(street.brokers()[two], signal.SIGKILL)
            await moves_on(homes)
            await holds(lambda: set(street.brokers()) == {one, two}, "it was started again")

        # The second broker is gone for good, with nobody left there to tell its homes: they ask the hub.
        street.share(f"0-63 here:{one}")
        async with street.running():
            await holds(lambda: all(home.place.address == ("localhost", one) for home in homes), "they ask and move")
            await moves_on(homes)
            assert set(street.brokers()) == {one}
            await traffic.stop()
            for home in homes:
                await holds(lambda home=home: home.uplink._receipted.through == home.made, "everything has its receipt")
                stored = street.stored(home.agent)
                assert [seq for _, seq in stored] == list(range(1, home.made + 1)), "each once"
                assert len({epoch for epoch, _ in stored}) == 1, "nothing had to begin again"
    await street.run("verify", "--clock", str(street.clock))
