"""Draws a statement's sheet as a PDF: A4, tagged for screen readers, its fonts inside, the same bytes each time.

It needs the package of the extra `pdf` and nothing else: no file beside its template, no network, no clock.
"""

import json
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from hub.web.views.settlement.statement_sheet import Sheet
from protocols.errors import CommonwattError

TEMPLATE: Final = Path(__file__).with_name("statement.typ")
CHILD: Final = Path(__file__).with_name("typst_child.py")
PACKAGE: Final = "typst"
STANDARD: Final = "ua-1"
LONGEST_S: Final = 60

_one = threading.Lock()


class PdfMissingError(CommonwattError):
    """This hub is installed without the package that draws PDF."""


class PdfRenderError(CommonwattError):
    """The sheet could not be drawn, such as for a letter that the fonts inside lack. Holds no word of the sheet."""


def draws_pdf() -> bool:
    """Whether the package of the extra is there."""
    return find_spec(PACKAGE) is not None


def draw_pdf(sheet: Sheet) -> bytes:
    """The sheet as a PDF/UA-1 document, one at a time, in a child process that takes its memory with it.

    Raises: PdfMissingError; PdfRenderError where the child refuses the sheet, breaks or takes too long.
    """
    if not draws_pdf():
        raise PdfMissingError
    request = {
        "template": TEMPLATE.read_text(encoding="utf-8"),
        "sheet": json.dumps(sheet.plain(), ensure_ascii=False),
        "standard": STANDARD,
        "made_at": sheet.made_at,
    }
    try:
        with _one:
            done = subprocess.run(
                [sys.executable, "-I", str(CHILD)],
                input=json.dumps(request).encode(),
                capture_output=True,
                timeout=LONGEST_S,
                check=True,
            )
    except subprocess.CalledProcessError as error:
        raise PdfRenderError(f"the child ended with status {error.returncode}") from None
    except subprocess.TimeoutExpired:
        raise PdfRenderError(f"not within {LONGEST_S} s") from None
    return done.stdout
