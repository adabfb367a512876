"""Presets by country: found by name, and filled in to a rule. The presets themselves are in country_presets.py."""

from collections.abc import Mapping, Sequence

from hub.core.rules.country_presets import PARTICIPATION, PRESETS
from hub.core.rules.preset_form import Preset
from hub.core.rules.rulebook import Prices, Rule
from protocols.errors import CommonwattError


class PresetError(CommonwattError):
    """What was asked of a preset does not fit it; one line says what to give."""


def find_preset(preset_id: str) -> Preset:
    """The preset of this id. Raises: PresetError naming the ids there are."""
    for preset in PRESETS:
        if preset.id == preset_id:
            return preset
    raise PresetError(f"there is no preset {preset_id[:40]!r}; there are: {', '.join(p.id for p in PRESETS)}")


def fill_preset(
    preset: Preset,
    members: Sequence[str],
    *,
    params: Mapping[str, object] | None = None,
    participation_percent: Mapping[str, int] | None = None,
    prices: Prices | None = None,
) -> Rule:
    """The preset as a rule; whether the values suit the members is for `check_rule` to say.

    Raises: PresetError where a parameter is missing, or is none of this preset's.
    """
    given = dict(params or {})
    expected = [parameter.place.removeprefix("params.") for parameter in preset.must_fill]
    for name in expected:
        if name not in given:
            raise PresetError(f"{preset.id} needs params.{name}")
    for name in given:
        if name not in expected:
            raise PresetError(f"{preset.id} takes no params.{name[:40]}; it takes {', '.join(expected) or 'none'}")
    if participation_percent and PARTICIPATION not in preset.may_fill:
        raise PresetError(f"{preset.id} knows no participation factor")
    if preset.equal_weights:
        given["weights"] = dict.fromkeys(members, 1)
    percents = {member: percent for member, percent in (participation_percent or {}).items() if percent != 100}
    return Rule(preset.method, given, preset.aggregate, percents, prices=prices or Prices())
