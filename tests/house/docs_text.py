"""Markdown read as text: its links, the anchors of its headings, its code with the line where each piece begins."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE)
HTML_TARGET = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"")
HTML_ANCHOR = re.compile(r"<a\b[^>]*?\b(?:id|name)=\"([^\"]+)\"")
HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
FENCE = re.compile(r"^ {0,3}(```+|~~~+)[ \t]*(\S*)[^\n]*\n(.*?)^ {0,3}\1\s*$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?: {4}[^\n]*\n)+)")
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
SHELL_WORDS = ("", "sh", "bash", "console", "shell")


@dataclass(frozen=True)
class Piece:
    """A link's target or a piece of code, and the line it begins on."""

    line: int
    text: str


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _blank(match: re.Match[str]) -> str:
    return "\n" * match.group(0).count("\n")


def prose(text: str) -> str:
    """The text with its code blocks emptied; lines keep their numbers."""
    return INDENTED.sub(_blank, FENCE.sub(_blank, text))


def links(text: str) -> Iterator[Piece]:
    """Targets of links and images, as written."""
    plain = SPAN.sub(_blank, prose(text))
    for pattern in (LINK, REFERENCE, HTML_TARGET):
        for found in pattern.finditer(plain):
            yield Piece(_line(plain, found.start(1)), found.group(1))


def anchors(text: str) -> set[str]:
    """What a link to this page may name after its `#`: headings by GitHub's rule, and anchors written as HTML."""
    found = {match.group(1) for match in HTML_ANCHOR.finditer(text)}
    seen: dict[str, int] = {}
    for match in HEADING.finditer(FENCE.sub(_blank, text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match.group(1)).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        times = seen.get(slug, 0)
        seen[slug] = times + 1
        found.add(f"{slug}-{times}" if times else slug)
    return found


def spans(text: str) -> Iterator[Piece]:
    """Code within sentences; a span that is wrapped becomes one line."""
    plain = prose(text)
    for paragraph in re.finditer(r"(?:[^\n]+\n?)+", plain):
        for found in SPAN.finditer(paragraph.group(0)):
            inside = " ".join(found.group(2).split())
            if inside:
                yield Piece(_line(plain, paragraph.start() + found.start()), inside)


def shell_lines(text: str) -> Iterator[Piece]:
    """Lines of code blocks that are shell input: fenced without a language or as a shell's, and indented ones."""
    for block in FENCE.finditer(text):
        if block.group(2).lower() in SHELL_WORDS:
            yield from _lines(text, block.start(3), block.group(3))
    without_fences = FENCE.sub(_blank, text)
    for block in INDENTED.finditer(without_fences):
        yield from _lines(without_fences, block.start(1), block.group(1))


def _lines(text: str, start: int, block: str) -> Iterator[Piece]:
    """The block's lines; one that a backslash carries on is one line."""
    number = _line(text, start)
    for command in re.split(r"(?<!\\)\n", block):
        if command.strip():
            yield Piece(number, command.replace("\\\n", " ").strip().removeprefix("$ "))
        number += 1 + command.count("\n")
