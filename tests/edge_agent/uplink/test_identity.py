"""The agent's key and its enrolment: private, durable, and every refusal in one line without the token."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from edge_agent.setup.enrolment import enrol
from edge_agent.setup.hub_site import post_to
from edge_agent.uplink.identity import hub_key_words, load_identity, own_key
from protocols.consent.rules import default_consent
from protocols.consent.text import consent_toml
from protocols.enrolment.answer import EnrolAnswer, build_answer
from protocols.enrolment.handshake import parse_request
from protocols.enrolment.token import token_text
from protocols.errors import IdentityError
from protocols.public_keys import agent_name_of
from protocols.wire.topics import shard_of
from tests.edge_agent.enrolment_desk import HUB_KEY, sealed_reply
from tests.edge_agent.enrolment_desk import TOKEN as DESK_TOKEN

TOKEN = token_text(DESK_TOKEN)


class Desk(BaseHTTPRequestHandler):
    """A hub's enrolment desk that answers as its server was told."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        code, answer = self.server.treat(self.path, body)  # type: ignore[attr-defined]
        self.send_response(code)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def desk() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Desk)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url(server: HTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def answer() -> EnrolAnswer:
    shard = shard_of("a-7")
    key = HUB_KEY.public_key().public_bytes_raw()
    return EnrolAnswer(
        "sonne", "h01", "a-7", shard, key, "127.0.0.1", 1883, "UTC", consent_toml(default_consent("h01"))
    )


def test_enrolment_proves_the_key_and_is_kept(tmp_path: Path, desk: HTTPServer) -> None:
    seen = []

    def treat(path: str, body: bytes) -> tuple[int, bytes]:
        seen.append((path, body))
        return 200, sealed_reply(body)

    desk.treat = treat  # type: ignore[attr-defined]
    data = tmp_path / "data"
    made = enrol(data, TOKEN, coop="sonne", post=post_to(url(desk)))
    ((path, body),) = seen
    assert path == "/api/enrol"
    public_key = made.signer.key.public_key().public_bytes_raw()
    assert parse_request(body).public_key == public_key
    assert made.enrolment.agent == agent_name_of(public_key)
    assert hub_key_words(made.enrolment) == HUB_KEY.public_key().public_bytes_raw().hex()
    assert {each.name: each.stat().st_mode & 0o777 for each in data.iterdir()} == {
        "identity.key": 0o600,
        "enrolment.json": 0o600,
    }
    again = load_identity(data)
    assert again.enrolment == made.enrolment
    assert again.signer.key.private_bytes_raw() == made.signer.key.private_bytes_raw()
    with pytest.raises(IdentityError, match="already enrolled"):
        enrol(data, TOKEN, coop="sonne", post=post_to(url(desk)))


def test_after_a_lost_answer_the_same_bytes_are_sent_again(tmp_path: Path, desk: HTTPServer) -> None:
    bodies: list[bytes] = []

    def treat(_path: str, body: bytes) -> tuple[int, bytes]:
        bodies.append(body)
        return (200, sealed_reply(body)) if len(bodies) == 2 else (503, b'{"error": "try again"}')

    desk.treat = treat  # type: ignore[attr-defined]
    with pytest.raises(IdentityError, match=r"refused \(503\): try again"):
        enrol(tmp_path, TOKEN, coop="sonne", post=post_to(url(desk)))
    enrol(tmp_path, TOKEN, coop="sonne", post=post_to(url(desk)))
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((400, b'{"detail": "this token was used before"}'), "refused (400): this token was used before"),
        ((500, b"<html>"), "refused (500): it gave no reason"),
        ((200, b"{}"), "answer cannot be used"),
        ((200, b"x" * 400_000), "answer cannot be used"),
        ((200, b'{"version": 2}'), "version: 2, expected 3"),
    ],
)
def test_a_refusal_is_one_line_and_nothing_is_kept(
    tmp_path: Path, desk: HTTPServer, reply: tuple[int, bytes], words: str
) -> None:
    desk.treat = lambda path, body: reply  # type: ignore[attr-defined]
    with pytest.raises(IdentityError) as caught:
        enrol(tmp_path, TOKEN, coop="sonne", post=post_to(url(desk)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert not (tmp_path / "enrolment.json").exists()


@pytest.mark.parametrize("reply", [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_what_is_no_hub_is_said_to_be_none(tmp_path: Path, reply: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

        thread = threading.Thread(target=answer_once)
        thread.start()
        with pytest.raises(IdentityError, match="the server there is not a hub"):
            enrol(tmp_path, TOKEN, coop="sonne", post=post_to(f"http://127.0.0.1:{server.getsockname()[1]}"))
        thread.join(10)


def test_a_co_op_that_has_no_such_name_and_a_folder_that_takes_no_answer(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match=r"co-op 'My Co-op': expected 1 to 32 of a-z"):
        enrol(tmp_path, TOKEN, coop="My Co-op", post=sealed_reply)
    (tmp_path / "enrolment.json.part").mkdir()
    with pytest.raises(IdentityError, match=r"cannot write .*enrol again with the same token"):
        enrol(tmp_path, TOKEN, coop="sonne", post=sealed_reply)


def test_a_hub_of_another_co_op_is_named(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="the hub belongs to co-op 'mond', expected 'sonne'"):
        enrol(tmp_path, TOKEN, coop="sonne", post=lambda body: sealed_reply(body, coop="mond"))
    assert not (tmp_path / "enrolment.json").exists()


def test_a_hub_that_is_not_there_and_a_mistyped_token(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="cannot be reached"):
        enrol(tmp_path, TOKEN, coop="sonne", post=post_to("http://127.0.0.1:1"))
    with pytest.raises(IdentityError, match="mistyped"):
        enrol(tmp_path, TOKEN[:-1] + ("0" if TOKEN[-1] != "0" else "1"), coop="sonne", post=sealed_reply)


def test_files_that_cannot_be_used_are_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="not enrolled yet"):
        load_identity(tmp_path)
    (tmp_path / "enrolment.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(IdentityError, match="enrol again"):
        load_identity(tmp_path)
    (tmp_path / "enrolment.json").write_text(build_answer(answer()))
    with pytest.raises(IdentityError, match="the key is gone"):
        load_identity(tmp_path)
    own_key(tmp_path)
    load_identity(tmp_path)
    (tmp_path / "identity.key").chmod(0o640)
    with pytest.raises(IdentityError, match="chmod 600"):
        load_identity(tmp_path)
    (tmp_path / "identity.key").chmod(0o600)
    (tmp_path / "identity.key").write_bytes(b"short")
    with pytest.raises(IdentityError, match="expected an Ed25519 key in PEM"):
        load_identity(tmp_path)
