"""The table `[mail]` of hub.toml: the server that takes the hub's mail, and how the hub signs in there."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hub.folder.setting_values import is_host_name
from protocols.errors import SettingsError

STARTTLS: Final = "starttls"
TLS: Final = "tls"
NONE: Final = "none"
PORTS: Final = {STARTTLS: 587, TLS: 465, NONE: 25}
ADDRESS_WORDS: Final = "an address like hub@example.org, in plain ASCII"
MAX_ADDRESS_CHARS: Final = 254
MAX_PASSWORD_BYTES: Final = 1024

MAIL_TEXT: Final = """
# [mail]                   # without it the hub sends no mail; try it with: commonwatt-hub mail test
# server = "smtp.example.org"
# port = 587               # 587 for starttls, 465 for tls, 25 for none, if left out
# security = "starttls"    # starttls, tls, or none, which is for a mail server on this computer only
# user = "hub@example.org" # leave it and password_file out where no sign-in is needed
# password_file = "mail-password"  # a file with the password on its first line, readable by the hub alone
# ca_file = "mail-ca.pem"  # only for a mail server with a certificate of your own
# from = "hub@example.org" # the sender of every mail
# reply_to = ""            # where answers go, such as the board's address; the sender if empty
"""


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The mail server and the hub's address there. The password is read from its file when mail is sent."""

    server: str
    port: int
    security: str
    user: str
    password_file: Path | None
    ca_file: Path | None
    sender: str
    reply_to: str


class SettingTable(Protocol):
    """What this module needs of a table of settings; its methods raise SettingsError."""

    def text(self, key: str, default: str | None = None, *, fits: Callable[[str], bool], expected: str) -> str: ...
    def number(self, key: str, default: int, *, least: int, most: int) -> int: ...
    def file(self, key: str, folder: Path) -> Path | None: ...
    def wrong(self, key: str, expected: str) -> SettingsError: ...
    def require_nothing_else(self) -> None: ...


def read_mail(table: SettingTable, folder: Path) -> MailSettings:
    """The settings in this table; file names are relative to `folder`. Raises: SettingsError."""
    security = table.text("security", STARTTLS, fits=PORTS.__contains__, expected=f"one of {', '.join(PORTS)}")
    mail = MailSettings(
        server=table.text("server", fits=_is_server, expected="the mail server's host name or address"),
        port=table.number("port", PORTS[security], least=1, most=65535),
        security=security,
        user=table.text("user", "", fits=_is_one_line, expected="a name in one line"),
        password_file=table.file("password_file", folder),
        ca_file=table.file("ca_file", folder),
        sender=table.text("from", fits=is_mail_address, expected=ADDRESS_WORDS),
        reply_to=table.text(
            "reply_to", "", fits=lambda text: not text or is_mail_address(text), expected=ADDRESS_WORDS
        ),
    )
    table.require_nothing_else()
    if security == NONE and not _is_this_computer(mail.server):
        raise table.wrong("security", "starttls or tls: without them anybody on the way reads the mail")
    if bool(mail.user) != (mail.password_file is not None):
        raise table.wrong("user", "user and password_file together, or neither")
    return mail


def read_password(mail: MailSettings) -> str | None:
    """The password on the first line of its file; None if there is none. Raises: SettingsError."""
    path = mail.password_file
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            text = file.read(MAX_PASSWORD_BYTES)
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the mail password: {error.strerror}") from None
    if path.stat().st_mode & 0o007:
        raise SettingsError(f"{path}: other users can read the mail password; fix it with: chmod 600 {path}")
    try:
        password = text.decode().splitlines()[0]
    except (ValueError, IndexError):
        password = ""
    if not password:
        raise SettingsError(f"{path}: expected the mail password on the first line")
    return password


def is_mail_address(text: str) -> bool:
    """Whether the text can be the hub's own address: a name, an at sign and a domain, nothing that could end a line.

    >>> [is_mail_address(text) for text in ("hub@example.org", "hub", "a b@example.org", "hub@example.org\\n")]
    [True, False, False, False]
    """
    box, at, host = text.rpartition("@")
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "(),:;<>[\\]')
    return bool(box and at) and plain and "@" not in box and is_host_name(host) and len(text) <= MAX_ADDRESS_CHARS


def _is_one_line(text: str) -> bool:
    return text.isprintable() and len(text) <= MAX_ADDRESS_CHARS


def _is_server(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return is_host_name(text)
    return True


def _is_this_computer(server: str) -> bool:
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return server == "localhost"
