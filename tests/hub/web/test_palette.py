"""Both palettes computed: text and marks that carry meaning stand out enough from what lies behind them (WCAG 2.2)."""

import re

import pytest

from hub.web.rendering import STATIC_DIR

SHEET = (STATIC_DIR / "site.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", block)) for block in re.findall(r":root\{([^}]*)\}", SHEET)[:2]
)
TEXT = [("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("accent", "paper"), ("accent", "card"),
        ("on-accent", "accent"), ("good", "card"), ("good", "field"), ("warn", "card"), ("ink", "warn-field"),
        ("soft", "warn-field"), ("ink", "field"), ("card", "warn"), ("accent", "rail")]  # fmt: skip
MARKS = [("made", "card"), ("used", "card"), ("good", "card"), ("made", "band"), ("made", "field"), ("used", "field"),
         ("warn", "card"), ("ink", "card"), ("made", "rail"), ("used", "rail"), ("good", "rail"), ("soft", "rail"),
         ("made", "paper"), ("warn", "warn-field")]  # fmt: skip


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_itself_is_right() -> None:
    assert contrast("#000000", "#fff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT)
def test_text_stands_out(palette: dict[str, str], front: str, back: str) -> None:
    assert contrast(palette[front], palette[back]) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), MARKS)
def test_marks_that_carry_meaning_stand_out(palette: dict[str, str], front: str, back: str) -> None:
    assert contrast(palette[front], palette[back]) >= 3.0


def test_both_palettes_name_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()
