"""The session at the broker: open while the certificate is valid, changed with a new one, closed by an expired one."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.outbox.opening import open_outbox
from edge_agent.uplink.broker_connection import BrokerConnection
from edge_agent.uplink.broker_session import BrokerSession
from edge_agent.uplink.hub_keys import KnownHubKeys
from edge_agent.uplink.moving.place import TRIAL_S, BrokerPlace
from edge_agent.uplink.mqtt_link import Uplink
from edge_agent.uplink.pace.waits import ReconnectWaits
from edge_agent.uplink.tls.files import TlsFiles, certificate_request
from protocols.enrolment.broker_notices import BrokerNotice, encode_broker
from tests.coop_authority import LIFE_S, TestAuthority
from tests.edge_agent.uplink.test_mqtt_link import until

OURS = TestAuthority()
NOW_S = int(time.time())


class Listener:
    """What was heard of the connection."""

    def __init__(self) -> None:
        self.down: list[str | None] = []

    def note_up(self) -> None:
        return

    def note_down(self, words: str | None) -> None:
        self.down.append(words)

    def note_message(self, topic: str, sealed: bytes) -> None:
        return


class Session:
    """A session that only notes what is done with it."""

    def __init__(self, context: ssl.SSLContext | None, done: list[str]) -> None:
        self.done = done
        done.append("made")
        assert context is not None

    def start(self, host: str, port: int) -> None:
        self.done.append(f"start {host}:{port}")

    def publish(self, topic: str, sealed: bytes) -> bool:
        self.done.append(topic)
        return True

    async def leave(self) -> None:
        self.done.append("leave")


def issued(folder: Path, *, now_s: int = NOW_S) -> str:
    return OURS.issue_agent(certificate_request(folder, agent="a-1"), agent="a-1", now_s=now_s).decode()


def files(folder: Path) -> TlsFiles:
    return TlsFiles(folder, agent="a-1", root=OURS.root_pem.decode(), first=issued(folder))


async def test_an_expired_certificate_closes_the_session_and_a_new_one_opens_another(tmp_path: Path) -> None:
    done, heard, now = list[str](), Listener(), [float(NOW_S)]
    tls = files(tmp_path)
    make: Any = lambda context: Session(context, done)  # noqa: E731
    connection = BrokerConnection(
        make, broker=BrokerPlace(("hub.example", 8883)), tls=tls, now=lambda: now[0], note_down=heard.note_down
    )
    for _ in range(2):
        await connection.keep()
    assert done == ["made", "start hub.example:8883"]
    assert connection.publish("t", b"")
    now[0] += LIFE_S
    for _ in range(2):
        await connection.keep()
    assert done[-1] == "leave"
    assert not connection.publish("t", b""), "nothing is sent"
    assert heard.down[0] is None
    assert str(heard.down[1]).startswith("this agent's certificate has expired on 20")
    tls.store(issued(tmp_path, now_s=NOW_S + LIFE_S))
    connection.use_renewed()
    await connection.keep()
    assert done[-2:] == ["made", "start hub.example:8883"]
    tls.store(issued(tmp_path, now_s=NOW_S + LIFE_S - 5))
    connection.use_renewed()
    await connection.keep()
    assert done[-3:] == ["leave", "made", "start hub.example:8883"], "the session changes to the new certificate"
    now[0] = NOW_S - 365 * 86400
    await connection.keep()
    assert "set the clock" in str(heard.down[-1])


async def test_a_place_that_the_hub_told_while_the_agent_waited_is_tried_for_the_whole_time(tmp_path: Path) -> None:
    """As after a power cut: the first connection comes long after the notice."""
    done, heard, clock_s = list[str](), Listener(), [0.0]
    place = BrokerPlace(
        ("hub.example", 8883), agent="a-1", folder=tmp_path, now=lambda: float(NOW_S), monotonic=lambda: clock_s[0]
    )
    make: Any = lambda context: Session(context, done)  # noqa: E731
    connection = BrokerConnection(
        make, broker=place, tls=files(tmp_path), now=lambda: float(NOW_S), note_down=heard.note_down
    )
    await place.note(encode_broker(BrokerNotice("a-1", NOW_S, "b2.example", 8883)))
    clock_s[0] += 900
    await connection.keep()
    assert done == ["made", "start b2.example:8883"]
    clock_s[0] += TRIAL_S - 1
    await connection.keep()
    assert len(done) == 2
    clock_s[0] += 1
    await connection.keep()
    assert done[2:] == ["leave", "made", "start hub.example:8883"]


async def test_a_broker_elsewhere_is_not_reached_without_tls() -> None:
    """As agents of release 0.2.0 and earlier did: it is said, and the outbox keeps everything."""
    done, heard = list[str](), Listener()
    make: Any = lambda context: Session(context, done)  # noqa: E731
    connection = BrokerConnection(
        make, broker=BrokerPlace(("192.168.1.10", 1883)), tls=None, now=lambda: 0.0, note_down=heard.note_down
    )
    await connection.keep()
    assert done == []
    assert "ask the co-op for a new invitation" in str(heard.down[0])


@contextmanager
def listening(context: ssl.SSLContext | None) -> Iterator[int]:
    """A server that ends each connection after the handshake."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.settimeout(10)
                try:
                    if context is None:
                        connection.recv(10)
                        connection.sendall(b"HTTP/1.1 400 no\r\n\r\n")
                    else:
                        context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    pass
                finally:
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.mark.parametrize(
    ("names", "newest", "words"),
    [
        (("other.example",), ssl.TLSVersion.TLSv1_3, "another host name"),
        (("127.0.0.1",), ssl.TLSVersion.TLSv1_2, "offers no TLS 1.3"),
        ((), ssl.TLSVersion.TLSv1_3, "not from your co-op's authority"),
        (None, None, "does not speak TLS"),
    ],
)
async def test_why_the_broker_was_not_reached_is_said(
    tmp_path: Path, names: tuple[str, ...] | None, newest: ssl.TLSVersion | None, words: str
) -> None:
    context = None
    if names is not None and newest is not None:
        authority = OURS if names else TestAuthority("foreign")
        context = authority.server_context(tmp_path / "server", *(names or ("127.0.0.1",)), newest=newest)
    heard, waits = Listener(), ReconnectWaits(min, within_s=lambda: 0)
    with listening(context) as port:
        connection = BrokerConnection(
            lambda made: BrokerSession(heard, client_id="a-1", topic_filter="t", waits=waits, context=made),
            broker=BrokerPlace(("127.0.0.1", port)),
            tls=files(tmp_path),
            now=time.time,
            note_down=heard.note_down,
        )
        await connection.keep()
        await until(lambda: bool(heard.down))
        await asyncio.wait_for(connection.leave(), 20)
    assert words in str(heard.down[0])


async def test_the_uplinks_certificate_goes_by_real_time_whatever_time_the_agent_lives_in(tmp_path: Path) -> None:
    """As in a demonstration: its timeline lies in another year than its certificates."""
    another_year = float(NOW_S - 365 * 86400)
    hub_keys = KnownHubKeys(tmp_path, coop="sonne", identity=b"", first="", now=lambda: float(NOW_S))
    async with open_outbox(tmp_path / "data", max_mb=8, now_s=another_year) as (outbox, _):
        uplink = Uplink(
            outbox,
            coop="sonne",
            agent="a-1",
            hub_keys=hub_keys,
            broker=BrokerPlace(("127.0.0.1", 1)),
            now=lambda: another_year,
            monotonic=time.monotonic,
            reseal=lambda _message: None,
            tls=files(tmp_path),
        )
        heard = Listener()
        uplink.note_down = heard.note_down  # type: ignore[method-assign]
        running = asyncio.ensure_future(uplink.run())
        await until(lambda: bool(heard.down), 60, "it has tried to connect")
        running.cancel()
        await asyncio.wait({running})
    assert heard.down[0] == "cannot be reached"
