"""A statement's files put on paper in a member's language, for commands; the pages do the same for whoever looks."""

from collections.abc import Mapping
from typing import cast

from hub.core.statements.document import StatementFiles
from hub.web.frame.translation import Localizer
from hub.web.pdf.statement import draw_pdf
from hub.web.views.settlement.statement import statement_page
from hub.web.views.settlement.statement_sheet import statement_sheet


def statement_pdf(files: StatementFiles, language: str) -> bytes:
    """The statement's sheet as a PDF. Raises: PdfMissing, PdfNotDrawn."""
    coop = cast(Mapping[str, str], files.statement["coop"])
    words = Localizer(language, coop["tz"], coop["currency"])
    view = statement_page(files, words)
    return draw_pdf(statement_sheet(files, view, words))
