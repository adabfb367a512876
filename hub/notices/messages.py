"""Makes an e-mail of a subject and a text: one recipient, headers that no name can break, lines of a safe length."""

import re
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from protocols.errors import InputError

LINE_CHARS: Final = 76
AS_IT_IS: Final = "    "
MAX_NAME_CHARS: Final = 80
MAX_SUBJECT_CHARS: Final = 150
POLICY: Final = SMTP.clone(cte_type="7bit")
"""CRLF line ends, header lines folded, and a body of 7-bit ASCII whatever it says: every mail server takes that."""


class AddressError(InputError):
    """The text is not an address that mail can be sent to."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The hub as the sender: the co-op's name, its address, and where answers go (empty: the same address)."""

    name: str
    address: str
    reply_to: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """What goes to one person. `mark` names the notice for good, so that a repeated mail has the same Message-ID.

    `off_link` is the page that switches this kind off, or empty. `picture` is a PNG, or None.
    """

    mark: str
    name: str
    address: str
    subject: str
    text: str
    made_at: int
    off_link: str = ""
    picture: bytes | None = None


def mail_message(mail: OutgoingMail, sender: Sender) -> EmailMessage:
    """The message. Raises: AddressError if the recipient's address is none."""
    recipient = recipient_address(mail.name, mail.address)
    message = EmailMessage(POLICY if recipient.username.isascii() else POLICY.clone(utf8=True))
    message["Date"] = datetime.fromtimestamp(mail.made_at, UTC)
    message["From"] = recipient_address(sender.name, sender.address)
    message["To"] = recipient
    message["Subject"] = one_line(mail.subject, MAX_SUBJECT_CHARS)
    message["Message-ID"] = f"<{mail.mark}@{sender.address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if sender.reply_to:
        message["Reply-To"] = recipient_address("", sender.reply_to)
    if mail.off_link:
        message["List-Unsubscribe"] = f"<{one_line(mail.off_link, 900)}>"
    message.set_content(wrapped(mail.text))
    if mail.picture is not None:
        message.add_attachment(mail.picture, maintype="image", subtype="png", filename="invitation.png")
    return message


def recipient_address(name: str, address: str) -> Address:
    """An address with a name for its header. Raises: AddressError."""
    box, at, host = address.rpartition("@")
    if not (box and at and host and address.isprintable() and " " not in address):
        raise AddressError(f"{address[:60]!r} is not an e-mail address")
    try:
        domain = host if host.isascii() else host.encode("idna").decode("ascii")
        return Address(one_line(name, MAX_NAME_CHARS), box, domain)
    except (ValueError, IndexError):
        raise AddressError(f"{address[:60]!r} is not an e-mail address") from None


def one_line(text: str, most: int) -> str:
    """The text without anything that ends a line or cannot be seen.

    >>> one_line("Ana\\r\\nBcc: all@example.org", 40)
    'Ana Bcc: all@example.org'
    """
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most].strip()


def wrapped(text: str) -> str:
    """The text in lines of at most LINE_CHARS; a longer word, such as a link, keeps a line of its own.

    A line that begins with AS_IT_IS is a command to copy and stays whole.
    """
    lines: list[str] = []
    for line in text.strip().splitlines():
        if line.startswith(AS_IT_IS):
            lines.append(line.rstrip())
            continue
        begins = re.match(r"(- )?", line)
        indent = "  " if begins is not None and begins[0] else ""
        lines += textwrap.wrap(
            line, LINE_CHARS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        ) or [""]
    return "\n".join(lines) + "\n"
