"""Sentences in the reader's language from .po text, numbers and times in its way; English where nothing fits."""

import pytest

from edge_agent.page import catalogs
from edge_agent.page.catalogs import Catalog, chosen_language, read_catalog
from edge_agent.page.names import GAP_NAMES, MARK_NAMES, MEASURE_NAMES, STATE_NAMES
from edge_agent.page.words import NO_BREAK, PageWords
from protocols.quantities import Gap, Mark, Measure
from protocols.wire.readings import Liveness

GERMAN = r"""# A translator's note.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#: edge_agent/page/frame.py
msgid "Pages"
msgstr "Seiten"

msgid "Nothing is sent "
"since %(moment)s."
msgstr ""
"Seit %(moment)s wird "
"nichts \"gesendet\"."

#, fuzzy
msgid "Live"
msgstr "Leben"

msgid "%(n)s day"
msgid_plural "%(n)s days"
msgstr[0] "%(n)s Tag"
msgstr[1] "%(n)s Tage"

msgid "Devices"
msgstr ""
"""
POLISH = r"""msgid ""
msgstr "Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\n"

msgid "%(n)s day"
msgid_plural "%(n)s days"
msgstr[0] "%(n)s dzień"
msgstr[1] "%(n)s dni"
msgstr[2] "%(n)s dni."
"""


@pytest.fixture
def german(monkeypatch: pytest.MonkeyPatch) -> PageWords:
    made: Catalog = read_catalog(GERMAN)
    monkeypatch.setattr("edge_agent.page.words.catalog", lambda language: made)
    return PageWords("de", "Europe/Berlin")


def test_a_sentence_is_translated_whole(german: PageWords) -> None:
    assert german.text("Pages") == "Seiten"
    assert german.text("Nothing is sent since %(moment)s.", moment="10:15") == 'Seit 10:15 wird nichts "gesendet".'
    assert (german.age(172_800), german.plural("%(n)s day", "%(n)s days", 1)) == ("2 Tage", "1 Tag")


def test_what_is_not_or_not_surely_translated_stays_english(german: PageWords) -> None:
    assert [german.text(each) for each in ("Live", "Devices", "Unheard of")] == ["Live", "Devices", "Unheard of"]


def test_each_language_has_its_plural_forms() -> None:
    catalog = read_catalog(POLISH)
    assert [catalog.plural("%(n)s day", "%(n)s days", n) for n in (1, 3, 5)] == [
        "%(n)s dzień",
        "%(n)s dni",
        "%(n)s dni.",
    ]


def test_numbers_have_the_languages_mark_and_no_minus_zero(german: PageWords) -> None:
    assert (german.power(1234), german.energy(12_340)) == (f"1,23{NO_BREAK}kW", f"12,3{NO_BREAK}kWh")
    english = PageWords("en", "Europe/Berlin")
    assert (english.power(-0.2), english.power(999), english.power(14_900)) == (
        f"0{NO_BREAK}W", f"999{NO_BREAK}W", f"14.9{NO_BREAK}kW"
    )  # fmt: skip


def test_times_are_the_homes() -> None:
    words = PageWords("en", "Europe/Berlin")
    assert words.moment(1_781_172_900) == "11 June, 12:15"
    assert [words.age(each) for each in (-3, 1, 119, 121, 7200, 200_000)] == [
        "0 seconds", "1 second", "119 seconds", "2 minutes", "2 hours", "2 days"
    ]  # fmt: skip


def test_a_catalog_that_is_no_po_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not a line"):
        read_catalog('msgid "a"\nmsgstr b')


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("de-DE,de;q=0.9,en;q=0.8", "de"), ("fr;q=0.9,de;q=0.1", "de"), ("*", "en"), (";q=x,en;q=z", "en")],
)
def test_the_browsers_languages_choose(monkeypatch: pytest.MonkeyPatch, header: str, language: str) -> None:
    monkeypatch.setattr(catalogs, "languages", lambda: ("en", "de"))
    assert chosen_language(header) == language


def test_the_pages_names_are_those_of_the_protocols() -> None:
    assert {each: each.label for each in Measure} == MEASURE_NAMES
    assert {each: each.label for each in Mark} == MARK_NAMES
    assert {each: each.label for each in Gap} == GAP_NAMES
    assert set(STATE_NAMES) == set(Liveness)
