"""The door of the page: host names, files that never change, signing in and out, and forms from elsewhere."""

from __future__ import annotations

from edge_agent.page.catalogs import chosen_language
from edge_agent.page.frame import STATIC_KINDS, PageAround, static_content, whole_page
from edge_agent.page.guard import COOKIE, SESSION_LASTS_S, Gate, is_own_form, is_own_host
from edge_agent.page.requests import PageAnswer, PageRefusal, PageRequest
from edge_agent.page.views.sign_in import sentence_page, sign_in_page
from edge_agent.page.words import PageWords, translatable

_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_RULES = "Path=/; HttpOnly; SameSite=Strict"


class PageDoor:
    """Lets requests in. `names`: the host names the page answers to; `home` stands at the top of its pages."""

    def __init__(self, gate: Gate, *, names: frozenset[str], home: str, tz: str) -> None:
        self.gate = gate
        self._names = names
        self._home = home
        self._tz = tz

    def answer(self, request: PageRequest) -> PageAnswer | None:
        """The answer to what needs no page; None where the visitor may see the pages. Raises: PageRefusal."""
        if not is_own_host(request.headers["host"], self._names):
            raise PageRefusal(
                421, translatable("This page does not go by that name: use its address, or list it under [page] names.")
            )
        if request.path.startswith("/static/"):
            return _static(request)
        if request.path == "/sign-in":
            return self._sign_in(request)
        if not self.gate.lets_in(request):
            if request.method == "POST":
                raise PageRefusal(403, translatable("Sign in first; nothing was changed."))
            return moved("/sign-in")
        return self._sign_out(request) if (request.method, request.path) == ("POST", "/sign-out") else None

    def check_form(self, request: PageRequest) -> None:
        """Refuse a form that another site sent in the household's name. Raises: PageRefusal."""
        if not is_own_form(request) or not self.gate.is_form_token(request, request.form().get("token", "")):
            raise PageRefusal(
                403, translatable("This form is not from this page, or too old; nothing was changed. Try again.")
            )

    def sign_out_token(self, request: PageRequest) -> str:
        """The token of the form that signs out; empty for a visitor at this computer, who is not signed in."""
        return "" if request.is_local else self.gate.form_token(request)

    def words(self, request: PageRequest | None) -> PageWords:
        """The visitor's words."""
        accepted = "" if request is None else request.headers.get("accept-language", "")
        return PageWords(chosen_language(accepted), self._tz)

    def refuse(self, refusal: PageRefusal, request: PageRequest | None) -> PageAnswer:
        """One sentence that says what is wrong."""
        words = self.words(request)
        title = words.text("Not found") if refusal.status == 404 else words.text("That did not work")
        main = sentence_page(words, words.looked_up(refusal.sentence), title=title)
        return PageAnswer(refusal.status, whole_page(words, PageAround(self._home), title=title, main=main))

    def _sign_in(self, request: PageRequest) -> PageAnswer:
        words, is_wrong = self.words(request), False
        if request.method == "POST":
            self.check_form(request)
            cookie = self.gate.try_pin(request, request.form().get("pin", ""))
            if cookie is not None:
                return moved("/", {"Set-Cookie": f"{COOKIE}={cookie}; Max-Age={SESSION_LASTS_S}; {_RULES}"})
            is_wrong = True
        main = sign_in_page(words, token=self.gate.form_token(request), is_wrong=is_wrong)
        body = whole_page(words, PageAround(self._home), title=words.text("Sign in"), main=main)
        return PageAnswer(403 if is_wrong else 200, body)

    def _sign_out(self, request: PageRequest) -> PageAnswer:
        self.check_form(request)
        self.gate.end_session(request)
        return moved("/sign-in", {"Set-Cookie": f"{COOKIE}=; Max-Age=0; {_RULES}"})


def moved(address: str, headers: dict[str, str] | None = None) -> PageAnswer:
    """See there instead."""
    return PageAnswer(303, b"", headers={"Location": address, **(headers or {})})


def _static(request: PageRequest) -> PageAnswer:
    name = request.path.removeprefix("/static/")
    kind = STATIC_KINDS.get(name)
    if kind is None or request.method != "GET":
        raise PageRefusal(404, translatable("There is no such page."))
    return PageAnswer(200, static_content(name), kind, _FOREVER)
