"""Real hub and agents: the hub's key is replaced, also after a theft; no home enrols again, nor one that was off."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.outbox.messages import OutboxError
from edge_agent.outbox.view import read_overview
from edge_agent.uplink.identity import load_enrolment
from hub.__main__ import main
from hub.broker.connection import BrokerAddress, BrokerLink
from hub.broker.plans import free_port
from hub.folder.keys.ending import hub_key_certificate
from hub.folder.keys.hub_key import load_key
from hub.folder.keys.signer import load_certificates, load_signer
from protocols.hub_keys import HubKeyCertificate, seal_certificate
from protocols.wire.envelope import seal
from protocols.wire.receipts import Receipt, encode_receipt
from protocols.wire.topics import downlink_topic
from tests.edge_agent.modbus_stand import Stand, meter_words
from tests.hub.intake.test_hub_killed import running_hub
from tests.journeys.test_home_over_tls import Place, running_agent

PASSPHRASE = "five words for the safe\n"

# A program that is killed, as by kill -9, just before its nth file gets its name.
KILLED = """
import os, pathlib, signal, sys
from hub.__main__ import main
left, real = [int(sys.argv[1])], pathlib.Path.replace
def replace(self, target):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return real(self, target)
pathlib.Path.replace = replace
sys.exit(main(sys.argv[2:]))
"""


def passphrase_of(folder: Path) -> str:
    path = folder / "passphrase"
    path.touch(mode=0o600)
    path.write_text(PASSPHRASE)
    return str(path)


class Street:
    """One hub of the old form, whose key is itself the identity key, and two homes that send to it."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.hub, self.clock = folder / "hub", folder / "clock.json"
        self.homes = []
        for number, port in enumerate(ports, start=1):
            (folder / f"home{number}").mkdir()
            place = Place(folder / f"home{number}", meter_port=port)
            place.hub, place.clock = self.hub, self.clock
            self.homes.append(place)
        self.broker_port = free_port("127.0.0.1")
        self._passphrase = passphrase_of(folder)

    def run(self, *arguments: str) -> None:
        assert main([*arguments, "--data", str(self.hub)]) == 0

    async def authority(self, *arguments: str) -> None:
        await asyncio.to_thread(self.run, "authority", *arguments, "--passphrase-file", self._passphrase)

    async def send(self, place: Place, *, number: int = 0) -> None:
        """Quarter hours end until the home has receipts for more than before and knows this hub key."""
        before, timer = receipted(place)[0], self.homes[0]
        async with asyncio.timeout(180):
            while True:
                timer.slots += 1
                timer.show_time()
                await asyncio.sleep(0.5)
                messages, waiting = receipted(place)
                if messages > before and not waiting and known_number(place) == number:
                    return


def receipted(place: Place) -> tuple[int, int]:
    """How many messages the home has made, and how many of them wait for a receipt."""
    try:
        found = read_overview(place.home / "data", limit=0)
    except OutboxError:
        return 0, 0  # it is just being made
    return found.messages, found.waiting


def known_number(place: Place) -> int:
    """The number of the hub key that this home has kept; 0 before the first."""
    path = place.home / "data" / "hub-keys.json"
    if not path.exists():
        return 0
    number = json.loads(json.loads(path.read_text())["certificates"][-1])["document"]["number"]
    return int(number)


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    stands = [Stand(meter_words(10_000)) for _ in range(2)]
    for stand in stands:
        await stand.start()
    yield Street(tmp_path, [stand.port for stand in stands])
    for stand in stands:
        await stand.stop()


