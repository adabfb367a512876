"""The hub's web application: routes, security headers, and one clear sentence for every error."""

from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from hub.storage.errors import StoreAwayError, StoreError, StoreFullError, StoreRefusedError
from hub.web.frame.door import Door
from hub.web.frame.guard import ErrorPages, PageError, SecurityHeaders
from hub.web.frame.services import HubParts
from hub.web.frame.sign_in import SignInNeededError
from hub.web.frame.translation import translatable
from hub.web.pages.board import add_board_pages
from hub.web.pages.changes import add_change_pages
from hub.web.pages.credits import add_credit_pages
from hub.web.pages.device_maps import add_map_pages
from hub.web.pages.fairness import add_fairness_pages
from hub.web.pages.findings import add_finding_pages
from hub.web.pages.members import add_member_pages
from hub.web.pages.objections import add_objection_pages
from hub.web.pages.own.account import add_account_pages
from hub.web.pages.own.months import add_month_pages
from hub.web.pages.own.notices import add_notice_pages
from hub.web.pages.payments import add_payment_pages
from hub.web.pages.people.invite import add_invite_pages
from hub.web.pages.people.member import add_member_change_pages
from hub.web.pages.rules import add_rule_pages
from hub.web.pages.runs import add_run_pages
from hub.web.pages.sign_in import add_sign_in_pages
from hub.web.pages.statements import add_statement_pages
from hub.web.pages.what_if import add_what_if_pages
from hub.web.pages.who_looked import add_who_looked_pages
from hub.web.rendering import PageContext

_SENTENCES: Final = {
    404: translatable("This page does not exist."),
    405: translatable("This address does not accept that kind of request."),
}
_BROKEN: Final = translatable(
    "An error in the hub kept this page from being shown. Nothing was changed. Please tell the board."
)
_CANNOT: Final = translatable("The hub cannot answer this request.")
_SIGN_IN_FIRST: Final = translatable("Sign in first.")


_AWAY: Final[Mapping[type[StoreError], str]] = {
    StoreAwayError: translatable(
        "The hub's database server is away. Nothing is lost: homes keep their readings and send them when it is back."
        " Try again in a few minutes. If you were sending something, look then whether it was stored."
    ),
    StoreRefusedError: translatable(
        "The hub's store does not let the hub in. Nothing is lost: homes keep their readings. Please tell the"
        " board; whoever looks after the hub sees more with: commonwatt-hub status."
    ),
    StoreFullError: translatable(
        "The hub's database server has no room. Nothing that was stored is lost, and homes keep their readings. Please"
        " tell the board; whoever looks after the hub sees more with: commonwatt-hub status."
    ),
}


def build_app(parts: HubParts) -> FastAPI:
    """Build the application from these parts. This starts no tasks and opens no port."""
    app = FastAPI(title=parts.coop.name, docs_url=None, redoc_url=None, openapi_url=None)
    site = PageContext(parts)
    add_sign_in_pages(app, site)
    add_member_pages(app, site)
    add_who_looked_pages(app, site)
    add_credit_pages(app, site)
    add_statement_pages(app, site)
    add_objection_pages(app, site)
    add_finding_pages(app, site)
    add_account_pages(app, site)
    add_month_pages(app, site)
    add_notice_pages(app, site)
    add_payment_pages(app, site)
    add_map_pages(app, site)
    add_rule_pages(app, site)
    add_change_pages(app, site)
    add_member_change_pages(app, site)
    add_invite_pages(app, site)
    add_what_if_pages(app, site)
    add_fairness_pages(app, site)
    add_board_pages(app, site)
    add_run_pages(app, site)
    _add_error_pages(app, site)
    app.add_middleware(ErrorPages, answer=lambda request: _error_page(site, request, status=500, sentence=_BROKEN))
    app.add_middleware(GZipMiddleware, minimum_size=500)
    app.add_middleware(SecurityHeaders)
    if parts.host_names is not None:
        app.add_middleware(Door, names=parts.host_names)
    app.state.scheme = "https" if parts.secure_cookies else "http"
    return app


def _add_error_pages(app: FastAPI, site: PageContext) -> None:
    async def sign_in_needed(request: Request, _error: Exception) -> Response:
        if _wants_json(request):
            return site.error(_SIGN_IN_FIRST, status=401, is_json=True)
        return RedirectResponse("/sign-in", status_code=303)

    async def page_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, PageError)
        return _error_page(site, request, status=error.status, sentence=error.sentence)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        sentence = _SENTENCES.get(error.status_code, _CANNOT)
        return _error_page(site, request, status=error.status_code, sentence=sentence)

    async def no_store(request: Request, error: Exception) -> Response:
        # The store has said it in the log when it began: a page that is asked for meanwhile is no news there.
        sentence = next(words for kind, words in _AWAY.items() if isinstance(error, kind))
        return _error_page(site, request, status=503, sentence=sentence)

    for kind in _AWAY:
        app.add_exception_handler(kind, no_store)
    app.add_exception_handler(SignInNeededError, sign_in_needed)
    app.add_exception_handler(PageError, page_error)
    app.add_exception_handler(HTTPException, http_error)


def _wants_json(request: Request) -> bool:
    return request.url.path.endswith(".json") or request.url.path.startswith("/api/")


def _error_page(site: PageContext, request: Request, *, status: int, sentence: str) -> Response:
    return site.error(sentence, status=status, is_json=_wants_json(request))
