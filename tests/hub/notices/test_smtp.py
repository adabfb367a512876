"""What the mail server says becomes one of few results; nothing is sent to a server that is not who it should be."""

import asyncio
from pathlib import Path

import pytest

from hub.folder.mail_settings import STARTTLS, MailSettings
from hub.notices.messages import OutgoingMail, Sender, mail_message
from hub.notices.smtp import MailAnswer, MailServerError, MailSession
from hub.storage.notice_records import NoticeState
from tests.hub.notices.catch_all import SENDER, CatchAll, catching, certificate_for

ANA = "ana@example.org"


async def send(settings: MailSettings, *, to: str = ANA) -> MailAnswer:
    message = mail_message(
        OutgoingMail("m.1", "Ana", to, "A subject", "A text", 1_800_000_000), Sender("Street", SENDER)
    )
    session = MailSession(settings, timeout_s=5)
    try:
        return await asyncio.to_thread(session.send, message)
    finally:
        await asyncio.to_thread(session.close)


@pytest.mark.parametrize(
    ("answer", "to_content", "state"),
    [
        ("250 OK", "250 OK", NoticeState.SENT),
        ("451 4.3.0 come back later", "250 OK", None),
        ("550 5.1.1 no such box", "250 OK", NoticeState.BOUNCED),
        ("550 no such box", "250 OK", NoticeState.BOUNCED),
        ("554 5.7.1 relay denied", "250 OK", NoticeState.REFUSED),
        ("250 OK", "452 4.3.1 disk full", None),
        ("250 OK", "554 5.7.1 looks like spam", NoticeState.REFUSED),
        ("250 OK", "550 5.1.1 no such box", NoticeState.BOUNCED),
    ],
)
async def test_an_answer_is_success_later_the_address_or_the_mail(
    answer: str, to_content: str, state: NoticeState | None
) -> None:
    async with catching(CatchAll(answers={ANA: answer}, to_content=to_content)) as server:
        found = await send(server.settings())
        assert found.state == state
        assert len(server.mails) == (state is NoticeState.SENT)
        if state is not NoticeState.SENT:
            assert (to_content if answer.startswith("250") else answer)[:3] in found.words


async def test_a_server_that_is_not_there_is_one_line() -> None:
    async with catching() as server:
        settings = server.settings()
    with pytest.raises(
        MailServerError,
        match=r"the mail server 127\.0\.0\.1:\d+ cannot be reached: Connection refused: check mail.server",
    ):
        await send(settings)


async def test_starttls_sends_over_tls_to_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    tls, trusted = certificate_for("127.0.0.1", tmp_path)
    async with catching(tls_context=tls, require_starttls=True) as server:
        answer = await send(server.settings(security=STARTTLS, ca_file=trusted))
        assert (answer.state, len(server.mails)) == (NoticeState.SENT, 1)


@pytest.mark.parametrize("name", ["127.0.0.1", "other.example"])
async def test_starttls_with_a_wrong_certificate_sends_nothing(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The authority is unknown, or it is known and the certificate is another server's."""
    tls, trusted = certificate_for(name, tmp_path)
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    password.chmod(0o600)
    caught = CatchAll()
    login = {"user": "hub", "password_file": password}
    async with catching(caught, tls_context=tls, authenticator=caught.authenticate) as server:
        ca_file = None if name == "127.0.0.1" else trusted
        with pytest.raises(MailServerError, match="has a certificate that is not trusted") as refused:
            await send(server.settings(security=STARTTLS, ca_file=ca_file, **login))
    assert "\n" not in str(refused.value)
    assert (caught.mails, caught.logins) == ([], [])
    assert "sesame" not in caplog.text


async def test_starttls_is_not_left_out_because_the_server_does_not_offer_it() -> None:
    async with catching() as server:
        with pytest.raises(MailServerError, match=r"does not offer STARTTLS: check mail.port and mail.security"):
            await send(server.settings(security=STARTTLS))
        assert server.mails == []


async def test_a_wrong_password_is_one_line_without_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    tls, trusted = certificate_for("127.0.0.1", tmp_path)
    password = tmp_path / "password"
    password.write_text("Tr0ub4dor-secret\n")
    password.chmod(0o600)
    caught = CatchAll()
    async with catching(caught, tls_context=tls, authenticator=caught.authenticate) as server:
        settings = server.settings(security=STARTTLS, ca_file=trusted, user="hub", password_file=password)
        with pytest.raises(MailServerError, match="refuses user or password") as refused:
            await send(settings)
        assert {login[1] for login in caught.logins} == {b"Tr0ub4dor-secret"}
        password.write_text("open sesame\n")
        assert (await send(settings)).state is NoticeState.SENT
    ours = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))
    assert "Tr0ub4dor" not in ours + str(refused.value)
