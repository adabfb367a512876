"""What a sentence must look like to be translatable, wherever it is marked: in a template or in Python."""

import re

LETTERS = re.compile(r"[^\W\d_]{2,}")
WORDS = re.compile(r"[^\W\d_]{2,}[,;:.]? +[^\W\d_]")
ENDS_SENTENCE = (".", "?", "!", ":")

_COUNTED = re.compile(r"%\((\w+)\)s ([a-z]+s)\b")
_NOT_COUNTED = {"is", "has", "was", "does", "less", "as", "takes", "expects", "holds", "lives"}
_OPEN_END = re.compile(r"(,|\(|\b(and|or|of|to|for|the|a|an))$")


def is_sentence_end(sentence: str) -> bool:
    return sentence.rstrip(")”\"'").endswith(ENDS_SENTENCE)


def shape_problems(sentence: str, *, is_plural: bool) -> list[str]:
    """What is wrong with a marked sentence by itself."""
    found = []
    if sentence != sentence.strip():
        found.append(f"{sentence!r} begins or ends with a space, so it is glued to something")
    if _OPEN_END.search(sentence):
        found.append(f"{sentence!r} is only the first part of a sentence")
    counted = _COUNTED.search(sentence)
    if counted and not is_plural and counted[2] not in _NOT_COUNTED:
        found.append(f"{sentence!r} counts {counted[2]} without plural forms")
    return found


def is_set_off(sentence: str, name: str) -> bool:
    """Whether punctuation separates the part %(name)s from the sentence, so that no grammar connects the two."""
    before, _, after = sentence.partition(f"%({name})s")
    left, right = before.rstrip(), after.lstrip()
    return (not left or left[-1] in ":;,()“–.") and (not right or right[0] in ":;,()”–.")
