"""A home elsewhere: enrols over TLS, sends, sees the hub's certificates renewed, and is out when it is revoked."""

import asyncio
import json
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_agent.uplink.identity import hub_keys_of
from hub.__main__ import main
from hub.broker.check.client import CheckClient, HomesPlace
from hub.broker.connection import BrokerAddress, BrokerLink, Delivery
from hub.broker.mosquitto_files import find_mosquitto
from hub.broker.plans import free_port
from protocols.enrolment.answer import EnrolAnswer
from protocols.enrolment.handshake import build_request, open_answer
from protocols.enrolment.renewal import build_renewal
from protocols.enrolment.token import parse_token
from protocols.enrolment.trust_root import open_root
from protocols.slots import start_of
from protocols.timeline import Timeline
from protocols.wire import topics
from protocols.wire.receipts import decode_receipt
from tests.hub.intake.test_hub_killed import running_hub
from tests.hub.sending_home import FIRST_SLOT, SendingHome

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here")
COOP = "street"


class Elsewhere:
    """A home that knows the hub's address and its token, and nothing else of it."""

    def __init__(self, folder: Path, *, enrol_port: int, token: str) -> None:
        self.folder, self.url, self.token = folder, f"https://127.0.0.1:{enrol_port}", parse_token(token)
        self.home, self.tls_key = SendingHome("h01"), ec.generate_private_key(ec.SECP256R1())
        self.through = 0
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        self.csr = request.sign(self.tls_key, hashes.SHA256()).public_bytes(Encoding.DER)

    def enrol(self) -> EnrolAnswer:
        anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(f"{self.url}/api/authority", context=anyone, timeout=30) as found:
            self.root = open_root(found.read(), token=self.token, coop=COOP)
        request = build_request(self.home.key, token=self.token, coop=COOP, csr=self.csr)
        body, key = self.post("/api/enrol", request), self.home.public_key
        answer = open_answer(body, token=self.token, request=request.encode(), agent_public_key=key)
        assert (answer.root, answer.broker_tls) == (self.root, True)
        (self.folder / "root.pem").write_text(self.root)
        (self.folder / "tls.crt").write_text(answer.certificate)
        secret = self.tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "tls.key").write_bytes(secret)
        return answer

    def renew(self) -> str:
        at = int(time.time())
        body = self.post(
            "/api/renew", build_renewal(self.home.key, agent=self.home.agent, coop=COOP, csr=self.csr, at=at)
        )
        return str(json.loads(body)["certificate"])

    def post(self, path: str, text: str) -> bytes:
        pinned = ssl.create_default_context(cadata=self.root)
        request = urllib.request.Request(self.url + path, text.encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, context=pinned, timeout=30) as found:
            return bytes(found.read())

    def link(self, answer: EnrolAnswer) -> BrokerLink:
        hub_keys = hub_keys_of(self.folder, answer, now=time.time)

        def take(deliveries: list[Delivery]) -> None:
            for each in deliveries:
                if each.topic.endswith("/keys"):
                    hub_keys.note(each.payload)
                if each.topic.endswith("/receipt"):
                    receipt = decode_receipt(hub_keys.open(each.payload, each.topic))
                    self.through = max(self.through, receipt.through_seq)
            made.acknowledge(deliveries)

        made = BrokerLink(client_id=answer.agent, filters=[topics.down_filter(COOP, answer.agent)], deliver=take)
        made.start(
            BrokerAddress(
                *(answer.broker_host, answer.broker_port),
                ca_file=self.folder / "root.pem",
                cert_file=self.folder / "tls.crt",
                key_file=self.folder / "tls.key",
            )
        )
        return made


async def until(holds: Callable[[], bool], *, within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.05)


def is_port_free(port: int) -> bool:
    """The pages are announced at a moment of their own: a busy computer opens the enrolment port later."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except OSError:
        return True
    return False


def served(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port))


def serves_another(port: int, old: str) -> bool:
    """Whether another certificate than the old one is served; the pages' process is starting again meanwhile."""
    try:
        return served(port) != old
    except OSError:
        return False


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.touch(mode=0o600)
    path.write_text("five words for the safe\n", encoding="utf-8")
    return str(path)


async def test_a_home_elsewhere(tmp_path: Path, passphrase: str, capsys: pytest.CaptureFixture[str]) -> None:
    hub, clock = tmp_path / "hub", tmp_path / "clock.json"
    broker_port, enrol_port = free_port("127.0.0.1"), free_port("127.0.0.1")
    data = ("--data", str(hub))
    start = ["init", "--name", "S", "--coop", COOP, "--tz", "Europe/Madrid", "--passphrase-file", passphrase, *data]
    assert await asyncio.to_thread(main, start) == 0
    public = f'\n[public]\nhost = "127.0.0.1"\nbroker_port = {broker_port}\nenrol_port = {enrol_port}\n'
    (hub / "hub.toml").write_text((hub / "hub.toml").read_text() + public)
    clock.write_text(Timeline(0, start_of(FIRST_SLOT + 10), 0, None).text())
    capsys.readouterr()
    timed = (*data, "--clock", str(clock))
    invite = ["invite", "--member", "A", "--email", "a@b.c", "--board", "--json", *timed]
    assert await asyncio.to_thread(main, invite) == 0
    token = json.loads(capsys.readouterr().out)["token"]
    async with running_hub(hub, clock=clock, broker_port=free_port("127.0.0.1")):
        await until(lambda: not is_port_free(enrol_port))
        elsewhere = Elsewhere(tmp_path, enrol_port=enrol_port, token=token)
        answer = await asyncio.to_thread(elsewhere.enrol)
        link = elsewhere.link(answer)
        link.publish(*elsewhere.home.batch())
        await until(lambda: elsewhere.through == 1)

        assert await asyncio.to_thread(main, ["broker", "check", "--json", *data]) == 0
        found = json.loads(capsys.readouterr().out)["roles"]
        assert {each["role"] for each in found if each["entered"]} == {"member", "revoked", "not enrolled"}

        before = [served(port) for port in (broker_port, enrol_port)]
        renew = ["authority", "renew", "--passphrase-file", passphrase, *data]
        assert await asyncio.to_thread(main, renew) == 0
        for port, old in zip((broker_port, enrol_port), before, strict=True):
            await until(lambda port=port, old=old: serves_another(port, old))  # type: ignore[misc]
        renewed = await asyncio.to_thread(elsewhere.renew)
        assert renewed.split("-----END")[1] != answer.certificate.split("-----END")[1], "of the new working certificate"
        (tmp_path / "tls.crt").write_text(renewed)
        link.publish(*elsewhere.home.batch())
        await until(lambda: elsewhere.through == 2)
        assert link.connections == 1, "nobody was disconnected by renewing"

        revoke = ["agents", "revoke", "--agent", answer.agent, "--by", "m01", "--reason", "stolen", *timed]
        assert await asyncio.to_thread(main, revoke) == 0
        await until(lambda: link.connections > 1 or not link.is_connected)
        await asyncio.to_thread(link.stop)
        thief = await asyncio.to_thread(
            CheckClient.of_home,
            HomesPlace("127.0.0.1", broker_port, tmp_path / "root.pem"),
            client_id=answer.agent,
            identity=(tmp_path / "tls.crt", tmp_path / "tls.key"),
        )
        topic = topics.uplink_topic(COOP, answer.agent, kind="batch")
        assert not await asyncio.to_thread(thief.publish, topic)
        await asyncio.to_thread(thief.close)
