"""What a household pastes: a token with the settings, or a whole invitation that must not contradict them."""

from pathlib import Path

import pytest

from edge_agent.settings import parse_settings
from edge_agent.setup.invitation import read_given
from protocols.enrolment.invitation_text import InvitationText, write_invitation
from protocols.enrolment.token import token_text
from protocols.errors import RequestError
from tests.edge_agent.enrolment_desk import TOKEN

TEXT = token_text(TOKEN)
WHOLE = write_invitation(InvitationText("https://hub.example:8443", "sonne", TEXT))
DEVICE = '[[device]]\nname="m"\nmap="eastron-sdm630"\nrole="grid"\nconnect="tcp://127.0.0.1:502"\nmax_power_w=9000\n'


def given(text: str, hub: str = "", *, coop: str | None = None) -> InvitationText:
    settings = parse_settings((hub + DEVICE).encode(), name="agent.toml", folder=Path())
    return read_given(text, settings, coop=coop)


@pytest.mark.parametrize("hub", ["", '[hub]\nurl="https://hub.example:8443/"\ncoop="sonne"\n', '[hub]\ncoop="sonne"\n'])
def test_an_invitation_brings_hub_co_op_and_token(hub: str) -> None:
    assert given(WHOLE, hub) == InvitationText("https://hub.example:8443", "sonne", TEXT)


def test_a_token_alone_goes_by_the_settings() -> None:
    hub = '[hub]\nurl="http://127.0.0.1:8400"\ncoop="sonne"\n'
    assert given(TEXT, hub) == InvitationText("http://127.0.0.1:8400", "sonne", TEXT)
    assert given(TEXT, hub, coop="mond").coop == "mond"


@pytest.mark.parametrize(
    ("text", "hub", "coop", "words"),
    [
        (TEXT, "", None, "hub: url: missing"),
        ("hello", "", None, "that is not an invitation: an invitation is one line such as commonwatt:"),
        ("https://hub.example/join/me", "", None, "that is not an invitation"),
        ("my invitation 4 you please", "", None, "that is not an invitation"),
        ("  ", "", None, "nothing was given"),
        (TEXT[:-2], "", None, "token: expected 44"),
        (TEXT, '[hub]\nurl="http://127.0.0.1"\n', None, "hub: coop: missing"),
        (WHOLE, '[hub]\nurl="https://other.example"\n', None, r"is for 'https://hub.example:8443', .*remove hub\.url"),
        (WHOLE, '[hub]\ncoop="mond"\n', None, r"is for 'sonne', .*remove hub\.coop"),
        (WHOLE, "", "mond", "is for 'sonne'"),
        (WHOLE[:-1], "", None, "token: expected 44"),
        (WHOLE.replace("hub.example:8443", "hub..example:x"), "", None, "invitation: hub: expected an address like"),
    ],
)
def test_what_is_missing_or_differs_is_one_line(text: str, hub: str, coop: str | None, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        given(text, hub, coop=coop)
    assert "\n" not in str(caught.value)
    assert TEXT[:9] not in str(caught.value)
