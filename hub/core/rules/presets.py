"""Finds a country's preset by its id. The presets are in country_presets.py."""

from hub.core.rules.country_presets import PRESETS
from hub.core.rules.preset_form import Preset
from protocols.errors import CommonwattError


class PresetError(CommonwattError):
    """There is no such preset; the one-line message says which there are."""


def find_preset(preset_id: str) -> Preset:
    """The preset with this id. Raises: PresetError, listing the known ids, if there is none.

    >>> find_preset("at-dynamic").method
    'proportional'
    """
    for preset in PRESETS:
        if preset.id == preset_id:
            return preset
    raise PresetError(f"there is no preset {preset_id[:40]!r}; use one of: {', '.join(p.id for p in PRESETS)}")
