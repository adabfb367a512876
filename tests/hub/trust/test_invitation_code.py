"""The invitation's text and its QR code: what a household scans is what its agent takes."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import segno

from edge_agent.settings import parse_settings as parse_agent
from edge_agent.setup.invitation import read_given
from hub.folder.first_settings import settings_text
from hub.folder.settings import HubSettings, parse_settings
from hub.trust.invitation_code import hub_address, invitation_text, svg_code, terminal_code
from protocols.enrolment.token import EnrolToken, token_text
from tests.hub.sending_home import COOP

TOKEN = token_text(EnrolToken(bytes(range(16)), bytes(10)))
DEVICE = b"""[[device]]
name = "meter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:502"
max_power_w = 15000
"""


def settings_of(**web: object) -> HubSettings:
    text = settings_text(replace(COOP, id="sol")).encode()
    found = parse_settings(text, name="hub.toml", folder=Path())
    return replace(found, web=replace(found.web, **web))  # type: ignore[arg-type]


def test_the_agent_takes_it_without_any_setting_of_the_hub() -> None:
    text = invitation_text(settings_of(), TOKEN)
    assert text == f"commonwatt:?hub=http://127.0.0.1:8400&coop=sol&token={TOKEN}"
    found = read_given(text, parse_agent(DEVICE, name="agent.toml", folder=Path()), coop=None)
    assert (found.hub_url, found.coop, found.token) == ("http://127.0.0.1:8400", "sol", TOKEN)


def test_an_address_of_ipv6_is_written_as_one() -> None:
    assert hub_address(settings_of(host="::1")) == "http://[::1]:8400"


def test_where_no_agent_could_enrol_there_is_no_text() -> None:
    assert invitation_text(settings_of(host="192.168.1.10"), TOKEN) is None


def test_the_codes_hold_the_text_and_nothing_that_runs() -> None:
    text = invitation_text(settings_of(), TOKEN) or ""
    modules = segno.make_qr(text, error="m").symbol_size(border=4)[1]
    lines = terminal_code(text).splitlines()
    assert {len(line) for line in lines if line} == {modules}
    assert set("".join(lines)) <= set("█▀▄ ")
    picture = ElementTree.fromstring(svg_code(text))
    assert {each.tag.split("}")[1] for each in picture.iter()} == {"svg", "g", "path"}
    assert picture.attrib["width"] == str(6 * modules)
    assert TOKEN.encode() not in svg_code(text)
