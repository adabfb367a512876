"""No name, subject or text breaks a mail's headers or lines, and what was written is what the reader gets."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.notices.messages import AddressError, OutgoingMail, Sender, mail_message, one_line

HEADERS = {
    "date", "from", "to", "subject", "message-id", "auto-submitted", "mime-version", "content-type",
    "content-transfer-encoding", "list-unsubscribe",
}  # fmt: skip
SENDER = Sender("Sunny Street", "hub@sunny.example")


def sent(mail: OutgoingMail, sender: Sender = SENDER) -> tuple[bytes, EmailMessage]:
    raw = mail_message(mail, sender).as_bytes()
    read = message_from_bytes(raw, policy=SMTP)
    assert isinstance(read, EmailMessage)
    return raw, read


ANY = st.text(max_size=120) | st.text(alphabet="\r\n\t :@<>,\"'ab\u2028\x85\x00é", max_size=60)


@settings(max_examples=50, deadline=None)
@given(name=ANY, subject=ANY, text=ANY, coop=ANY)
@example(name="Ana\r\nBcc: all@example.org", subject="x\n\nbody", text="Ä" * 3000, coop="C\r\nTo: b@example.org")
def test_no_text_adds_a_header_a_recipient_or_a_long_line(name: str, subject: str, text: str, coop: str) -> None:
    mail = OutgoingMail("s.1.2", name, "ana@example.org", subject, text, 1_800_000_000, "http://hub.example/notices")
    raw, read = sent(mail, Sender(coop, "hub@sunny.example"))
    assert {key.lower() for key in read} <= HEADERS
    assert [len(read.get_all(key, [])) for key in ("to", "from", "subject")] == [1, 1, 1]
    assert [each.addr_spec for each in read["to"].addresses] == ["ana@example.org"]
    assert [each.addr_spec for each in read["from"].addresses] == ["hub@sunny.example"]
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_the_reader_gets_the_words_and_long_words_whole() -> None:
    link = "http://hub.example/sign-in/" + "x" * 200
    text = "Grüße aus der Sonnenstraße. " * 8 + f"\n\n{link}\n\n- one " + "word " * 30
    _, read = sent(OutgoingMail("s.1.2", "Zoë Ñandú", "zoe@example.org", "Señal", text, 1_800_000_000))
    body = read.get_content()
    assert link in body.splitlines()
    assert max(len(line) for line in body.splitlines() if "http" not in line) <= 76
    assert "Sonnenstraße." in body
    assert read["subject"] == "Señal"
    assert read["to"].addresses[0].display_name == "Zoë Ñandú"
    assert read["message-id"] == "<s.1.2@sunny.example>"
    assert read["auto-submitted"] == "auto-generated"
    assert read.get_content_type() == "text/plain"


@pytest.mark.parametrize(
    "address", ["", "ana", "@example.org", "ana@", "a na@example.org", "ana@exa mple.org", "a\n@b"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        mail_message(OutgoingMail("s", "Ana", address, "s", "t", 0), SENDER)


def test_an_address_in_another_script_keeps_its_domain_readable_for_mail_servers() -> None:
    message = mail_message(OutgoingMail("s", "Ana", "ana@bücher.example", "s", "t", 0), SENDER)
    assert message["to"].addresses[0].addr_spec == "ana@xn--bcher-kva.example"


@settings(max_examples=50, deadline=None)
@given(ANY)
def test_one_line_is_one_visible_line(text: str) -> None:
    found = one_line(text, 50)
    assert len(found) <= 50
    assert found == found.strip()
    assert found.isprintable()
    assert not re.search(r"[\r\n\u2028\x85]", found)
