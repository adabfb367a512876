"""The example settings of Caddy and nginx, in front of a server that says what reached it."""

import contextlib
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HUB = Path(__file__).resolve().parents[2] / "firmware_configs" / "hub"
NAME = "hub.example.org"


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers with the headers that arrived."""

    def do_GET(self) -> None:
        body = json.dumps({key.lower(): value for key, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = tmp_path / "hub.pem", tmp_path / "hub.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return pem, secret


@contextlib.contextmanager
def serving(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        end_s = time.monotonic() + 60
        while True:
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            assert time.monotonic() < end_s, f"{command[0]} does not listen"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(port: int, trust: ssl.SSLContext) -> dict[str, str]:
    """The headers that reach the hub when a member asks for the name in the settings."""
    request = f"GET /today HTTP/1.1\r\nHost: {NAME}\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close\r\n\r\n"
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    with trust.wrap_socket(plain, server_hostname=NAME) as link:
        link.sendall(request.encode())
        answer = b""
        while part := link.recv(65_536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    found: dict[str, str] = json.loads(body)
    return found


def check(headers: dict[str, str]) -> None:
    """The hub judges by the host name and by where a request came from: a member can claim neither."""
    assert headers["host"] == NAME
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"


def test_nginx(tmp_path: Path, upstream: int, certificate: tuple[Path, Path]) -> None:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    port, pem = free_port(), certificate[0]
    site = (HUB / "nginx.conf").read_text()
    for was, now in (
        ("/etc/ssl/hub.example.org.pem", str(pem)),
        ("/etc/ssl/private/hub.example.org.key", str(certificate[1])),
        ("127.0.0.1:8400", f"127.0.0.1:{upstream}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
    ):
        assert was in site
        site = site.replace(was, now)
    site = "\n".join(line for line in site.splitlines() if "listen [::]" not in line)
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ client_body_temp_path {tmp_path}; proxy_temp_path {tmp_path}; fastcgi_temp_path {tmp_path};\n"
        f"uwsgi_temp_path {tmp_path}; scgi_temp_path {tmp_path};\n{site}\n}}\n"
    )
    with serving([program, "-e", "stderr", "-c", str(whole)], port):
        check(ask(port, ssl.create_default_context(cafile=str(pem))))


def test_caddy(tmp_path: Path, upstream: int, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("caddy is not installed")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HUB", f"127.0.0.1:{upstream}")
    port, pem = free_port(), certificate[0]
    text = (HUB / "Caddyfile").read_text()
    assert f"{NAME} {{" in text
    text = text.replace(f"{NAME} {{", f"https://{NAME}:{port} {{\n\ttls {pem} {certificate[1]}\n\tbind 127.0.0.1")
    text = text.replace("{\n\tservers", "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers", 1)
    (tmp_path / "Caddyfile").write_text(text)
    command = [program, "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    with serving(command, port):
        check(ask(port, ssl.create_default_context(cafile=str(pem))))


def test_the_real_hub_is_reached_under_the_name_alone() -> None:
    """The example names one host; the hub's own list of names must have it too, and both files say so."""
    for name in ("Caddyfile", "nginx.conf"):
        text = (HUB / name).read_text()
        assert f'names = ["{NAME}"]' in text
        assert "https = true" in text
