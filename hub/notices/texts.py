"""The words of each mail in its reader's language, from the templates in hub/web/templates/mail. It sends nothing."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hub.storage.notice_records import NoticeKind
from hub.trust.agent_packages import InstallLine
from hub.web.frame.translation import LOCALE_DIR, Localizer, catalogue

TEMPLATES_DIR: Final = LOCALE_DIR.parent / "templates" / "mail"


@dataclass(frozen=True, slots=True)
class MailFrame:
    """What every mail says beside its own subject: whom it greets, the co-op, and the address of the pages.

    `off_link` is the page that switches this kind off, or empty where there is no such choice.
    """

    name: str
    coop: str
    pages: str
    off_link: str = ""


def mail_text(
    kind: NoticeKind,
    words: Localizer,
    *,
    frame: MailFrame,
    facts: Mapping[str, str],
    secret: str = "",
    install: Sequence[InstallLine] = (),
) -> tuple[str, str]:
    """The subject and the text of a mail."""
    template = _environment(words.language).get_template(f"{kind.value}.txt")
    text = template.render(
        words=words,
        name=frame.name,
        coop=frame.coop,
        link=f"{frame.pages}{page_of(kind, facts)}",
        off_link=frame.off_link,
        facts=facts,
        secret=secret,
        install=install,
        day=date.fromisoformat,
    )
    subject, _, body = text.lstrip().partition("\n")
    return subject, re.sub(r"\n{3,}", "\n\n", body.strip()) + "\n"


def page_of(kind: NoticeKind, facts: Mapping[str, str]) -> str:
    """The page that a mail of this kind leads to; empty for kinds that bring their own link or none."""
    return {
        NoticeKind.STATEMENT: f"/credits/statement/{facts.get('month', '')}",
        NoticeKind.DEBIT: "/account",
        NoticeKind.SILENT: "/my-home",
        NoticeKind.HOMES: "/board/fleet",
    }.get(kind, "")


@lru_cache(maxsize=16)
def _environment(language: str) -> Environment:
    environment = Environment(  # noqa: S701 - plain text for mail, which no browser reads as HTML
        loader=FileSystemLoader(TEMPLATES_DIR),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        catalogue(language).gettext, catalogue(language).ngettext, newstyle=True
    )
    return environment
