"""docs/pages.md and the application name the same addresses, whichever of the two was changed last."""

import re
from pathlib import Path

from fastapi.routing import APIRoute

from hub.storage.sqlite.store import SqliteStore
from hub.web.app import build_app
from tests.house.source_tree import ROOT
from tests.hub.web.page_street import parts_over

PAGES: Path = ROOT / "docs" / "pages.md"
# Parts of a page or of signing in; what programs post is among the forms.
UNLISTED = {"/static/{}", "/favicon.ico"}


def nameless(address: str) -> str:
    """The address with every changing part as {}."""
    return re.sub(r"\{\w+\}|\b[A-Z][A-Z_]+\b", "{}", address.partition("?")[0])


def listed() -> set[tuple[str, str]]:
    """Method and address of every row of the table, of its files, and of every form and address in the text."""
    found = set()
    for line in PAGES.read_text(encoding="utf-8").splitlines():
        cells = [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:-1]] if line.startswith("|") else []
        if cells:
            pages, files = cells[0], cells[-1]
            found |= {("GET", page) for page in pages}
            found |= {("GET", name) for name in files if name.startswith("/")}
            found |= {("GET", page.partition("?")[0] + name) for page in pages for name in files if name[0] == "."}
        found |= set(re.findall(r"`(GET|POST) (/[^`]*)`", line))
    return {(method, nameless(address)) for method, address in found}


async def test_every_address_is_listed_and_every_listed_one_is_there(store: SqliteStore) -> None:
    routes = [route for route in build_app(parts_over(store)).routes if isinstance(route, APIRoute)]
    served = {(method, nameless(route.path)) for route in routes for method in route.methods if method != "HEAD"}
    assert len(served) > 60
    assert served - listed() == {("GET", address) for address in UNLISTED}
    assert listed() - served == set()