async def test_the_hub_key_is_rotated_and_no_home_enrols_again(
    street: Street, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.commands.operation.init.can_ask", lambda: False)
    await asyncio.to_thread(street.run, "init", "--name", "S", "--coop", "street", "--tz", "UTC")
    settings = street.hub / "hub.toml"
    settings.write_text(settings.read_text().replace('kind = "auto"', 'kind = "iotcore"\nallow_other_users = true'))
    street.homes[0].show_time()
    one, two = street.homes
    first = load_signer(street.hub)
    assert first.certificate is None

    async with running_hub(street.hub, clock=street.clock, broker_port=street.broker_port) as (_, pages):
        for number, place in enumerate(street.homes):
            await enrol(street, place, pages=pages, name=f"M{number}", capsys=capsys)
        async with running_agent(one):
            async with running_agent(two):
                await street.send(one)
                await street.send(two)
            # Home two is off from here on, and an invitation is open. The hub takes each new key while it runs.
            token = await invite(street, name="Late", capsys=capsys)
            await street.authority("make")
            await street.send(one, number=1)
            await street.authority("renew")
            await street.send(one, number=2)
        late = Place(late_folder(street.hub.parent), meter_port=1)
        late.hub, late.clock = street.hub, street.clock
        await answering(pages)
        await enrol(street, late, pages=pages, name="Late", capsys=capsys, token=token)
        assert load_enrolment(late.home / "data").hub_public_key == first.identity

    stolen = load_key(street.hub / "hub.key")
    await street.authority("renew", "--stolen")
    async with (
        running_hub(street.hub, clock=street.clock, broker_port=street.broker_port),
        running_agent(one) as log,
        running_agent(two),
    ):
        for place in street.homes:
            await street.send(place, number=3)
        await speak_as_a_thief(street, one, stolen, log=log)
        await street.send(one, number=3)
    for place in street.homes:
        assert load_enrolment(place.home / "data").hub_public_key == first.identity, "nobody enrolled again"


async def answering(pages: str) -> None:
    """The pages' process has started again."""
    host, _, port = pages.removeprefix("http://").rpartition(":")
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return


def late_folder(parent: Path) -> Path:
    (parent / "late").mkdir()
    return parent / "late"


async def invite(street: Street, *, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    who = ("--member", name, "--email", f"{name}@b.example", "--json", "--clock", str(street.clock))
    await asyncio.to_thread(street.run, "invite", *who)
    return str(json.loads(capsys.readouterr().out)["token"])


async def enrol(
    street: Street, place: Place, *, pages: str, name: str, capsys: pytest.CaptureFixture[str], token: str = ""
) -> None:
    config = place.home / "agent.toml"
    config.write_text(f'[hub]\nurl = "{pages}"\ncoop = "street"\n{config.read_text()}')
    token = token or await invite(street, name=name, capsys=capsys)
    enrolled = await asyncio.to_thread(place.agent, "enrol", text=token + "\n")
    assert enrolled.returncode == 0, enrolled.stderr


async def speak_as_a_thief(street: Street, place: Place, stolen: Ed25519PrivateKey, *, log: Path) -> None:
    """Whoever has the broker and the stolen key: replayed and forged certificates, and receipts for what never came."""
    agent, now_s = load_enrolment(place.home / "data").agent, int(time.time())
    mine = HubKeyCertificate("street", 9, stolen.public_key().public_bytes_raw(), now_s, now_s + 9, now_s + 9)
    old = [text for text, each in load_certificates(street.hub) if each.number == 2]
    keys, receipts = (downlink_topic("street", agent, kind=kind) for kind in ("keys", "receipt"))
    receipt = Receipt(agent, 1, 1_000_000, b"x" * 32, (), now_s, ())
    said = [
        (keys, seal_certificate(mine, stolen).encode()),
        (keys, old[0].encode()),
        (receipts, seal(stolen, receipts, encode_receipt(receipt))),
    ]
    link = BrokerLink(client_id="thief", filters=[keys], deliver=lambda _: None)
    link.start(BrokerAddress("127.0.0.1", street.broker_port))
    for topic, sealed in said:
        link.publish(topic, sealed)
    try:
        async with asyncio.timeout(60):
            while "that the hub did not sign" not in log.read_text():
                await asyncio.sleep(0.1)
    finally:
        await asyncio.to_thread(link.stop)
    assert known_number(place) == 3
    assert "starting epoch" not in log.read_text(), "a receipt of the thief's would have begun one"


def test_a_renewal_that_is_killed_leaves_a_hub_that_signs_and_renews(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub, passphrase = tmp_path / "hub", passphrase_of(tmp_path)
    init = ["init", "--name", "S", "--coop", "street", "--tz", "UTC", "--passphrase-file", passphrase]
    assert main([*init, "--data", str(hub)]) == 0
    renew = ["authority", "renew", "--passphrase-file", passphrase, "--data", str(hub)]
    for writes in range(3):
        killed = subprocess.run([sys.executable, "-c", KILLED, str(writes), *renew], timeout=120, check=False)
        assert killed.returncode == -9
        assert main(["authority", "show", "--data", str(hub)]) == 0
        held = hub_key_certificate(hub)
        assert held is not None
        assert held.number == 1, "the key before goes on until the new one is whole"
    assert main(renew) == 0
    assert [each.number for _, each in load_certificates(hub)] == [1, 2]
    assert load_signer(hub).public_key == load_certificates(hub)[-1][1].public_key
