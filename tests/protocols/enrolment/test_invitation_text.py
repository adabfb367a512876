"""The text of an invitation's QR code reads back, and a wrong one is one line without the token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.enrolment.invitation_text import InvitationText, is_invitation, read_invitation, write_invitation
from protocols.enrolment.token import EnrolToken, token_text

TOKEN = token_text(EnrolToken(bytes(range(16)), bytes(10)))
INVITATION = InvitationText("https://hub.example:8443", "sunny-street", TOKEN)


@given(
    hub=st.from_regex(r"https?://[A-Za-z0-9.\[\]:-]{1,60}(/[a-z~_]{0,9})?", fullmatch=True),
    coop=st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True),
)
def test_every_invitation_reads_back(hub: str, coop: str) -> None:
    made = InvitationText(hub, coop, TOKEN)
    assert read_invitation(write_invitation(made)) == made


def test_blanks_and_line_breaks_of_a_mail_program_do_not_matter() -> None:
    text = write_invitation(INVITATION)
    assert read_invitation(f"{text[:40]}\r\n {text[40:70]}\n{text[70:]} ") == INVITATION
    assert read_invitation(text.replace("-", " - ").replace("sunny - street", "sunny-street")) == INVITATION


def test_half_an_invitation_is_told_to_be_copied_whole() -> None:
    text = write_invitation(INVITATION)
    with pytest.raises(ValueError, match="found 20: copy the whole of it, in one line"):
        read_invitation(text[: text.index(TOKEN) + 25])


def test_a_token_alone_is_no_invitation() -> None:
    assert not is_invitation(TOKEN)
    assert is_invitation(write_invitation(INVITATION))
    assert is_invitation(write_invitation(INVITATION).replace("commonwatt", "COMMONWATT"))
    assert TOKEN not in repr(INVITATION)


@pytest.mark.parametrize(
    "change",
    [
        ("coop=", "cop="),
        ("hub=", "coop=x&hub="),
        ("&token", "&more=1&token"),
        ("sunny-street", "Sunny"),
        ("sunny-street", ""),
        (TOKEN, TOKEN[:-1] + "7"),
        (TOKEN, ""),
        ("?", ""),
        ("hub.example", "hüb"),
        ("hub.example", "h" * 600),
    ],
)
def test_a_wrong_one_is_one_line_that_does_not_have_the_token(change: tuple[str, str]) -> None:
    with pytest.raises(ValueError) as caught:
        read_invitation(write_invitation(INVITATION).replace(*change))
    assert "\n" not in str(caught.value)
    assert TOKEN[:9] not in str(caught.value)


@pytest.mark.parametrize("hub", ["https://hüb.example", "https://h/?a=b&coop=x", "ftp://h", "https://h h", ""])
def test_an_address_that_would_not_read_back_is_not_written(hub: str) -> None:
    with pytest.raises(ValueError, match="the hub's address"):
        write_invitation(InvitationText(hub, "sunny-street", TOKEN))
