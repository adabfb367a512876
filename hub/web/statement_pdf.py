"""Draws a statement's sheet as a PDF: A4, tagged for screen readers, its fonts inside, the same bytes each time.

It needs the package of the extra `pdf` and nothing else: no file beside its template, no network, no clock.
"""

import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from hub.web.views.statement_sheet import Sheet

TEMPLATE: Final = Path(__file__).parent / "templates" / "statement.typ"
EXTRA: Final = "pdf"
PACKAGE: Final = "typst"
STANDARD: Final = "ua-1"


class PdfMissing(Exception):
    """This hub is installed without the package that draws PDF."""


def draws_pdf() -> bool:
    """Whether the package of the extra is there."""
    try:
        return find_spec(PACKAGE) is not None
    except ValueError:  # a test, or an import that failed half way, left a hole in its place
        return False


def draw_pdf(sheet: Sheet) -> bytes:
    """The sheet as a PDF/UA-1 document. Raises: PdfMissing."""
    try:
        import typst  # noqa: PLC0415 - an optional package
    except ImportError:
        raise PdfMissing from None
    return typst.compile(
        _template(),
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"sheet": json.dumps(sheet.plain(), ensure_ascii=False)},
        pdf_standards=STANDARD,
        timestamp=sheet.made_at,
    )


@lru_cache(maxsize=1)
def _template() -> bytes:
    return TEMPLATE.read_bytes()
