"""Refusal reasons: their codes and numbers travel, so docs/wire-format.md pins them; each has a sentence for people."""

from __future__ import annotations

import re
from pathlib import Path

from protocols.errors import CommonwattError
from protocols.wire.refusal_reasons import RefusalReason, WireError

DOCUMENT = (Path(__file__).parents[3] / "docs" / "wire-format.md").read_text(encoding="utf-8")


def documented_reasons() -> dict[int, tuple[str, bool]]:
    """Number by number, the code and whether it refuses content, from both halves of the document's table."""
    table = DOCUMENT.split("| number | reason | | number | reason | |")[1].split("\n\n")[0]
    found = {}
    for line in table.splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        for number, reason, mark in (cells[0:3], cells[3:6]):
            if code := re.match(r"`(\w+)`", reason):
                found[int(number)] = (code[1], mark == "C")
    return found


def test_every_reason_has_its_documented_number_and_effect() -> None:
    ours = {number: (reason.value, reason.settles_the_number) for number, reason in enumerate(RefusalReason)}
    assert ours == documented_reasons()
    assert len(ours) == 13


def test_every_reason_has_a_sentence_of_its_own() -> None:
    sentences = [reason.plain_words for reason in RefusalReason]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence[0].isupper() and sentence.endswith(".") and "\n" not in sentence for sentence in sentences)


def test_an_error_carries_its_reason_and_one_line() -> None:
    error = WireError(RefusalReason.BROKEN_CHAIN, "number 7 of epoch 3 does not follow")
    assert (error.reason, error.detail) == (RefusalReason.BROKEN_CHAIN, "number 7 of epoch 3 does not follow")
    assert str(error) == "broken_chain: number 7 of epoch 3 does not follow"
    assert isinstance(error, CommonwattError)
