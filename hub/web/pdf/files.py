"""A statement's files as a PDF in a member's language, for commands; the pages do the same for the visitor."""

from collections.abc import Mapping

from hub.core.statements.document import StatementFiles
from hub.web.frame.translation import Localizer
from hub.web.pdf.statement import draw_pdf
from hub.web.views.settlement.statement import statement_page
from hub.web.views.settlement.statement_sheet import statement_sheet


def statement_pdf(files: StatementFiles, language: str) -> bytes:
    """The statement's sheet as a PDF. Raises: PdfMissingError, PdfRenderError."""
    coop = files.statement["coop"]
    assert isinstance(coop, Mapping)
    words = Localizer(language, coop["tz"], coop["currency"])
    view = statement_page(files, words)
    return draw_pdf(statement_sheet(files, view, words))
