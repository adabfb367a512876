"""Every metric has its row in docs/metrics.md, and the text format is what Prometheus' own parser reads."""

import re
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from hub.health.checks import health_checks
from hub.health.facts import Buckets, HubHealth, PartHealth
from hub.health.metrics import KINDS, PREFIX, exposition
from tests.house.source_tree import ROOT
from tests.hub.health.whole_hub import INTAKE, whole_hub

ROW = re.compile(r"^\| `(commonwatt_[a-z_]+)` \| (\w+) \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)
CHECK = re.compile(r"^\| `([a-z-]+)(?:NAME)?`(?:\*)?(?:, `([a-z-]+)`)? \|", re.MULTILINE)


def page() -> str:
    return (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


def rows() -> list[str]:
    """The rows that the page should have."""
    return [
        f"| `{PREFIX}{kind.name}` | {kind.kind} | {', '.join(f'`{label}`' for label in kind.labels)} | {kind.help} |"
        for kind in KINDS
    ]


def test_the_page_lists_every_metric_and_no_other() -> None:
    listed = [match[0] for match in ROW.finditer(page())]
    assert listed == rows()


def test_every_metric_is_read_by_prometheus_with_its_kind_and_labels() -> None:
    families = {family.name: family for family in text_string_to_metric_families(exposition(whole_hub()).decode())}
    for kind in KINDS:
        family = families[PREFIX + kind.name.removesuffix("_total")]
        assert family.type == kind.kind
        assert family.samples
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(kind.labels)
    assert len(families) == len(KINDS)


def test_every_check_has_its_row() -> None:
    described = {name for match in CHECK.finditer(page()) for name in match.groups() if name}
    for check in health_checks(whole_hub()):
        assert any(check.name == name or (name.endswith("-") and check.name.startswith(name)) for name in described)


def test_a_histogram_counts_up_to_each_bound() -> None:
    health = whole_hub(took=Buckets((0.1, 1.0), (3, 2, 1), 4.5))
    lines = exposition(health).decode().splitlines()
    name = "commonwatt_pages_request_seconds"
    assert [line for line in lines if line.startswith(name)] == [
        f'{name}_bucket{{le="0.1"}} 3.0',
        f'{name}_bucket{{le="1.0"}} 5.0',
        f'{name}_bucket{{le="+Inf"}} 6.0',
        f"{name}_count 6.0",
        f"{name}_sum 4.5",
    ]


def test_a_hub_that_knows_little_has_few_metrics_and_no_invented_zero() -> None:
    text = exposition(HubHealth(now_s=0.0)).decode()
    assert "intake" not in text
    assert "commonwatt_ready" in text


def told(homes: int, silent: int) -> list[str]:
    """What the metrics say of so many homes."""
    lines = exposition(whole_hub(homes=homes, silent=silent)).decode().splitlines()
    return [line for line in lines if "home" in line or "street" in line]


def test_no_count_of_homes_is_exact_and_one_home_more_or_less_is_not_seen() -> None:
    assert [line for line in told(12, 3) if "{" in line and "#" not in line][-2:] == [
        'commonwatt_homes_at_least{state="all"} 10.0',
        'commonwatt_homes_at_least{state="silent"} 0.0',
    ]
    for homes, silent in ((12, 1), (11, 0), (14, 4), (10, 2)):
        assert told(homes, silent) == told(12, 3)


def test_a_home_that_crosses_a_boundary_shows_as_a_step_of_five_and_nothing_else_tells_it() -> None:
    steps = set(told(19, 5)) - set(told(19, 4))
    assert steps == {'commonwatt_homes_at_least{state="silent"} 5.0'}
    assert told(8, 4) != told(8, 5), "docs/metrics.md says what a step tells"
    seen = {(homes, silent): told(homes, silent) for homes in range(21) for silent in range(homes + 1)}
    for (homes, silent), lines in seen.items():
        assert lines == seen[homes - homes % 5, silent - silent % 5]


def several(first: int, second: int | None) -> HubHealth:
    """Two workers that have taken so many messages, or only the first."""
    took = {"pi-intake-1": first} | ({} if second is None else {"pi-intake-2": second})
    intakes = {process: replace(INTAKE, received=count) for process, count in took.items()}
    return whole_hub(intakes=intakes, received=sum(took.values()))


def counts(health: HubHealth, name: str) -> dict[str, float]:
    """The values of a metric by its process."""
    families = text_string_to_metric_families(exposition(health).decode())
    return {
        sample.labels["process"]: sample.value for each in families for sample in each.samples if sample.name == name
    }


def test_no_counter_falls_when_one_of_several_workers_dies() -> None:
    name = "commonwatt_intake_received_total"
    before, after = counts(several(70, 30), name), counts(several(75, None), name)
    assert before == {"pi-intake-1": 70, "pi-intake-2": 30}
    assert after == {"pi-intake-1": 75}


def test_the_parts_of_several_processes_have_fixed_names_and_a_successor_the_labels_of_a_killed_one() -> None:
    parts = tuple(
        PartHealth(f"intake of intake on pi, {life}", is_serving, part="intake", process="pi-intake-1")
        for life, is_serving in (("09ce", False), ("77aa", True))
    )
    lines = exposition(replace(whole_hub(), parts=parts)).decode().splitlines()
    assert [line for line in lines if line.startswith("commonwatt_part_up")] == [
        'commonwatt_part_up{part="intake",process="pi-intake-1"} 1.0'
    ]
    assert [line for line in lines if "part-" in line] == ['commonwatt_check{check="part-intake-pi-intake-1"} 2.0']
    assert "09ce" not in "".join(lines)
