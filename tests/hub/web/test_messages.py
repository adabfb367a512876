"""The file for translators is complete and current, and every sentence reaches its reader through a catalogue."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from hub.web.frame import translation
from hub.web.frame.translation import Localizer, catalogue, languages, translatable
from tests.hub.web.messages import MESSAGES, ROOT, messages
from tests.hub.web.python_checker import is_marked, sentences_of

WEB, HEALTH = ROOT / "hub" / "web", ROOT / "hub" / "health"


def test_the_file_for_translators_is_current() -> None:
    assert MESSAGES.read_text(encoding="utf-8") == messages(), "run make messages"


def test_the_file_says_nothing_of_when_and_where_it_was_made() -> None:
    text = messages()
    assert text == messages()
    assert not re.search(r"POT-Creation-Date|\b20\d\d-\d\d-\d\d \d\d:|@|^#: .*:\d", text, re.M)
    assert str(ROOT) not in text


def test_every_marked_sentence_is_in_the_file() -> None:
    """This also fails if two plurals share a singular, because a catalogue finds them by the singular."""
    with MESSAGES.open("rb") as text:
        known = {
            each for message in read_po(text) for each in ([message.id] if isinstance(message.id, str) else message.id)
        }
    missing = {
        sentence.value
        for path in (*WEB.rglob("*.py"), *HEALTH.rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if is_marked(call) and isinstance(call, ast.Call)
        for sentence in sentences_of(call)
        if isinstance(sentence, ast.Constant) and sentence.value not in known
    }
    assert not missing
    assert len(known) > 400
    for template in ("Skip to the page", "%(num)s days", "Who saw my data"):
        assert template in known


@pytest.fixture
def german(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Localizer]:
    """A reader of a language that has three entries."""
    folder = tmp_path / "de"
    folder.mkdir()
    (folder / "pages.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
        'msgid "Sign in first."\nmsgstr "Bitte zuerst anmelden."\n\n'
        'msgid "You gave %(amount)s."\nmsgstr "%(amount)s hast du gegeben."\n\n'
        'msgid "%(n)s home"\nmsgid_plural "%(n)s homes"\nmsgstr[0] "%(n)s Haus"\nmsgstr[1] "%(n)s Häuser"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(translation, "LOCALE_DIR", tmp_path)
    languages.cache_clear()
    catalogue.cache_clear()
    yield Localizer("de", "Europe/Berlin", "EUR")
    monkeypatch.undo()
    languages.cache_clear()
    catalogue.cache_clear()


def test_only_english_ships() -> None:
    assert languages() == ("en",)


def test_sentences_come_from_the_readers_catalogue(german: Localizer) -> None:
    assert languages() == ("en", "de")
    assert german.text("You gave %(amount)s.", amount="3 kWh") == "3 kWh hast du gegeben."
    assert german.plural("%(n)s home", "%(n)s homes", 1) == "1 Haus"
    assert german.plural("%(n)s home", "%(n)s homes", 1200) == "1.200 Häuser"
    assert german.looked_up(translatable("Sign in first.")) == "Bitte zuerst anmelden."
    assert german.text("No translation of this.") == "No translation of this."
    assert german.looked_up("100 % of it") == "100 % of it"


def test_sentences_and_items_are_joined_as_the_language_does(german: Localizer) -> None:
    english = Localizer("en", "Europe/Berlin", "EUR")
    assert english.sentences("It is day.", "", "It is bright.") == "It is day. It is bright."
    assert english.listed(["sun", "wind", "grid"]) == "sun, wind and grid"
    assert german.listed(["Sonne", "Wind"]) == "Sonne und Wind"
    assert english.listed([]) == ""
