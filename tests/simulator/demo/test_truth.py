"""Days of a street's truth joined: every slot once, every run once."""

from typing import Any

from simulator.demo.truth import joined
from simulator.services.truth import truth
from simulator.world.street import Street

FIRST_DAY = 20_579
FIRST = FIRST_DAY * 96


def summed(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        home: {flow: round(sum(values), 3) for flow, values in each["energy_wh"].items()}
        for home, each in found["homes"].items()
    }


def test_days_asked_one_by_one_are_the_same_as_asked_at_once() -> None:
    street = Street(seed=7, homes=2, first_day=FIRST_DAY)
    whole: Any = truth(street, first=FIRST, count=3 * 96)
    days: Any = [truth(street, first=FIRST + 96 * day, count=96) for day in range(3)]
    found = joined(days)
    assert (found["first_slot"], found["slots"]) == (whole["first_slot"], whole["slots"]) == (FIRST, 288)
    assert summed(found) == summed(whole)
    for home, each in whole["homes"].items():
        assert {flow: len(values) for flow, values in found["homes"][home]["energy_wh"].items()} == dict.fromkeys(
            each["energy_wh"], 288
        )
        key = sorted((run["start_s"], run["appliance"]) for run in each["runs"])
        assert sorted((run["start_s"], run["appliance"]) for run in found["homes"][home]["runs"]) == key
        assert len(set(key)) == len(key) > 0


def test_a_flow_that_a_day_leaves_out_was_zero() -> None:
    def day(first: int, energy_wh: dict[str, list[float]]) -> dict[str, Any]:
        return {"first_slot": first, "slots": 2, "homes": {"h01": {"energy_wh": energy_wh, "runs": []}}}

    found = joined([day(0, {"import": [1.0, 2.0]}), day(2, {"export": [3.0, 0.0]}), day(4, {"import": [4.0, 5.0]})])
    assert found["homes"]["h01"]["energy_wh"] == {
        "import": [1.0, 2.0, 0.0, 0.0, 4.0, 5.0],
        "export": [0.0, 0.0, 3.0, 0.0, 0.0, 0.0],
    }
