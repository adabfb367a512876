"""Talks to the mail server: a checked TLS connection, sign-in, and one mail after another. It keeps no queue."""

import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final

from hub.folder.mail_settings import STARTTLS, TLS, MailSettings, read_password
from hub.notices.messages import one_line
from hub.storage.notice_records import NoticeState
from protocols.errors import CommonwattError

TIMEOUT_S: Final = 20.0
ANSWER_CHARS: Final = 160


class MailServerError(CommonwattError):
    """The mail server cannot be used now, whatever the mail: nothing was sent."""


@dataclass(frozen=True, slots=True)
class MailAnswer:
    """What became of one mail; `state` is None if the server asked to try again later."""

    state: NoticeState | None
    words: str


class MailSession:
    """One connection to the mail server, opened when the first mail is sent. Use it from one thread at a time."""

    def __init__(self, settings: MailSettings, *, timeout_s: float = TIMEOUT_S) -> None:
        self._settings, self._timeout_s = settings, timeout_s
        self._server: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> MailAnswer:
        """Hand the mail to its one recipient over. Raises: MailServerError if the server itself is the problem."""
        server = self._opened()
        try:
            server.send_message(message, from_addr=self._settings.sender)
        except smtplib.SMTPRecipientsRefused as refused:
            code, text = next(iter(refused.recipients.values()))
            return self._refusal(code, text, is_address=True)
        except smtplib.SMTPDataError as refused:
            return self._refusal(refused.smtp_code, refused.smtp_error, is_address=False)
        except smtplib.SMTPNotSupportedError:
            return MailAnswer(NoticeState.BOUNCED, "the mail server cannot send to an address that is not plain ASCII")
        except smtplib.SMTPSenderRefused as refused:
            raise self._trouble(f"refuses the sender: {_said(refused.smtp_code, refused.smtp_error)}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise self._trouble(f"broke off: {_words_of(error)}") from None
        return MailAnswer(NoticeState.SENT, "")

    def close(self) -> None:
        """Say goodbye if connected. Never raises."""
        server, self._server = self._server, None
        if server is not None:
            try:
                server.quit()
            except (smtplib.SMTPException, OSError):
                server.close()

    def abort(self) -> None:
        """Cut the connection from another thread, so that a send that hangs ends."""
        server = self._server
        if server is not None and server.sock is not None:
            try:
                server.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def _opened(self) -> smtplib.SMTP:
        if self._server is not None:
            return self._server
        password = read_password(self._settings)
        try:
            self._server = self._connected()
            if password is not None:
                self._server.login(self._settings.user, password)
        except smtplib.SMTPAuthenticationError as refused:
            words = f"refuses user or password (code {refused.smtp_code}): check mail.user and mail.password_file"
            raise self._trouble(words) from None
        except ssl.SSLCertVerificationError as error:
            words = (
                f"has a certificate that is not trusted ({one_line(error.verify_message, 80)}): nothing was sent to it"
            )
            raise self._trouble(words) from None
        except ssl.SSLError:
            raise self._trouble("does not speak TLS here: check mail.port and mail.security") from None
        except smtplib.SMTPNotSupportedError as error:
            words = "does not offer STARTTLS" if "STARTTLS" in str(error) else "offers no sign-in"
            raise self._trouble(f"{words}: check mail.port and mail.security") from None
        except (smtplib.SMTPException, OSError) as error:
            raise self._trouble(f"cannot be reached: {_words_of(error)}: check mail.server and mail.port") from None
        return self._server

    def _connected(self) -> smtplib.SMTP:
        mail, wait_s = self._settings, self._timeout_s
        own_name, context = mail.sender.rpartition("@")[2], _tls_context(mail)
        if mail.security == TLS:
            return smtplib.SMTP_SSL(mail.server, mail.port, own_name, timeout=wait_s, context=context)
        server = smtplib.SMTP(mail.server, mail.port, own_name, timeout=wait_s)
        if mail.security == STARTTLS:
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server

    def _refusal(self, code: int, text: bytes | str, *, is_address: bool) -> MailAnswer:
        """4xx: later. 5xx: for good, and because of the address unless the server names a policy (5.7)."""
        said = _said(code, text)
        if code == 421:
            raise self._trouble(f"broke off: {said}")
        if code < 500:
            return MailAnswer(None, said)
        detail = said.partition(" ")[2]
        blames_address = detail.startswith(("5.1.", "5.2.")) or (is_address and not detail.startswith("5.7."))
        return MailAnswer(NoticeState.BOUNCED if blames_address else NoticeState.REFUSED, said)

    def _trouble(self, words: str) -> MailServerError:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        return MailServerError(f"the mail server {self._settings.server}:{self._settings.port} {words}")


def _tls_context(mail: MailSettings) -> ssl.SSLContext:
    """Checks the server's certificate and name, against the authorities of `ca_file` alone if there is one."""
    try:
        context = ssl.create_default_context(cafile=None if mail.ca_file is None else str(mail.ca_file))
    except (ssl.SSLError, OSError):
        raise MailServerError(f"{mail.ca_file}: expected certificates in PEM form (mail.ca_file)") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _said(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return one_line(f"{code} {words}", ANSWER_CHARS)


def _words_of(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "no computer of this name is known"
    if isinstance(error, smtplib.SMTPResponseException):
        return _said(error.smtp_code, error.smtp_error)
    if isinstance(error, OSError) and error.strerror:
        return one_line(error.strerror, ANSWER_CHARS)
    return one_line(str(error), ANSWER_CHARS) or type(error).__name__
