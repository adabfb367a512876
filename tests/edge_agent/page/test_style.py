"""The page's style sheet and script: within their budgets, in the hub's colours, and with enough contrast."""

import re

import pytest

from edge_agent.page.frame import STATIC, STATIC_KINDS
from hub.web.rendering import STATIC_DIR
from tests.hub.web.test_palette import contrast

BUDGET = 6 * 1024
SHEET = (STATIC / "page.css").read_text(encoding="utf-8")
HUBS = (STATIC_DIR / "site.css").read_text(encoding="utf-8")


def palettes(sheet: str) -> list[dict[str, str]]:
    return [
        dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", block)) for block in re.findall(r":root\{([^}]*)\}", sheet)[:2]
    ]


def test_style_and_script_are_small() -> None:
    assert {path.name for path in STATIC.iterdir()} == set(STATIC_KINDS)
    for name in ("page.css", "page.js"):
        assert (STATIC / name).stat().st_size <= BUDGET, name


def test_the_colours_are_the_hubs() -> None:
    for own, hubs in zip(palettes(SHEET), palettes(HUBS), strict=True):
        assert own.items() <= hubs.items()


@pytest.mark.parametrize("palette", palettes(SHEET), ids=["light", "dark"])
def test_the_pieces_of_the_flow_stand_out(palette: dict[str, str]) -> None:
    for colour in ("made", "good", "accent", "soft", "used"):
        assert contrast(palette[colour], palette["card"]) >= 3
        assert contrast(palette[colour], palette["rail"]) >= 3


def test_every_class_that_is_used_is_defined() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in STATIC.parent.rglob("*.py"))
    used = {name for group in re.findall(r'class="([a-z -]+)"', code) for name in group.split()}
    plain = {"figures", "free"}
    assert {name for name in used if f".{name}" not in SHEET} <= plain
