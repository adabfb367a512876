"""Everything but the content pages: signing in and out, static files, enrolment of agents, and the hub's status."""

from mimetypes import guess_type
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from hub.web.frame.asked_links import MAX_ADDRESS_CHARS, AskedLinks
from hub.web.frame.guard import PageError, has_key, read_body, read_form
from hub.web.frame.sign_in import SignInNeededError, end_session, redeem_link, require_board, set_session, visit_of
from hub.web.frame.translation import translatable
from hub.web.rendering import STATIC_DIR, PageContext

WRONG_CONTENT_TYPE: Final = "enrolment request: expected the content type application/json"
_CACHE_FOREVER: Final = "public, max-age=31536000, immutable"


def add_sign_in_pages(app: FastAPI, site: PageContext) -> None:
    """Mount sign-in, static files and the addresses for programs."""
    _add_sign_in(app, site)
    _add_static(app)
    _add_api(app, site)


def _add_sign_in(app: FastAPI, site: PageContext) -> None:
    parts = site.parts
    links = app.state.asked_links = AskedLinks(parts.store, parts.clock)

    @app.get("/sign-in")
    async def sign_in_page() -> Response:
        return _sign_in_page(site)

    @app.post("/sign-in")
    async def send_link(request: Request) -> Response:
        sent = await read_form(request)
        if not parts.sends_mail:
            raise PageError(409, translatable("This hub sends no mail. Ask the board for a link."))
        links.ask(sent.get("email", ""), client="" if request.client is None else request.client.host)
        return _sign_in_page(site, is_asked=True)

    @app.get("/sign-in/{token}")
    async def sign_in_link(token: str) -> Response:
        # Chats, mail programs and browsers open links to show a preview. Opening one therefore changes nothing.
        return site.plain_page("sign_in_link.html")

    @app.post("/sign-in/{token}")
    async def sign_in(request: Request, token: str) -> Response:
        await read_form(request)
        session = await redeem_link(parts, token)
        response = RedirectResponse("/", status_code=303)
        set_session(response, parts, session=session)
        return response

    @app.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        await read_form(request)
        response = RedirectResponse("/sign-in", status_code=303)
        await end_session(parts, request, response=response)
        return response


def _sign_in_page(site: PageContext, *, is_asked: bool = False) -> Response:
    mail = site.parts.sends_mail
    return site.plain_page("sign_in.html", sends_mail=mail, is_asked=is_asked, most=MAX_ADDRESS_CHARS)


def _add_static(app: FastAPI) -> None:
    files = {path.name: path.read_bytes() for path in sorted(STATIC_DIR.iterdir()) if path.is_file()}

    @app.get("/static/{name}")
    async def static_file(name: str) -> Response:
        if name not in files:
            raise PageError(404, translatable("This file does not exist."))
        kind = guess_type(name)[0] or "application/octet-stream"
        return Response(files[name], media_type=kind, headers={"cache-control": _CACHE_FOREVER})

    @app.get("/favicon.ico")
    async def favicon() -> Response:
        return RedirectResponse("/static/mark.svg", status_code=308)


def _add_api(app: FastAPI, site: PageContext) -> None:
    @app.get("/api/status.json")
    async def status(request: Request) -> Response:
        if not has_key(request, site.parts.status_key):
            try:
                require_board(await visit_of(site.parts, request))
            except SignInNeededError:
                sentence = translatable("The hub's status is for programs on its own machine and for the board.")
                raise PageError(403, sentence) from None
        return JSONResponse(dict(await site.parts.status()))

    @app.post("/api/enrol")
    async def enrol(request: Request) -> Response:
        # There is no session: the invitation in the body is the only permission needed.
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return JSONResponse({"error": WRONG_CONTENT_TYPE}, 415)
        code, answer = await site.parts.enrol(await read_body(request))
        return Response(answer, status_code=code, media_type="application/json")
