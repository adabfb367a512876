"""The rules a member may try: the nine methods and the countries' presets, with parameters that favour nobody.

Members cannot enter parameters of their own: a rule that shares with a single home would reveal what that home draws.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hub.core.rules.country_presets import PRESETS
from hub.core.rules.rulebook import METHODS, Rule
from hub.core.settlement.prepared_readings import Readings
from hub.core.trials.what_if import usual_params

HOUR: Final = 4
"""Quarter hours that are shared as one."""
CHOICES: Final = (*METHODS, *(preset.id for preset in PRESETS))


def chosen_rule(choice: str, *, in_force: Rule, parts: Sequence[Readings]) -> Rule:
    """The rule for a method's name or a preset's id, with the prices and participation in force.

    Raises: KeyError for any other choice.
    """
    if choice in METHODS:
        return replace(in_force, method=choice, params=usual_params(choice, parts))
    preset = {preset.id: preset for preset in PRESETS}[choice]
    params = usual_params(preset.method, parts)
    is_by_hour = preset.aggregate == HOUR
    netting_of = {member: time for member, time in in_force.netting_of.items() if is_by_hour or time != "60min"}
    return replace(
        in_force,
        method=preset.method,
        aggregate=preset.aggregate,
        netting=preset.netting,
        netting_of=netting_of,
        params=params,
    )
