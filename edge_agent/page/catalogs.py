"""Translations of the page's sentences: .po text, read with the standard library alone. English needs none."""

from __future__ import annotations

import gettext
import re
from ast import literal_eval
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

LOCALE = Path(__file__).parent / "locale"
SOURCE_LANGUAGE = "en"
_LINE = re.compile(r'(?:(msgctxt|msgid|msgid_plural|msgstr(?:\[(\d)\])?)\s+)?(".*")\s*')


class Catalog:
    """The sentences of one language; a sentence without a translation stays English."""

    def __init__(self, sentences: dict[str, tuple[str, ...]], plural: Callable[[int], int]) -> None:
        self._sentences = sentences
        self._plural = plural

    def text(self, sentence: str) -> str:
        """The translation of a sentence."""
        return self._sentences.get(sentence, ("",))[0] or sentence

    def plural(self, one: str, many: str, n: int) -> str:
        """The form the language uses for n."""
        forms = self._sentences.get(one, ())
        number = int(self._plural(n)) if forms else 0
        return (forms[number] if number < len(forms) else "") or (one if n == 1 else many)


def read_catalog(po: str) -> Catalog:
    """The catalog in the text of a .po file. Entries marked fuzzy are left out. Raises: ValueError."""
    sentences: dict[str, tuple[str, ...]] = {}
    for block in re.split(r"\n\s*\n", po.replace("\r\n", "\n")):
        if re.search(r"^#,.*\bfuzzy\b", block, re.MULTILINE) and 'msgid ""\nmsgstr' not in block:
            continue
        entry: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if not line or line.startswith("#"):
                continue
            match = _LINE.fullmatch(line)
            if match is None:
                raise ValueError(f"not a line of a .po file: {line[:60]!r}")
            key = match[1] or key
            entry[key] = entry.get(key, "") + str(literal_eval(match[3]))
        if "msgid" in entry:
            forms = [entry[each] for each in sorted(entry) if each.startswith("msgstr")]
            sentences[entry["msgid"]] = tuple(forms)
    head = sentences.pop("", ("",))[0]
    rule = re.search(r"plural=([^;\n]+)", head)
    return Catalog(sentences, gettext.c2py(rule[1].strip() if rule else "n != 1"))


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The languages of the page, English first."""
    return (SOURCE_LANGUAGE, *sorted(path.parent.name for path in LOCALE.glob("*/pages.po")))


@lru_cache(maxsize=16)
def catalog(language: str) -> Catalog:
    """The catalog of one of `languages`."""
    if language == SOURCE_LANGUAGE or language not in languages():
        return Catalog({}, lambda n: int(n != 1))
    return read_catalog((LOCALE / language / "pages.po").read_text(encoding="utf-8"))


def chosen_language(accepted: str) -> str:
    """The best language for an Accept-Language header; English where none fits."""
    wishes: list[tuple[float, str]] = []
    for part in accepted[:500].split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            wishes.append((-float(weight or 1), name.lower()))
        except ValueError:
            continue
    for _, name in sorted(wishes, key=lambda wish: wish[0]):
        if (found := name.partition("-")[0]) in languages():
            return found
    return SOURCE_LANGUAGE
