"""A session at a broker that speaks TLS: values pass, and whatever is wrong is one line that says what to do."""

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.home_broker.address import BrokerSignIn, HomeBroker, open_access
from edge_agent.home_broker.session import HomeBrokerSession
from tests.coop_authority import BEGINS_S, TestAuthority
from tests.edge_agent.hand_clock import until
from tests.edge_agent.home_mosquitto import PASSWORD, USER, home_broker, listening, needs_mosquitto

pytestmark = needs_mosquitto
TOPIC = "home/pump/w"


class Heard:
    """What a session tells its owner."""

    def __init__(self) -> None:
        self.ups = 0
        self.downs: list[str] = []
        self.messages: list[tuple[str, bytes]] = []

    def note_up(self) -> None:
        self.ups += 1

    def note_down(self, words: str) -> None:
        self.downs.append(words)

    def note_message(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        self.messages.append((topic, payload))


@contextlib.asynccontextmanager
async def session(folder: Path, broker: HomeBroker, *, ca: TestAuthority | None) -> AsyncIterator[Heard]:
    """A session with the password, and with this authority as `ca_file`."""
    password, ca_file = folder / "password", folder / "ca.pem"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    if ca is not None:
        ca_file.write_bytes(ca.root_pem)
    access = BrokerSignIn(USER, password, None if ca is None else ca_file)
    heard = Heard()
    made = HomeBrokerSession(
        heard, broker, credentials=open_access(access, broker, source="agent.toml"), client_id="a", topics=(TOPIC,)
    )
    made.start()
    try:
        yield heard
    finally:
        await made.leave()


async def test_values_come_over_tls(tmp_path: Path) -> None:
    authority = TestAuthority()
    files = authority.server_files(tmp_path / "tls", "127.0.0.1")
    with home_broker(tmp_path, tls=files) as broker:
        async with session(tmp_path, HomeBroker("127.0.0.1", broker.port, is_tls=True), ca=authority) as heard:
            await until(lambda: heard.ups, 30, "the connection")
            with listening(broker.port, ca_file=tmp_path / "ca.pem") as other:
                other.publish(TOPIC, "500")
            await until(lambda: heard.messages == [(TOPIC, b"500")], 30, "the value")
    assert heard.downs == []


NOW_S = int(time.time())
DAY_S = 86_400


@pytest.mark.parametrize(
    ("names", "span", "is_right_ca", "words"),
    [
        ("127.0.0.1", (BEGINS_S, NOW_S + DAY_S), False, "its certificate is not trusted: ca_file?"),
        (
            "127.0.0.1", (BEGINS_S, NOW_S - DAY_S), True,
            "its certificate has expired: renew it, or set this computer's clock",
        ),
        (
            "127.0.0.1", (NOW_S + DAY_S, NOW_S + 2 * DAY_S), True,
            "its certificate is not valid yet: set this computer's clock",
        ),
        (
            "broker.local", (BEGINS_S, NOW_S + DAY_S), True,
            "its certificate is for another address than 127.0.0.1: write the name that it is for",
        ),
    ],
)  # fmt: skip
async def test_a_certificate_that_does_not_hold_is_one_line(
    tmp_path: Path, names: str, span: tuple[int, int], is_right_ca: bool, words: str
) -> None:
    authority = TestAuthority()
    files = authority.server_files(tmp_path / "tls", names, span=span)
    with home_broker(tmp_path, tls=files) as broker:
        address = HomeBroker("127.0.0.1", broker.port, is_tls=True)
        async with session(tmp_path, address, ca=authority if is_right_ca else TestAuthority("other")) as heard:
            await until(lambda: len(heard.downs) > 1, 30, "two attempts")
    assert set(heard.downs) == {words}
    assert heard.ups == 0


async def test_a_broker_without_an_authority_of_its_own_in_the_settings_is_not_trusted(tmp_path: Path) -> None:
    files = TestAuthority().server_files(tmp_path / "tls", "127.0.0.1")
    with home_broker(tmp_path, tls=files) as broker:
        async with session(tmp_path, HomeBroker("127.0.0.1", broker.port, is_tls=True), ca=None) as heard:
            await until(lambda: heard.downs, 30, "the reason")
    assert set(heard.downs) == {"its certificate is not trusted: ca_file?"}


async def test_tls_at_a_port_without_it_is_one_line(tmp_path: Path) -> None:
    with home_broker(tmp_path) as broker:
        address = HomeBroker("127.0.0.1", broker.port, is_tls=True)
        async with session(tmp_path, address, ca=TestAuthority()) as heard:
            await until(lambda: len(heard.downs) > 1, 30, "two attempts")
    assert set(heard.downs) == {"speaks no TLS at this port: mqtt:// or another port?"}


async def test_no_tls_at_a_port_that_wants_it_is_one_line(tmp_path: Path) -> None:
    files = TestAuthority().server_files(tmp_path / "tls", "127.0.0.1")
    with home_broker(tmp_path, tls=files) as broker:
        async with session(tmp_path, HomeBroker("127.0.0.1", broker.port), ca=None) as heard:
            await until(lambda: len(heard.downs) > 1, 30, "two attempts")
    assert set(heard.downs) == {"closes the connection without an answer: mqtts:// or another port?"}
