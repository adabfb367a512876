"""Makes a PDF of a statement's sheet: A4, tagged for screen readers, with embedded fonts, the same bytes every time.

It needs only its template and the package of the extra `pdf`: no other file, no network, no clock.
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
    """This hub is installed without the package that makes PDF files."""


class PdfRenderError(CommonwattError):
    """The sheet could not be typeset, for example because the fonts lack a letter. The error quotes no text from it."""


def draws_pdf() -> bool:
    """Whether the package of the extra `pdf` is installed."""
    return find_spec(PACKAGE) is not None


def draw_pdf(sheet: Sheet) -> bytes:
    """The sheet as a PDF/UA-1 document, one at a time, in a child process whose memory is freed when it ends.

    Raises: PdfMissingError; PdfRenderError if the child cannot typeset the sheet, fails or takes too long.
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
