"""Several inverters or meters in one SunSpec chain: each is chosen whole, and none is left out without a word."""

from pathlib import Path

import pytest

from protocols.maps.chain import choose_instance, count_instances
from protocols.maps.loading import load_map, resolve_map
from protocols.maps.model import DeviceMap, MapError
from protocols.maps.sunspec import SunSpecModel

MAPS = Path(__file__).parents[3] / "firmware_configs" / "devices"
LENGTHS = {1: 66, 101: 50, 103: 50, 113: 60, 120: 26, 160: 48, 203: 105, 213: 124, 701: 153}


def shipped(family: str) -> DeviceMap:
    return load_map((MAPS / f"{family}.toml").read_text(encoding="utf-8"), name=family)


INVERTER, METER = shipped("sunspec-inverter"), shipped("sunspec-meter")


def chain(*ids: int) -> tuple[SunSpecModel, ...]:
    models, at = [], 40002
    for each in ids:
        models.append(SunSpecModel(each, at, LENGTHS[each]))
        at = models[-1].end
    return tuple(models)


@pytest.mark.parametrize(
    ("ids", "inverters", "meters"),
    [
        ((1, 103), 1, 0),
        ((1, 103, 113, 120, 701, 203), 1, 1),
        ((1, 103, 1, 103), 2, 0),
        ((1, 101, 103), 2, 0),
        ((1, 701, 701), 2, 0),
        ((1, 103, 1, 203, 1, 203, 1, 213), 1, 2),
        ((1, 160), 0, 0),
    ],
)
def test_devices_of_a_kind_are_counted_and_formats_are_not(ids: tuple[int, ...], inverters: int, meters: int) -> None:
    assert count_instances(INVERTER, chain(*ids)) == inverters
    assert count_instances(METER, chain(*ids)) == meters


def test_each_of_two_inverters_keeps_its_own_formats_and_its_maker() -> None:
    models = chain(1, 103, 113, 120, 1, 101, 701, 113)
    first, second = (choose_instance(INVERTER, models, instance) for instance in (1, 2))
    assert [each.id for each in first] == [1, 103, 113, 120, 701]
    assert [each.address for each in first][:2] == [40002, 40070]
    assert [each.id for each in second] == [120, 1, 101, 113]
    assert second[1] == models[4]


def test_without_a_choice_an_inverter_is_refused_and_a_meter_is_the_first() -> None:
    with pytest.raises(MapError, match=r"holds 2 devices of this kind.*instance = 1 to 2"):
        resolve_map(INVERTER, chain(1, 103, 1, 103))
    assert resolve_map(METER, chain(1, 203, 203)).points["active_power"].addresses == (40088,)
    with pytest.raises(MapError, match="instance: expected at most 1"):
        resolve_map(INVERTER, chain(1, 103), instance=2)


@pytest.mark.parametrize("newer", [(113,), (701,), (113, 701), (120, 160, 701)])
@pytest.mark.parametrize("older", [101, 103])
def test_groups_never_reach_over_models(older: int, newer: tuple[int, ...]) -> None:
    resolved = resolve_map(INVERTER, chain(1, older, *newer))
    assert max(request.count for request in resolved.plan()) <= 125
    first, last = 40070, 40070 + 52
    for name in ("active_power", "energy_production_total"):
        assert all(first <= at < last for at in resolved.points[name].addresses), "the first table of the map wins"
        assert all(first <= span.address and span.end <= last for span in resolved.spans([name]))


def test_a_model_cut_before_its_scale_factor_gives_way_to_a_whole_one() -> None:
    cut = (SunSpecModel(103, 40002, 13), SunSpecModel(113, 40017, 60))
    assert resolve_map(INVERTER, cut).points["active_power"].addresses == (40039, 40040)
