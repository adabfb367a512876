"""The form of a preset: which interval it shares in, and what it leaves open unless it says so."""

import pytest

from hub.core.rules.preset_form import Parameter, Preset


@pytest.mark.parametrize(("aggregate", "step"), [(1, "quarter hour"), (4, "hour")])
def test_the_step_follows_from_how_many_slots_are_shared_as_one(aggregate: int, step: str) -> None:
    preset = Preset("x-y", "X", "name", "equal", sources=("law",), not_covered=("files",), aggregate=aggregate)
    assert preset.step == step


def test_a_preset_asks_for_nothing_unless_it_says_so() -> None:
    preset = Preset("x-y", "X", "name", "equal", sources=("law",), not_covered=("files",))
    assert (preset.must_fill, preset.may_fill, preset.equal_weights, preset.step) == ((), (), False, "quarter hour")
    weights = Parameter("params.weights", "a share each")
    assert Preset("x-z", "X", "name", "static", (), (), must_fill=(weights,)).must_fill == (weights,)
