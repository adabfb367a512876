"""Finds a country's preset by its id and fills it in to make a rule. The presets are in country_presets.py."""

from collections.abc import Mapping, Sequence

from hub.core.rules.country_presets import PARTICIPATION, PRESETS
from hub.core.rules.preset_form import Preset
from hub.core.rules.rulebook import Prices, Rule
from protocols.errors import CommonwattError


class PresetError(CommonwattError):
    """A preset cannot be found or filled in this way; the one-line message says what to give."""


def find_preset(preset_id: str) -> Preset:
    """The preset with this id. Raises: PresetError, listing the known ids, if there is none.

    >>> find_preset("at-dynamic").method
    'proportional'
    """
    for preset in PRESETS:
        if preset.id == preset_id:
            return preset
    raise PresetError(f"there is no preset {preset_id[:40]!r}; use one of: {', '.join(p.id for p in PRESETS)}")


def fill_preset(
    preset: Preset,
    members: Sequence[str],
    *,
    params: Mapping[str, object] | None = None,
    participation_percent: Mapping[str, int] | None = None,
    prices: Prices | None = None,
) -> Rule:
    """The preset as a rule; `check_rule` decides whether the values fit the members.

    Raises: PresetError if a parameter is missing or does not belong to this preset.
    """
    given = dict(params or {})
    expected = [parameter.place.removeprefix("params.") for parameter in preset.must_fill]
    for name in expected:
        if name not in given:
            raise PresetError(f"{preset.id} needs params.{name}")
    for name in given:
        if name not in expected:
            raise PresetError(f"{preset.id} has no params.{name[:40]}; it has {', '.join(expected) or 'none'}")
    if participation_percent and PARTICIPATION not in preset.may_fill:
        raise PresetError(f"{preset.id} has no participation factor")
    if preset.equal_weights:
        given["weights"] = dict.fromkeys(members, 1)
    percents = {member: percent for member, percent in (participation_percent or {}).items() if percent != 100}
    return Rule(preset.method, given, preset.aggregate, percents, prices=prices or Prices())
