"""A mail server on loopback that takes every mail and keeps it, or answers as a test says."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as MAIL_POLICY
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from hub.folder.mail_settings import NONE, MailSettings

SENDER = "hub@sunny.example"


@dataclass
class CatchAll:
    """What arrived. `answers` gives for an address what the server says to RCPT, `to_content` what it says to DATA."""

    answers: dict[str, str] = field(default_factory=dict)
    to_content: str = "250 OK"
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _: Any) -> str:
        said = self.answers.get(address, "250 OK")
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.to_content.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.raw.append(envelope.content)
            message = message_from_bytes(envelope.content, policy=MAIL_POLICY)
            assert isinstance(message, EmailMessage)
            self.mails.append(message)
            self.recipients.append(list(envelope.rcpt_tos))
        return self.to_content

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"open sesame", handled=False)

    def settings(self, **changes: Any) -> MailSettings:
        usual: Mapping[str, Any] = {
            "server": "127.0.0.1", "port": self.port, "security": NONE, "user": "", "password_file": None,
            "ca_file": None, "sender": SENDER, "reply_to": "",
        }  # fmt: skip
        return MailSettings(**{**usual, **changes})


@asynccontextmanager
async def catching(caught: CatchAll | None = None, *, port: int = 0, **options: Any) -> AsyncIterator[CatchAll]:
    """The server, listening inside the block."""
    found = CatchAll() if caught is None else caught
    factory: Callable[[], SMTP] = lambda: SMTP(found, hostname="mail.example", enable_SMTPUTF8=True, **options)  # noqa: E731
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", port)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


@contextmanager
def catching_aside(caught: CatchAll, *, port: int = 0) -> Iterator[CatchAll]:
    """The server in a thread of its own, for a test without an event loop."""
    loop, is_up, is_over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with catching(caught, port=port):
            is_up.set()
            await is_over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert is_up.wait(30)
    try:
        yield caught
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join(30)
        loop.close()


def certificate_for(name: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS with a certificate of its own for this name or address, and the file to trust it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    named: x509.GeneralName = x509.IPAddress(IPv4Address(name)) if name[0].isdigit() else x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([named]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public
