"""The Grafana dashboard and the alert rules name only metrics and labels that the hub has, and leave none out."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from hub.health.metrics import KINDS, PREFIX
from tests.house.source_tree import ROOT

DASHBOARD = ROOT / "firmware_configs" / "hub" / "dashboard.json"
ALERTS = ROOT / "firmware_configs" / "hub" / "alerts.yml"
NAME = re.compile(rf"{PREFIX}[a-z_]+")
SELECTED = re.compile(rf"({PREFIX}[a-z_]+)\{{([^}}]*)\}}")
BY = re.compile(r"by \(([^)]*)\)")
WIDTH = 24


@cache
def labels_of() -> Mapping[str, set[str]]:
    """The labels of every name that Prometheus stores for our metrics."""
    found: dict[str, set[str]] = {}
    for kind in KINDS:
        names = [kind.name]
        if kind.kind == "histogram":
            names = [f"{kind.name}_{part}" for part in ("bucket", "sum", "count")]
        for name in names:
            found[PREFIX + name] = set(kind.labels) | ({"le"} if name.endswith("_bucket") else set())
    return found


def rules() -> list[dict[str, Any]]:
    """The rules: the file is JSON, which every reader of YAML reads."""
    (group,) = json.loads(ALERTS.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dashboard()["panels"]
    return found


def shown() -> Iterator[tuple[str, str]]:
    """Each expression of the dashboard, with how its lines are called."""
    for panel in panels():
        for target in panel.get("targets", []):
            yield target["expr"], target["legendFormat"]


def problems(expression: str, told: str = "") -> list[str]:
    """Unknown metrics, and labels that a metric does not have or that `told` uses although they are summed away."""
    found = [f"{name}: no such metric" for name in NAME.findall(expression) if name not in labels_of()]
    for name, selectors in SELECTED.findall(expression):
        wanted = {part.split("=")[0].strip(" !") for part in selectors.split(",")}
        found += [f"{name} has no label {label}" for label in wanted - labels_of().get(name, set())]
    left = set().union(*(labels_of().get(name, set()) for name in NAME.findall(expression)))
    if grouped := BY.findall(expression):
        kept = {label.strip() for part in grouped for label in part.split(",")}
        found += [f"no metric here has the label {label}" for label in kept - left]
        left &= kept
    elif re.search(r"\bsum\(", expression):
        left = set()
    used = set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", told))
    return found + [f"{label} is not there to be told" for label in used - left]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_rests_on_metrics_that_exist_and_says_what_to_do(rule: dict[str, Any]) -> None:
    told = f"{rule['annotations']['summary']} {rule['annotations']['description']}"
    assert problems(rule["expr"], told) == []
    assert NAME.findall(rule["expr"]) or rule["expr"].startswith("up{")
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_every_alert_has_its_row_on_the_page_and_no_other_is_there() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(Commonwatt\w+)` \| (\w+) \|", page, re.MULTILINE)
    assert listed == [(rule["alert"], rule["labels"]["severity"]) for rule in rules()]
    assert len({name for name, _ in listed}) == len(listed)


@pytest.mark.parametrize(("expression", "legend"), list(shown()))
def test_a_panel_shows_metrics_that_exist_by_labels_that_they_have(expression: str, legend: str) -> None:
    assert NAME.findall(expression)
    assert problems(expression, legend) == []


def test_every_metric_is_on_the_dashboard() -> None:
    named = {name for expression, _ in shown() for name in NAME.findall(expression)}
    missing = [
        kind.name
        for kind in KINDS
        if not {name for name in named if re.fullmatch(rf"{PREFIX}{kind.name}(_bucket|_sum|_count)?", name)}
    ]
    assert missing == []


def test_the_panels_lie_side_by_side_and_ask_only_the_chosen_prometheus() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert place["x"] + place["w"] <= WIDTH
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    assert "://" not in DASHBOARD.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("expression", "told", "found"),
    [
        ("commonwatt_nothing > 0", "", "commonwatt_nothing: no such metric"),
        ('commonwatt_part_up{home="h01"}', "", "commonwatt_part_up has no label home"),
        ("sum(commonwatt_part_up)", "{{part}}", "part is not there to be told"),
        ("sum by (job) (commonwatt_part_up)", "", "no metric here has the label job"),
        ("commonwatt_part_up", "{{ $labels.job }}", "job is not there to be told"),
    ],
)
def test_the_check_of_an_expression_finds_what_is_wrong(expression: str, told: str, found: str) -> None:
    assert found in problems(expression, told)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed here (Debian: prometheus)")
def test_prometheus_own_tool_accepts_the_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
