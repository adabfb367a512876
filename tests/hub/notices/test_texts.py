"""Every mail says what it is about, in the reader's language, where to switch it off, and no figure of a household."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from hub.notices.texts import MailFrame, mail_text
from hub.storage.notice_records import BOARD_KINDS, CHOSEN_KINDS, NoticeKind
from hub.web.frame import translation
from hub.web.frame.translation import Localizer

WORDS = Localizer("en", "Europe/Madrid", "EUR")
FRAME = MailFrame("Ana", "Sunny Street", "https://hub.example")
FACTS = {
    NoticeKind.INVITATION: [{"home": "House 1", "until": "1790000000"}],
    NoticeKind.SIGN_IN: [{"until": "1790000000"}],
    NoticeKind.STATEMENT: [{"month": "2026-10", "kind": "first"}, {"month": "2026-10", "kind": "corrected"}],
    NoticeKind.DEBIT: [
        {"day": "2026-11-30", "creditor": "DE98ZZZ09999999999"},
        {"day": "2026-11-30", "creditor": "DE98ZZZ09999999999", "kind": "withdrawn"},
    ],
    NoticeKind.ADDRESS: [{"at": "1790000000"}],
    NoticeKind.SILENT: [{"since": "1790000000", "home": "House 1"}],
    NoticeKind.HOMES: [
        {"what": "street", "since": "1790000000"},
        {"what": "silent", "home": "House 1", "since": "1790000000"},
        {"what": "clock", "home": "House 1"},
    ],
    NoticeKind.HUB: [
        {"what": "disk", "percent": "7"},
        {"what": "job", "job": "forecast"},
        {"what": "said", "said": "S."},
    ],
}
CASES = [(kind, facts) for kind, all_facts in FACTS.items() for facts in all_facts]


@pytest.mark.parametrize(("kind", "facts"), CASES)
def test_each_mail_has_a_subject_and_says_where_to_switch_it_off(kind: NoticeKind, facts: dict[str, str]) -> None:
    is_chosen = kind in (*CHOSEN_KINDS, *BOARD_KINDS)
    frame = replace(FRAME, off_link="https://hub.example/notices" if is_chosen else "")
    subject, text = mail_text(kind, WORDS, frame=frame, facts=facts, secret="SECRET")
    assert subject.startswith("Sunny Street: ")
    assert "\n" not in subject
    assert text.startswith("Hello Ana:\n\n")
    assert text.rstrip().endswith("Sunny Street")
    assert ("https://hub.example/notices" in text.splitlines()) == is_chosen
    assert ("SECRET" in text.splitlines()) == (kind in (NoticeKind.INVITATION, NoticeKind.SIGN_IN))
    assert not re.search(r"\n\n\n|[{}<>]|&\w+;|kWh| W\b|€|EUR", text)


def test_a_silent_home_is_named() -> None:
    _, text = mail_text(NoticeKind.SILENT, WORDS, frame=FRAME, facts=FACTS[NoticeKind.SILENT][0])
    assert "no reading of the home House 1 since" in text


def test_every_kind_has_its_text() -> None:
    assert set(FACTS) == set(NoticeKind)


def test_a_mail_is_in_its_readers_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "de"
    folder.mkdir()
    (folder / "pages.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "Hello %(name)s:"\nmsgstr "Guten Tag, %(name)s:"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(translation, "LOCALE_DIR", tmp_path)
    caches = (translation.languages, translation.catalogue)
    for cache in caches:
        cache.cache_clear()
    try:
        facts = FACTS[NoticeKind.STATEMENT][0]
        subject, text = mail_text(NoticeKind.STATEMENT, replace(WORDS, language="de"), frame=FRAME, facts=facts)
        assert text.startswith("Guten Tag, Ana:")
        assert "Oktober 2026" in subject
    finally:
        for cache in caches:
            cache.cache_clear()
