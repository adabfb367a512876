"""Puts names and texts into the characters that every SEPA bank accepts, and lists each country's IBAN length."""

import re
import unicodedata
from typing import Final

# EPC217-08: the common character set of all SEPA messages.
SEPA_CHARS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ ")
REPLACEMENT: Final = "."

# EPC409-09: the countries of SEPA with their IBAN lengths (ISO 13616 registry).
IBAN_LENGTHS: Final = {
    "AD": 24, "AL": 28, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MT": 31, "NL": 18, "NO": 15,
    "PL": 28, "PT": 25, "RO": 24, "RS": 22, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "VA": 22,
}  # fmt: skip

# Letters to transcribe because Unicode does not decompose them into letter and accent, or because it is customary, as
# in German. Greek follows ELOT 743. Cyrillic follows the Bulgarian law on transliteration; the letters that Bulgarian
# lacks follow passports of Ukraine (decree 55 of 2010), Russia (ICAO 9303) and the Latin alphabet of Serbian.
LETTERS: Final = {
    "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d",
    "þ": "th", "ħ": "h", "ı": "i", "ŋ": "n", "ŧ": "t",
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k", "λ": "l",
    "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t", "υ": "y", "φ": "f",
    "χ": "ch", "ψ": "ps", "ω": "o",
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "y", "к": "k",
    "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "h",
    "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sht", "ъ": "a", "ь": "", "ю": "yu", "я": "ya",
    "і": "i", "ї": "i", "є": "ie", "ґ": "g", "ы": "y", "э": "e", "ё": "e", "ў": "u", "ʼ": "'",
    "ђ": "dj", "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c", "џ": "dz", "ѓ": "g", "ѕ": "dz", "ќ": "k", "ѣ": "e",
}  # fmt: skip
SIGNS: Final = {
    "&": "+", "@": "(at)", "_": "-", "–": "-", "—": "-", "‐": "-", "’": "'", "‘": "'", "`": "'", "´": "'", '"': "'",
    "“": "'", "”": "'", "„": "'", "«": "'", "»": "'", "[": "(", "]": ")", "{": "(", "}": ")", ";": ",", "!": ".",
    "…": "...", "\\": "/", "|": "/", "€": "EUR", "*": ".", "#": ".",
}  # fmt: skip

# In Greek these two letters make one sound, transcribed as ou.
GREEK_OU = re.compile("([οόΟΌ])([υύΥΎ])")
# The soft sign is heard only in Bulgarian's "ьо"; elsewhere it is left out.
SOFT_O = re.compile("[ьЬ](?=[оО])")


def sepa_text(text: str) -> str:
    """The text in SEPA characters with single spaces; a character without an equivalent becomes a full stop.

    >>> sepa_text("Jürgen Größe & Søn")
    'Juergen Groesse + Son'
    """
    composed = GREEK_OU.sub(lambda ou: ou[1] + ("u" if ou[2].islower() else "U"), unicodedata.normalize("NFC", text))
    composed = SOFT_O.sub(lambda sign: "y" if sign[0].islower() else "Y", composed)
    cleaned = "".join(_replaced(char) for char in composed)
    return " ".join(cleaned.split())


def unreadable_letters(text: str) -> str:
    """The letters of a text that have no equivalent in SEPA characters, once each: a bank would read full stops.

    >>> unreadable_letters("李 A")
    '李'
    """
    letters = (char for char in unicodedata.normalize("NFC", text) if unicodedata.category(char)[0] == "L")
    return "".join(dict.fromkeys(char for char in letters if _replaced(char) == REPLACEMENT))


def _replaced(char: str) -> str:
    if char in SEPA_CHARS:
        return char
    if char.isspace() or unicodedata.category(char) in {"Cc", "Zs"}:
        return " "
    if char in SIGNS:
        return SIGNS[char]
    lower = char.lower()
    if lower in LETTERS:
        letters = LETTERS[lower]
        return letters if char == lower else letters.capitalize()
    if unicodedata.category(char) in {"Mn", "Cf"}:
        return ""
    apart = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    if apart in LETTERS or apart.lower() in LETTERS:
        letters = LETTERS[apart.lower()]
        return letters if apart == apart.lower() else letters.capitalize()
    return apart if apart and set(apart) <= SEPA_CHARS else REPLACEMENT
