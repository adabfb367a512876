"""What bounds each reading is said role by role; a figure that limits nothing is never passed over."""

import pytest

from edge_agent.devices.limits import MOST_HOME_W, limit_lines, role_limits, unlimited
from edge_agent.settings import DeviceSettings, Endpoint, RoleName


def device(name: str, *roles: RoleName, power_w: int) -> DeviceSettings:
    endpoint = Endpoint("tcp", "127.0.0.1", 502, "", 9600, "N", 1)
    return DeviceSettings(name, "eastron-sdm630", roles, endpoint, 1, "as_documented", False, power_w, None)


def test_a_figure_of_ones_own_is_the_limit() -> None:
    limits = role_limits([device("meter", "grid", power_w=15_000), device("sun", "pv", power_w=MOST_HOME_W)])
    assert limit_lines(limits) == ["meter (grid): at most 15000 W", "sun (pv): at most 100000 W"]
    assert unlimited(limits) == []


@pytest.mark.parametrize("role", ["grid", "pv", "wind", "battery"])
def test_a_figure_beyond_any_home_says_which_bound_holds(role: RoleName) -> None:
    (limit,) = unlimited(role_limits([device("x", role, power_w=MOST_HOME_W + 1)]))
    (line,) = limit_lines([limit])
    assert line.startswith(f"x ({role}): not limited here, max_power_w = 100001 is more than a home carries; the hub")
    assert ("board's figure for your connection" in line) == (role == "grid")


def test_one_figure_for_several_roles_is_nobodys_own() -> None:
    limits = unlimited(role_limits([device("hybrid", "grid", "pv", "battery", power_w=12_000)]))
    assert [limit.role for limit in limits] == ["grid", "pv", "battery"]
    assert all("give each role a [[device]] with its own max_power_w" in line for line in limit_lines(limits))
