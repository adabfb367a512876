"""A street whose solar homes have meters that count each phase by itself, and what their agents are told of it."""

from pathlib import Path

from edge_agent.settings import read_settings
from simulator.files.street import read_street, write_street
from simulator.world.families import SHELLY
from simulator.world.street import Street

FIRST_DAY = 20600


def apart(street: Street) -> list[str]:
    return [home.id for home in street.homes if home.counts_apart]


def test_homes_with_panels_and_no_battery_get_such_a_meter_and_only_if_asked() -> None:
    plain = Street(seed=1, homes=8, first_day=FIRST_DAY)
    street = Street(seed=1, homes=8, first_day=FIRST_DAY, counts_apart=True)
    solar = [home.id for home in street.homes if home.roof and not home.battery]
    assert apart(street) == solar != []
    assert apart(plain) == []
    assert [home.roof for home in street.homes] == [home.roof for home in plain.homes], "the same homes otherwise"


def test_the_folder_of_the_street_says_so_to_agents_and_to_who_reads_it_again(tmp_path: Path) -> None:
    street = Street(seed=1, homes=8, first_day=FIRST_DAY, counts_apart=True)
    connects = {(home.id, link): "tcp://127.0.0.1:5020" for home in street.homes for link in home.links}
    write_street(tmp_path, street, connects=connects, urls={})
    assert apart(read_street(tmp_path)) == apart(street)
    for home in street.homes:
        settings = read_settings(tmp_path / "homes" / home.id / "agent.toml")
        assert settings.legal_meter.phases == ("netted" if home.counts_apart else "unknown")
        if home.counts_apart:
            (meter,) = [device for device in settings.devices if "grid" in device.roles]
            assert meter.map == SHELLY


def test_its_meter_counts_more_than_the_connection_carries() -> None:
    street = Street(seed=1, homes=8, first_day=FIRST_DAY, counts_apart=True)
    home = street.home(apart(street)[0])

    state = street.physics(home.id).state(FIRST_DAY * 86_400 + 86_400)
    assert state.counted_apart_ws > 0
