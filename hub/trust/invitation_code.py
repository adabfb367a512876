"""The QR code of an invitation or a backup key, for a terminal and as a picture. It is as secret as the text in it."""

import io

import segno

_QUIET_ZONE = 4
"""Light modules around the code: ISO/IEC 18004, 5.3.8."""


def terminal_code(text: str) -> str:
    """The QR code as lines of block characters for a dark terminal."""
    lines = io.StringIO()
    segno.make_qr(text, error="m").terminal(lines, border=_QUIET_ZONE, compact=True)
    return lines.getvalue()


def png_code(text: str) -> bytes:
    """The QR code as a PNG picture, black on white, which every mail program shows."""
    picture = io.BytesIO()
    segno.make_qr(text, error="m").save(picture, kind="png", scale=6, border=_QUIET_ZONE)
    return picture.getvalue()


def inline_code(text: str) -> str:
    """The QR code as an SVG element within a page, black on white, as wide as the page gives it room."""
    return str(
        segno.make_qr(text, error="m").svg_inline(
            scale=6, border=_QUIET_ZONE, light="white", svgclass=None, lineclass=None, omitsize=True
        )
    )


def svg_code(text: str) -> bytes:
    """The QR code as an SVG picture, black on white."""
    picture = io.BytesIO()
    segno.make_qr(text, error="m").save(picture, kind="svg", scale=6, border=_QUIET_ZONE, light="white", svgclass=None)
    return picture.getvalue()
