"""The brokers a hub starts: they pass messages on, serve this computer only, restart, and keep homes apart."""

import asyncio
import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from hub.broker.connection import BrokerAddress, BrokerLink, Delivery
from hub.broker.embedded import rumqttd_configuration
from hub.broker.mosquitto_files import find_mosquitto, password_hash
from hub.broker.plans import BrokerError, BrokerPlan, free_port, plan_broker
from hub.broker.supervisor import BrokerProcess
from hub.folder.elsewhere.broker_settings import BrokerSettings
from hub.folder.settings import parse_settings
from protocols.wire.topics import up_filters

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here")
needs_clients = pytest.mark.skipif(
    find_mosquitto() is None or shutil.which("mosquitto_pub") is None, reason="mosquitto-clients is not installed here"
)
KINDS = ["iotcore", pytest.param("mosquitto", marks=needs_mosquitto)]


def settings_of(kind: str, *, more: str = "", folder: Path = Path()) -> BrokerSettings:
    broker = f'kind = "{kind}"\nallow_other_users = true\n{more}'
    text = f'[coop]\nid = "c"\nname = "C"\ntz = "Europe/Madrid"\n[broker]\n{broker}'
    return parse_settings(text.encode(), name="hub.toml", folder=folder).broker


async def until(holds: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait until the condition holds; fail if it takes too long."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(plan: BrokerPlan) -> AsyncIterator[BrokerProcess]:
    broker = BrokerProcess(plan)
    task = asyncio.create_task(broker.run())
    try:
        await asyncio.wait_for(broker.ready.wait(), 20)
        yield broker
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def linked(
    address: BrokerAddress, *, client_id: str = "hub-c"
) -> AsyncIterator[tuple[BrokerLink, list[Delivery]]]:
    arrived: list[Delivery] = []
    link = BrokerLink(client_id=client_id, filters=up_filters("c"), deliver=arrived.extend)
    link.start(address)
    try:
        await until(lambda: link.is_connected)
        yield link, arrived
    finally:
        await asyncio.to_thread(link.stop)


def agent_of(address: BrokerAddress) -> BrokerAddress:
    return BrokerAddress(address.host, address.port)


@pytest.mark.parametrize("kind", KINDS)
async def test_messages_travel_both_ways_and_wait_for_acknowledgement(tmp_path: Path, kind: str) -> None:
    plan = plan_broker(settings_of(kind), folder=tmp_path / "broker", coop="c", port=0)
    async with running(plan), linked(plan.address) as (hub, arrived):
        agent = BrokerLink(client_id="a-x", filters=["cw1/c/1/a-x/down/+"], deliver=(down := []).extend)
        agent.start(agent_of(plan.address))
        await until(lambda: agent.is_connected)
        await asyncio.to_thread(publish_until_seen, agent, arrived)
        hub.publish("cw1/c/1/a-x/down/receipt", b"signed")
        await until(lambda: bool(down))
        assert (down[0].topic, down[0].payload) == ("cw1/c/1/a-x/down/receipt", b"signed")
        hub.acknowledge(arrived)
        sent = len(arrived)
        for n in range(300):
            agent.publish("cw1/c/1/a-x/up/batch", b"%d" % n)
        await until(lambda: len(arrived) - sent >= 100)
        hub.acknowledge(arrived[sent:])
        while len(arrived) - sent < 300:
            seen = len(arrived)
            await until(lambda seen=seen: len(arrived) > seen)  # type: ignore[misc]
            hub.acknowledge(arrived[seen:])
        assert [d.payload for d in arrived[sent:]] == [b"%d" % n for n in range(300)], (
            "in order, none lost, none repeated"
        )
        await asyncio.to_thread(agent.stop)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_hub_that_finishes_messages_out_of_turn_stays_connected(tmp_path: Path, kind: str) -> None:
    """The built-in broker drops a client whose acknowledgements do not come in the order of arrival."""
    plan = plan_broker(settings_of(kind), folder=tmp_path / "broker", coop="c", port=0)
    async with running(plan), linked(plan.address) as (hub, arrived):
        agent = BrokerLink(client_id="a-x", filters=["cw1/c/1/a-x/down/+"], deliver=[].extend)
        agent.start(agent_of(plan.address))
        await until(lambda: agent.is_connected)
        await asyncio.to_thread(publish_until_seen, agent, arrived)
        for _ in range(4):
            seen = len(arrived)
            for n in range(40):
                agent.publish("cw1/c/1/a-x/up/batch", b"%d" % n)
            await until(lambda seen=seen: len(arrived) >= seen + 40)  # type: ignore[misc]
            for delivery in reversed(arrived):
                hub.acknowledge([delivery])
                hub.acknowledge([delivery])
        assert {delivery.connection for delivery in arrived} == {1}
        assert hub.is_connected
        await asyncio.to_thread(agent.stop)


def publish_until_seen(agent: BrokerLink, arrived: list[Delivery]) -> None:
    """The subscription may follow the connection after a moment: publish until the first message arrives."""
    for _ in range(100):
        agent.publish("cw1/c/1/a-x/up/batch", b"first")
        for _ in range(10):
            if arrived:
                return
            time.sleep(0.02)
    raise AssertionError("nothing arrived")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_broker_whose_whole_folder_is_deleted_comes_back(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "broker"
    plan = plan_broker(settings_of(kind), folder=folder, coop="c", port=0)
    async with running(plan) as broker, linked(plan.address) as (hub, _):
        shutil.rmtree(folder)
        assert broker.pid is not None
        os.killpg(broker.pid, signal.SIGKILL)
        await until(lambda: broker.restarts == 1)
        await asyncio.wait_for(broker.ready.wait(), 20)
        await until(lambda: hub.is_connected)
        for path, content in plan.files.items():
            assert path.read_bytes() == content
            assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_unacknowledged_messages_come_again_after_the_hub_returns(tmp_path: Path, kind: str) -> None:
    plan = plan_broker(settings_of(kind), folder=tmp_path / "broker", coop="c", port=0)
    async with running(plan):
        agent = BrokerLink(client_id="a-x", filters=["cw1/c/1/a-x/down/+"], deliver=lambda _: None)
        async with linked(plan.address) as (_, arrived):
            agent.start(agent_of(plan.address))
            await until(lambda: agent.is_connected)
            await asyncio.to_thread(publish_until_seen, agent, arrived)
        async with linked(plan.address) as (hub, arrived):
            await until(lambda: any(d.payload == b"first" for d in arrived))
            hub.acknowledge(arrived)
        await asyncio.to_thread(agent.stop)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_killed_broker_comes_back_and_the_link_finds_it(tmp_path: Path, kind: str) -> None:
    plan = plan_broker(settings_of(kind), folder=tmp_path / "broker", coop="c", port=0)
    async with running(plan) as broker, linked(plan.address) as (link, _):
        assert broker.pid is not None
        for pid in await asyncio.to_thread(children_of, broker.pid):
            os.kill(pid, signal.SIGKILL)
        await until(lambda: broker.restarts == 1 and broker.ready.is_set())
        await until(lambda: link.is_connected)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_broker_does_not_outlive_a_killed_hub(tmp_path: Path, kind: str) -> None:
    port = free_port("127.0.0.1")
    script = (
        "import asyncio, sys; from pathlib import Path; from hub.broker.supervisor import *\n"
        "from hub.broker.plans import *\n"
        "from tests.hub.broker.test_supervisor import *\n"
        f"plan = plan_broker(settings_of({kind!r}), folder=Path(sys.argv[1]), coop='c', port={port})\n"
        "async def main():\n"
        "    broker = BrokerProcess(plan); task = asyncio.create_task(broker.run())\n"
        "    await broker.ready.wait(); print('ready', flush=True); await task\n"
        "asyncio.run(main())"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path), stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=".")
    )
    assert child.stdout is not None
    assert await asyncio.wait_for(child.stdout.readline(), 30) == b"ready\n"
    child.kill()
    await child.wait()
    await until(lambda: not answers(port))


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_port_in_use_is_logged_once_and_tried_again(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        plan = plan_broker(settings_of(kind), folder=tmp_path / "b", coop="c", port=taken.getsockname()[1])
        broker = BrokerProcess(plan)
        task = asyncio.create_task(broker.run())
        await until(lambda: "in use by another program" in caplog.text)
        await asyncio.sleep(0.6)
        assert caplog.text.count("in use by another program") == 1
        assert not broker.ready.is_set()
    await asyncio.wait_for(broker.ready.wait(), 30)
    task.cancel()
    await asyncio.wait({task})


@needs_clients
async def test_mosquitto_keeps_homes_apart_as_its_own_clients_show(tmp_path: Path) -> None:
    plan = plan_broker(settings_of("mosquitto"), folder=tmp_path / "broker", coop="c", port=0)
    async with running(plan), linked(plan.address) as (hub, arrived):
        assert await pub(plan, "a-x", "cw1/c/1/a-x/up/batch") == ""
        await until(lambda: len(arrived) == 1)
        assert "Not authorized" in await pub(plan, "a-x", "cw1/c/1/a-y/up/batch")
        assert "Not authorized" in await pub(plan, "a-x", "cw1/c/1/a-x/down/receipt")
        assert "Not authorized" in await pub(plan, "a-x", "elsewhere")
        listeners = [await sub(plan, "a-z", topic) for topic in ("#", "cw1/#", "cw1/c/+/+/up/+", "cw1/c/1/a-x/down/+")]
        assert await pub(plan, "a-x", "cw1/c/1/a-x/up/batch") == ""
        await until(lambda: len(arrived) == 2)
        own = await sub(plan, "a-x", "cw1/c/1/a-x/down/+")
        hub.publish("cw1/c/1/a-x/down/receipt", b"for x alone")
        assert b"for x alone" in (await asyncio.wait_for(own.communicate(), 20))[0].splitlines()
        for listener in listeners:
            listener.terminate()
            assert b"PUBLISH" not in (await listener.communicate())[0], "nobody can listen to another home"
        assert "not authori" in (await pub(plan, "spy", "x", "-u", "hub", "-P", "guess")).lower()


async def pub(plan: BrokerPlan, client_id: str, topic: str, *more: str) -> str:
    """The error that mosquitto_pub prints; empty if the broker accepted the message."""
    place = ["-h", plan.address.host, "-p", str(plan.address.port), "-V", "5", "-q", "1", "-i", client_id, *more]
    client = await asyncio.create_subprocess_exec(
        "mosquitto_pub", *place, "-t", topic, "-m", "hello", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return (await asyncio.wait_for(client.communicate(), 20))[0].decode()


async def sub(plan: BrokerPlan, client_id: str, topic: str) -> asyncio.subprocess.Process:
    """A mosquitto_sub that is subscribed and ends after one message."""
    listener = await asyncio.create_subprocess_exec(
        *("stdbuf", "-oL", "mosquitto_sub", "-d", "-h", plan.address.host, "-p", str(plan.address.port), "-V", "5"),
        *(
            "-i",
            f"{client_id}" if topic.startswith("cw1/c/1/") else f"{client_id}{len(topic)}",
            "-q",
            "1",
            "-C",
            "1",
            "-W",
            "60",
        ),
        *("-F", "%p", "-t", topic),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert listener.stdout is not None
    while b"SUBACK" not in (line := await asyncio.wait_for(listener.stdout.readline(), 20)):
        assert line, "mosquitto_sub ended before it was subscribed"
    await asyncio.wait_for(listener.stdout.readline(), 20)
    return listener


@needs_clients
def test_our_password_lines_are_what_mosquitto_passwd_would_write(tmp_path: Path) -> None:
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto_passwd is not installed here")
    file = tmp_path / "passwords"
    file.write_text("")
    subprocess.run(["mosquitto_passwd", "-b", str(file), "hub", "secret"], check=True)
    _, kind, rounds, salt, _ = file.read_text().strip().split("$")
    assert kind == "7"
    ours = password_hash("secret", salt=base64.b64decode(salt), rounds=int(rounds))
    assert file.read_text().strip() == f"hub:{ours}"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "localhost", "::1"])
def test_the_built_in_broker_serves_this_computer_only(host: str) -> None:
    with pytest.raises(ValueError, match=r"listens on 127\.0\.0\.1 only"):
        rumqttd_configuration(host, 1883)


def test_mosquitto_chosen_but_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.broker.plans.find_mosquitto", lambda: None)
    with pytest.raises(BrokerError, match=r'mosquitto is not installed: install it, or set broker\.kind = "iotcore"'):
        plan_broker(settings_of("mosquitto"), folder=tmp_path, coop="c")
    assert plan_broker(settings_of("auto"), folder=tmp_path, coop="c", port=0).name == "iotcore"


async def test_a_broker_that_does_not_answer_is_logged_once_and_found_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port("127.0.0.1")
    link = BrokerLink(client_id="hub-c", filters=up_filters("c"), deliver=lambda _deliveries: None)
    link.start(BrokerAddress("127.0.0.1", port))
    try:
        await until(lambda: f"the broker on 127.0.0.1:{port} does not answer" in caplog.text)
        await asyncio.sleep(1.5)
        assert caplog.text.count("does not answer") == 1
        async with running(plan_broker(settings_of("iotcore"), folder=tmp_path / "b", coop="c", port=port)):
            await until(lambda: link.is_connected)
    finally:
        await asyncio.to_thread(link.stop)


@pytest.mark.parametrize(("name", "content"), [("ca.pem", ""), ("ca.pem", "no certificate"), ("cert.pem", "none")])
def test_wrong_certificates_are_one_line(tmp_path: Path, name: str, content: str) -> None:
    self_signed(tmp_path)
    (tmp_path / name).write_text(content)
    more = 'host = "mqtt.example.org"\nca_file = "ca.pem"\ncert_file = "cert.pem"\nkey_file = "key.pem"\n'
    settings = settings_of("external", more=more, folder=tmp_path)
    with pytest.raises(BrokerError, match=rf"{name}: broker\.c\w+_file: expected"):
        plan_broker(settings, folder=tmp_path / "broker", coop="c")


def self_signed(folder: Path) -> None:
    """Write key.pem and its certificate, as both ca.pem and cert.pem."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, None)
    )  # fmt: skip
    for file in ("ca.pem", "cert.pem"):
        (folder / file).write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def test_an_external_broker_is_never_started(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("secret\n")
    self_signed(tmp_path)
    more = 'host = "mqtt.example.org"\nport = 8883\nusername = "hub"\npassword_file = "pw"\nca_file = "ca.pem"\n'
    plan = plan_broker(settings_of("external", more=more, folder=tmp_path), folder=tmp_path / "broker", coop="c")
    assert plan.command == ()
    assert plan.address == BrokerAddress("mqtt.example.org", 8883, "hub", "secret", ca_file=tmp_path / "ca.pem")
    assert not (tmp_path / "broker").exists()
    assert "secret" not in repr(plan.address), "repr must not put a password into a log"
