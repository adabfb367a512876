"""The registers under which a telegram's values are found decode, through the shipped maps, to those values."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.telegrams.meter_values import REGISTERS, MeterValues
from protocols.maps.loading import load_map, resolve_map
from protocols.maps.placement import ResolvedMap

MAPS = Path(__file__).parents[4] / "firmware_configs" / "devices"


def shipped(family: str) -> ResolvedMap:
    return resolve_map(load_map((MAPS / f"{family}.toml").read_text(encoding="utf-8"), name=family))


P1, SML = shipped("p1-dsmr"), shipped("sml-d0")


def decoded(resolved: ResolvedMap, values: MeterValues) -> dict[str, object]:
    return dict(resolved.decode({(3, at): word for at, word in enumerate(values.words())}))


@pytest.mark.parametrize("resolved", [P1, SML], ids=["p1", "sml"])
@given(
    taken=st.decimals(0, 10**11, places=1),
    given_=st.decimals(0, 10**11, places=1),
    power=st.decimals(-900_000, 900_000, places=1),
)
def test_values_come_back_exactly(resolved: ResolvedMap, taken: Decimal, given_: Decimal, power: Decimal) -> None:
    found = decoded(resolved, MeterValues({"1.8.0": taken, "2.8.0": given_, "16.7.0": power}, "E0034001"))
    assert found["energy_import_total"] == taken
    assert found["energy_export_total"] == given_
    assert found["active_power"] == power
    assert found["serial"] == "E0034001"
    assert found["voltage_l1"] is None
    assert found["active_power_l1"] is None


@pytest.mark.parametrize("resolved", [P1, SML], ids=["p1", "sml"])
def test_what_a_telegram_lacks_or_cannot_mean_is_not_available(resolved: ResolvedMap) -> None:
    odd = MeterValues({"1.8.0": Decimal(-1), "2.8.0": Decimal(10) ** 30, "16.7.0": Decimal(10) ** 12})
    for values in (MeterValues({}), odd):
        found = decoded(resolved, values)
        assert {found[name] for name in ("energy_import_total", "energy_export_total", "active_power")} == {None}


def test_the_maps_read_one_request_within_the_registers() -> None:
    for resolved in (P1, SML):
        [request] = resolved.plan()
        assert request.end <= REGISTERS
