"""The QR code of an invitation: a picture and blocks of a terminal that hold nothing that runs."""

from xml.etree import ElementTree

import segno

from hub.trust.invitation_code import svg_code, terminal_code

TEXT = "commonwatt:?hub=https://hub.example:8443&coop=sol&token=0004-1061-050R-3GG2-8A1C-60T3-GF77-VH7M-568G-JKY1-2JHY"


def test_the_codes_hold_the_text_and_nothing_that_runs() -> None:
    modules = segno.make_qr(TEXT, error="m").symbol_size(border=4)[1]
    lines = terminal_code(TEXT).splitlines()
    assert {len(line) for line in lines if line} == {modules}
    assert set("".join(lines)) <= set("█▀▄ ")
    picture = ElementTree.fromstring(svg_code(TEXT))
    assert {each.tag.split("}")[1] for each in picture.iter()} == {"svg", "g", "path"}
    assert picture.attrib["width"] == str(6 * modules)
    assert b"commonwatt" not in svg_code(TEXT)
