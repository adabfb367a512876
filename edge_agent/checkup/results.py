"""One thing looked at, and how it is; and all of them as lines and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

CheckState = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was looked at, how it is, and what to do. A note needs no action now."""

    subject: str
    state: CheckState
    words: str
    advice: str = ""


def ok(subject: str, words: str) -> Diagnosis:
    """Nothing to do."""
    return Diagnosis(subject, "ok", words)


def note(subject: str, words: str, advice: str = "") -> Diagnosis:
    """Worth knowing."""
    return Diagnosis(subject, "note", words, advice)


def wrong(subject: str, words: str, advice: str) -> Diagnosis:
    """Something a person must do."""
    return Diagnosis(subject, "wrong", words, advice)


def result_lines(results: Sequence[Diagnosis]) -> list[str]:
    """One line each, and one more with what to do; what is wrong comes last, where a terminal shows it."""
    order = {"ok": 0, "note": 1, "wrong": 2}
    lines: list[str] = []
    for each in sorted(results, key=lambda result: order[result.state]):
        lines.append(f"{each.state.upper() if each.state == 'wrong' else each.state:<6} {each.subject}: {each.words}")
        if each.advice:
            lines.append(f"       do: {each.advice}")
    count = sum(each.state == "wrong" for each in results)
    lines.append("nothing is wrong" if not count else f"{count} {'thing is' if count == 1 else 'things are'} wrong")
    return lines


def results_record(results: Sequence[Diagnosis]) -> str:
    """The same for programs."""
    is_good = not any(each.state == "wrong" for each in results)
    return json.dumps({"ok": is_good, "checks": [asdict(each) for each in results]}, indent=2, ensure_ascii=False)
