"""What every page shows around its own content: the head, the home's name, the five places. Draws only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from edge_agent.page.markup import NOTHING, Html, filled, joined
from edge_agent.page.words import PageWords, translatable

STATIC = Path(__file__).parent / "static"
STATIC_KINDS = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript", "mark.svg": "image/svg+xml"}

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} – {home}</title>
<link rel="icon" href="{icon}" type="image/svg+xml">
<link rel="stylesheet" href="{style}">
{script}{refresh}</head>
<body>
<a class="skip" href="#main">{skip}</a>
<header class="top"><a class="name" href="/">{home}</a>{fresh}</header>
{places}<main id="main" tabindex="-1">
{stopped}{main}
{sign_out}</main>
</body>
</html>
"""
# Only where no script does it more gently.
_REFRESH = '<noscript><meta http-equiv="refresh" content="{seconds}"></noscript>\n'
_SIGN_OUT = (
    '<form method="post" action="/sign-out"><input type="hidden" name="token" value="{token}">'
    "<button>{text}</button></form>\n"
)
_PLACE = '<a href="{address}"{here}><svg viewBox="0 0 24 24" aria-hidden="true">{icon}</svg><span>{label}</span></a>\n'
_LIVE = (
    '<circle cx="12" cy="12" r="4"/><path d="M12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4M5.6 18.4 7 17"/>'
)
_PLACES = (
    ("live", "/", translatable("Live"), _LIVE),
    ("history", "/history", translatable("History"), '<path d="M4 20V10m5 10V4m5 16v-8m5 8V7"/>'),
    ("left", "/left", translatable("What left"), '<path d="M4 9h13l-4-4m7 10H7l4 4"/>'),
    ("consent", "/consent", translatable("Consent"), '<path d="M6 11h12v9H6zM8.5 11V7.5a3.5 3.5 0 0 1 7 0V11"/>'),
    ("devices", "/devices", translatable("Devices"), '<path d="M5 4h14v16H5zM9 8h6m-6 4h6m-6 4h2"/>'),
)


@dataclass(frozen=True, slots=True)
class PageAround:
    """The home's name, the place in the navigation (empty where there is none), and what must not be overlooked.

    `refresh_s`: how soon the page is to look again by itself, where it does. `sign_out`: the token of that form.
    """

    home: str
    place: str = ""
    fresh: str = ""
    stopped: str = ""
    refresh_s: int = 0
    sign_out: str = ""


@lru_cache(maxsize=8)
def static_address(name: str) -> str:
    """The address of a static file with a mark of its content, so that browsers may keep it."""
    return f"/static/{name}?v={hashlib.sha256(static_content(name)).hexdigest()[:10]}"


@lru_cache(maxsize=8)
def static_content(name: str) -> bytes:
    """One of the files in STATIC_KINDS."""
    return (STATIC / name).read_bytes()


def whole_page(words: PageWords, around: PageAround, *, title: str, main: Html) -> bytes:
    """The page as it is sent."""
    script = '<script type="module" src="{address}"></script>\n'
    has_script = around.place == "live" or around.refresh_s > 0
    fresh = '<p class="fresh" data-live="fresh">{text}</p>' if around.place == "live" else '<p class="fresh">{text}</p>'
    stopped = '<p class="alert"><a href="/left">{text}</a></p>\n'
    page = filled(
        _PAGE,
        language=words.language,
        title=title,
        home=around.home,
        icon=static_address("mark.svg"),
        style=static_address("page.css"),
        script=filled(script, address=static_address("page.js")) if has_script else NOTHING,
        refresh=filled(_REFRESH, seconds=around.refresh_s) if around.refresh_s else NOTHING,
        skip=words.text("Skip to the page"),
        fresh=filled(fresh, text=around.fresh) if around.fresh else NOTHING,
        places=_navigation(words, around.place) if around.place else NOTHING,
        stopped=filled(stopped, text=around.stopped) if around.stopped else NOTHING,
        main=main,
        sign_out=filled(_SIGN_OUT, token=around.sign_out, text=words.text("Sign out")) if around.sign_out else NOTHING,
    )
    return page.encode()


def card(name: str, title: str, content: Html) -> Html:
    """A section with a heading. `name` is its id."""
    section = '<section class="card" aria-labelledby="{name}"><h2 id="{name}">{title}</h2>\n{content}</section>\n'
    return filled(section, name=name, title=title, content=content)


def legend(entries: list[tuple[str, str]]) -> Html:
    """The key below a chart: (class of the drawing, words)."""
    item = '<li><svg viewBox="0 0 24 10" aria-hidden="true"><path class="{kind}" d="{d}"/></svg>{words}</li>'
    line, area = "M0 5H24", "M0 0H24V10H0Z"
    items = [filled(item, kind=kind, d=line if kind == "used" else area, words=words) for kind, words in entries]
    return filled('<ul class="legend">{items}</ul>', items=joined(items))


def table(
    heads: tuple[str, ...], rows: list[tuple[object, ...]], *, label: str, is_folded: str = "", kind: str = "figures"
) -> Html:
    """A table of figures, or of words with the kind 'list'; `is_folded`: what opens it, where it is folded away."""
    head = joined(filled('<th scope="col">{cell}</th>', cell=cell) for cell in heads)
    lines = []
    for first, *rest in rows:
        cells = joined(filled("<td>{cell}</td>", cell=cell) for cell in rest)
        lines.append(filled('<tr><th scope="row">{first}</th>{cells}</tr>\n', first=first, cells=cells))
    box = (
        '<div class="scroll" role="group" tabindex="0" aria-label="{label}"><table class="{kind}"><thead>'
        "<tr>{head}</tr></thead><tbody>\n{lines}</tbody></table></div>\n"
    )
    whole = filled(box, kind=kind, label=label, head=head, lines=joined(lines))
    if not is_folded:
        return whole
    return filled("<details><summary>{words}</summary>\n{whole}</details>\n", words=is_folded, whole=whole)


def _navigation(words: PageWords, here: str) -> Html:
    links = []
    for place, address, label, icon in _PLACES:
        current = Html(' aria-current="page"') if place == here else NOTHING
        links.append(filled(_PLACE, address=address, here=current, icon=Html(icon), label=words.looked_up(label)))
    bar = '<nav class="bar" aria-label="{label}">\n{links}</nav>\n'
    return filled(bar, label=words.text("Pages"), links=joined(links))
