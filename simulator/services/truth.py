"""What really happened in a street: energies per home and slot, runs planned and moved. For reports and tests only."""

from collections.abc import Mapping

from protocols.slots import SLOT_S, Slot
from simulator.services.loopback_http import LoopbackResponse
from simulator.world.physics import FLOWS, HomePhysics
from simulator.world.site import DAY_S
from simulator.world.street import Street

MEASURES = {
    "import": "grid_import",
    "export": "grid_export",
    "solar": "pv_production",
    "wind": "wind_production",
    "charge": "battery_charge",
    "discharge": "battery_discharge",
    "load": "load",
}
"""The flows of the physics under the hub's names, all on the AC side; no meter shows `load`."""
MAX_SLOTS = 96 * 62


def slot_energies_ws(physics: HomePhysics, first: Slot, count: int) -> dict[str, list[int]]:
    """True energy of each flow in `count` slots from `first`. Units: watt-seconds, exact."""
    counted = physics.counters(first * SLOT_S, every_s=SLOT_S, count=count + 1)
    steps = counted[:, 1:] - counted[:, :-1]
    return {name: steps[FLOWS.index(flow)].tolist() for flow, name in MEASURES.items()}


def truth(street: Street, *, first: Slot, count: int) -> dict[str, object]:
    """Energies and runs of all homes in `count` slots from `first`. Units: Wh."""
    homes: dict[str, object] = {}
    for home in street.homes:
        physics = street.physics(home.id)
        energies = slot_energies_ws(physics, first, count)
        runs = physics.plan.runs_between(first * SLOT_S, (first + count) * SLOT_S)
        homes[home.id] = {
            "energy_wh": {name: [ws / 3600 for ws in values] for name, values in energies.items() if any(values)},
            "runs": [
                {
                    "appliance": run.appliance,
                    "planned_s": run.planned_s,
                    "start_s": run.start_s,
                    "energy_wh": run.energy_ws / 3600,
                    "prompt": run.prompt,
                }
                for run in runs
            ],
        }
    return {"first_slot": first, "slots": count, "homes": homes}


def answer_truth(street: Street, query: Mapping[str, str], *, now_s: float) -> LoopbackResponse:
    """GET /truth.json?from=&to= in Unix seconds at slot boundaries; never reveals the future."""
    bounds = [query.get("from", ""), query.get("to", "")]
    if set(query) != {"from", "to"} or not all(text.isascii() and text.isdecimal() for text in bounds):
        return _refused("expected from= and to= in Unix seconds")
    from_s, to_s = (int(text[:12]) for text in bounds)
    if from_s % SLOT_S or to_s % SLOT_S or not 0 < to_s - from_s <= MAX_SLOTS * SLOT_S:
        return _refused(f"expected whole slots of {SLOT_S} s, at most {MAX_SLOTS} of them")
    if from_s < street.first_day * DAY_S or to_s > now_s:
        return _refused("expected a time between the street's first day and now")
    return LoopbackResponse(200, truth(street, first=from_s // SLOT_S, count=(to_s - from_s) // SLOT_S))


def _refused(reason: str) -> LoopbackResponse:
    return LoopbackResponse(400, {"error": True, "reason": reason})
