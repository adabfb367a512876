"""The directory: every agent has one broker, and begins under the hub's own name."""

from pathlib import Path

import pytest

from hub.broker.sharded.directory import Directory, directory_of
from hub.folder.settings import parse_settings
from protocols.wire.topics import shard_of

AGENTS = tuple(f"a-{number}" for number in range(60))
LOW = [agent for agent in AGENTS if shard_of(agent) < 32]
HIGH = [agent for agent in AGENTS if shard_of(agent) >= 32]


def directory(*sites: str, public: bool = True) -> Directory | None:
    listed = f"shards = {list(sites)}\n".replace("'", '"') if sites else ""
    text = f'[coop]\nid = "c"\nname = "C"\ntz = "UTC"\n[broker]\nkind = "mosquitto"\n{listed}'
    if public:
        text += '[public]\nhost = "hub.example.org"\nbroker_port = 8883\n'
    return directory_of(parse_settings(text.encode(), name="hub.toml", folder=Path()))


def test_without_homes_elsewhere_there_is_none() -> None:
    assert directory(public=False) is None


@pytest.mark.parametrize("agent", AGENTS[:5])
def test_a_single_broker_has_every_home(agent: str) -> None:
    found = directory()
    assert found is not None
    assert (found.number_of(agent), found.address_of(agent)) == (0, ("hub.example.org", 8883))
    assert found.enrolled_address(agent) == ("hub.example.org", 8883)


def test_each_shard_has_its_broker() -> None:
    found = directory("0-31 here:8883", "32-63 b2.example.org:9000:8884")
    assert found is not None
    assert {found.address_of(agent) for agent in LOW} == {("hub.example.org", 8883)}
    assert {found.address_of(agent) for agent in HIGH} == {("b2.example.org", 9000)}
    assert {found.enrolled_address(agent) for agent in HIGH} == {("hub.example.org", 8883)}, "it is sent on from there"


def test_brokers_on_the_hubs_computer_are_told_at_once() -> None:
    found = directory("0-31 here:8883", "32-63 here:8885")
    assert found is not None
    assert {found.enrolled_address(agent) for agent in HIGH} == {("hub.example.org", 8885)}


def test_where_none_is_at_home_the_renewals_still_go_to_the_hub() -> None:
    found = directory("0-63 b2.example.org:9000:8884")
    assert found is not None
    assert found.enrolled_address(LOW[0]) == ("hub.example.org", 9000)


def test_a_broker_that_homes_are_to_leave_has_none() -> None:
    found = directory("none here:8883", "0-63 here:8885")
    assert found is not None
    assert {found.number_of(agent) for agent in AGENTS} == {1}
