"""What a stranger who answers in the hub's place can do to an agent that asks there: nothing but be refused."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from edge_agent.setup import hub_site
from protocols.enrolment.trust_root import MAX_ROOT_BYTES
from protocols.errors import IdentityError

MANY = 64


def own_certificate(folder: Path) -> Path:
    """A key and a certificate that nobody vouches for."""
    key, path = ec.generate_private_key(ec.SECP256R1()), folder / "stranger.pem"
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stranger")]), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return path


@contextmanager
def stranger(folder: Path, talk: Callable[[ssl.SSLSocket], None]) -> Iterator[int]:
    """A server that takes one connection; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own_certificate(folder))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
                    connection.recv(4096)
                    talk(connection)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)
        assert not thread.is_alive()


def test_a_refusal_of_endless_depth_is_one_line(tmp_path: Path) -> None:
    """Whoever is between an agent and its hub must not end the agent, which goes on measuring."""
    body = b"[" * 4000
    with (
        stranger(tmp_path, lambda peer: peer.sendall(b"HTTP/1.1 500 X\r\nContent-Length: 4000\r\n\r\n" + body)) as port,
        pytest.raises(IdentityError, match=r"refused \(500\): it gave no reason"),
    ):
        hub_site.fetch_root_of("127.0.0.1", port)


def test_a_chunk_of_negative_length_is_read_no_further_than_an_answer_may_be(tmp_path: Path) -> None:
    sent = 0

    def talk(peer: ssl.SSLSocket) -> None:
        nonlocal sent
        peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
        for _ in range(MANY):
            peer.sendall(bytes(1 << 20))
            sent += 1

    with stranger(tmp_path, talk) as port:
        found = hub_site.fetch_root_of("127.0.0.1", port)
    assert len(found) == MAX_ROOT_BYTES + 1, "more than an answer may have, so that it is refused"
    assert sent < MANY


def test_an_answer_that_drips_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_site, "WHOLE_ANSWER_S", -1.0)
    with (
        stranger(tmp_path, lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\nx")) as port,
        pytest.raises(IdentityError, match="too slow"),
    ):
        hub_site.fetch_root_of("127.0.0.1", port)


def test_an_answer_in_chunks_is_read_whole(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with stranger(tmp_path, lambda peer: peer.sendall(head + b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n')) as port:
        assert hub_site.fetch_root_of("127.0.0.1", port) == b'{"a":1}'
