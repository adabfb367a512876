"""Presets are rules that hold: each fills to a rule the rulebook accepts, settles, and has its page."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from hub.commands.trials import presets as presets_command
from hub.core.rules.country_presets import PARTICIPATION, PRESETS
from hub.core.rules.preset_form import Preset
from hub.core.rules.presets import PresetError, fill_preset, find_preset
from hub.core.rules.rulebook import METHODS, check_rule
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


def filled(preset: Preset) -> dict[str, object]:
    names = [parameter.place.removeprefix("params.") for parameter in preset.must_fill]
    return {name: FILLED[name] for name in names}


def street(slots: int = 4) -> Readings:
    surplus = np.array([[0, 0, 900]] * slots, dtype=np.int64)
    demand = np.array([[500, 300, 100]] * slots, dtype=np.int64)
    return Readings(MEMBERS, tuple(range(slots)), surplus, demand)


@all_presets
def test_a_filled_preset_is_a_rule_that_settles(preset: Preset) -> None:
    rule = fill_preset(preset, MEMBERS, params=filled(preset))
    check_rule(rule, MEMBERS)
    settled = settle(street(), rule)
    assert len(settled.slots) == 4 // preset.aggregate
    assert 0 < int(settled.alloc_wh.sum()) == int(settled.sold_wh.sum()) <= 3600


@all_presets
def test_a_preset_says_where_it_comes_from_and_what_it_leaves_out(preset: Preset) -> None:
    assert preset.method in METHODS
    assert preset.sources
    assert all(preset.sources)
    assert preset.not_covered
    assert preset.id.startswith(preset.country.lower() + "-")
    assert preset.country in presets_command.COUNTRIES


def test_every_country_of_the_issue_is_there_and_no_id_twice() -> None:
    ids = [preset.id for preset in PRESETS]
    assert len(set(ids)) == len(ids)
    assert {preset.country for preset in PRESETS} == {"AT", "BE", "CH", "DE", "ES", "FR", "IT", "LU", "PT"}
    assert sum(preset.country == "FR" for preset in PRESETS) == 4


def test_a_missing_and_a_foreign_parameter_are_named() -> None:
    with pytest.raises(PresetError, match=r"at-static needs params\.weights"):
        fill_preset(find_preset("at-static"), MEMBERS)
    with pytest.raises(PresetError, match=r"takes no params\.tiers"):
        fill_preset(find_preset("at-dynamic"), MEMBERS, params={"tiers": []})
    with pytest.raises(PresetError, match="no participation factor"):
        fill_preset(find_preset("ch-leg"), MEMBERS, participation_percent={"a": 50})
    with pytest.raises(PresetError, match="there is no preset 'xx'"):
        find_preset("xx")


def test_austrias_participation_factor_scales_before_the_method() -> None:
    preset = find_preset("at-dynamic")
    assert PARTICIPATION in preset.may_fill
    rule = fill_preset(preset, MEMBERS, participation_percent={"a": 50, "b": 100})
    assert rule.participation_percent == {"a": 50}
    whole = settle(street(), fill_preset(preset, MEMBERS))
    half = settle(street(), rule)
    assert half.alloc_wh[0].tolist() == [250, 300, 100]
    assert whole.alloc_wh[0].tolist() == [500, 300, 100]


def test_italy_counts_by_the_hour() -> None:
    surplus = np.array([[0, 400], [0, 0], [0, 100], [0, 0]], dtype=np.int64)
    demand = np.array([[0, 0], [350, 0], [50, 0], [50, 0]], dtype=np.int64)
    settled = settle(Readings(("c", "p"), (0, 1, 2, 3), surplus, demand), fill_preset(find_preset("it-cer-hourly"), ()))
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
