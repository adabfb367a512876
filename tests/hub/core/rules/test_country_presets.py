"""The presets themselves: each country is there, each preset has its sources, and asks for what its method needs."""

import pytest

from hub.commands.trials import presets as presets_command
from hub.core.rules.country_presets import BETAS, PAIRS, PARTICIPATION, PRESETS, ROUNDS, TIERS, WEIGHTS
from hub.core.rules.preset_form import Parameter, Preset
from hub.core.rules.rulebook import AGGREGATES, METHODS

all_presets = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
NEEDED: dict[str, list[set[Parameter]]] = {
    "proportional": [set()],
    "static": [{WEIGHTS}, {BETAS}],
    "static_rounds": [{WEIGHTS, ROUNDS}],
    "static_then_proportional": [{WEIGHTS}],
    "priority": [{TIERS}],
    "pairwise": [{PAIRS}],
}


@all_presets
def test_a_preset_says_where_it_comes_from_and_what_it_leaves_out(preset: Preset) -> None:
    assert preset.method in METHODS
    assert preset.aggregate in AGGREGATES
    assert preset.sources
    assert all(preset.sources)
    assert preset.not_covered
    assert all(preset.not_covered)
    assert preset.id.startswith(preset.country.lower() + "-")
    assert preset.country in presets_command.COUNTRIES
    assert preset.name.startswith((presets_command.COUNTRIES[preset.country], "Brussels", "Wallonia"))


@all_presets
def test_a_preset_asks_for_exactly_what_its_method_needs(preset: Preset) -> None:
    asked = {*preset.must_fill} | ({WEIGHTS} if preset.equal_weights else set())
    assert asked in NEEDED[preset.method]
    assert len(preset.must_fill) + preset.equal_weights == len(asked)


def test_every_country_is_there_and_no_id_twice() -> None:
    ids = [preset.id for preset in PRESETS]
    assert len(set(ids)) == len(ids) == 26
    assert {preset.country for preset in PRESETS} == {"AT", "BE", "CH", "DE", "ES", "FR", "IT", "LU", "PT"}
    assert sum(preset.country == "FR" for preset in PRESETS) == 4


def test_spain_and_italy_share_by_the_hour_and_only_austria_has_a_participation_factor() -> None:
    assert {preset.id for preset in PRESETS if preset.aggregate == 4} == {"es-beta", "it-cer-hourly"}
    assert {preset.country for preset in PRESETS if PARTICIPATION in preset.may_fill} == {"AT"}
