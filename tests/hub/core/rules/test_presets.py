"""Presets are rules that hold: each fills to a rule the rulebook accepts, settles, and has its page."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.commands.trials import presets as presets_command
from hub.core.rules.country_presets import PARTICIPATION, PRESETS
from hub.core.rules.preset_form import Preset
from hub.core.rules.presets import PresetError, find_preset
from hub.core.rules.rulebook import Rule, check_rule
from hub.core.settlement.period import settle
from hub.core.settlement.prepared_readings import Readings

MEMBERS = ("a", "b", "p")
FILLED: Mapping[str, object] = {
    "weights": {"a": 600_000, "b": 400_000, "p": 0},
    "rounds": 3,
    "tiers": [["b"], ["a", "p"]],
    "coefficients": {"p": {"a": 500_000, "b": 250_000}},
}
PAGE = Path(__file__).parents[4] / "docs" / "presets.md"
all_presets = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)


def rule_of(preset: Preset, members: Sequence[str] = MEMBERS, **more: Any) -> Rule:
    """The preset with its parameters filled in as a board would."""
    names = [parameter.place.removeprefix("params.") for parameter in preset.must_fill]
    params = {name: FILLED[name] for name in names}
    if preset.equal_weights:
        params["weights"] = dict.fromkeys(members, 1)
    return Rule(preset.method, params, preset.aggregate, **more)


def street(slots: int = 4) -> Readings:
    surplus = np.array([[0, 0, 900]] * slots, dtype=np.int64)
    demand = np.array([[500, 300, 100]] * slots, dtype=np.int64)
    return Readings(MEMBERS, tuple(range(slots)), surplus, demand)


@all_presets
def test_a_filled_preset_is_a_rule_that_settles(preset: Preset) -> None:
    rule = rule_of(preset)
    check_rule(rule, MEMBERS)
    settled = settle(street(), rule)
    assert len(settled.slots) == 4 // preset.aggregate
    assert 0 < int(settled.alloc_wh.sum()) == int(settled.sold_wh.sum()) <= 3600


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PresetError, match="there is no preset 'xx'; use one of: at-static, "):
        find_preset("xx")


def test_austrias_participation_factor_scales_before_the_method() -> None:
    preset = find_preset("at-dynamic")
    assert PARTICIPATION in preset.may_fill
    rule = rule_of(preset, participation_percent={"a": 50})
    whole = settle(street(), rule_of(preset))
    half = settle(street(), rule)
    assert half.alloc_wh[0].tolist() == [250, 300, 100]
    assert whole.alloc_wh[0].tolist() == [500, 300, 100]


def test_italy_counts_by_the_hour() -> None:
    surplus = np.array([[0, 400], [0, 0], [0, 100], [0, 0]], dtype=np.int64)
    demand = np.array([[0, 0], [350, 0], [50, 0], [50, 0]], dtype=np.int64)
    settled = settle(Readings(("c", "p"), (0, 1, 2, 3), surplus, demand), rule_of(find_preset("it-cer-hourly")))
    assert int(settled.alloc_wh.sum()) == 450


def test_the_page_is_what_the_command_prints() -> None:
    assert PAGE.read_text(encoding="utf-8") == presets_command.presets_page(PRESETS)


def ran(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    presets_command.add_arguments(parser)
    return presets_command.run(parser.parse_args(arguments))


def test_the_command_lists_shows_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran() == 0
    assert len(capsys.readouterr().out.splitlines()) == len(PRESETS)
    assert ran("es-beta") == 0
    shown = capsys.readouterr().out
    assert "not covered:" in shown
    assert "shared by the hour" in shown
    assert ran("--json") == 0
    documents = json.loads(capsys.readouterr().out)
    assert [document["id"] for document in documents] == [preset.id for preset in PRESETS]
    assert ran("nowhere") == 2
    refused = capsys.readouterr()
    assert refused.out == ""
    assert refused.err.count("\n") == 1
