"""The street's truth over many days, joined from its answers for single days."""

from collections.abc import Mapping, Sequence
from typing import Any

from protocols.slots import SLOT_S


def joined(days: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Answers of `/truth.json` for neighbouring spans as one; a run that reaches over midnight counts once.

    Units: `energy_wh` is in Wh by home and flow, one value for each slot; a flow that an answer leaves out was 0.
    """
    slots = 0
    homes: dict[str, dict[str, Any]] = {}
    for day in days:
        for home, found in day["homes"].items():
            whole = homes.setdefault(home, {"energy_wh": {}, "runs": []})
            for flow in whole["energy_wh"].keys() | found["energy_wh"].keys():
                before = whole["energy_wh"].setdefault(flow, [0.0] * slots)
                before += found["energy_wh"].get(flow, [0.0] * day["slots"])
            began_s = day["first_slot"] * SLOT_S
            whole["runs"] += [run for run in found["runs"] if run["start_s"] >= began_s or not slots]
        slots += day["slots"]
    return {"first_slot": days[0]["first_slot"] if days else 0, "slots": slots, "homes": homes}
