"""The clusters of a demonstration: their part of hub.toml, the nodes' files for one computer, and what is not here."""

from pathlib import Path

import pytest

from hub.broker.rabbitmq.configuration import configuration
from hub.folder.first_settings import settings_text
from hub.folder.settings import load_settings
from hub.storage.records import Coop
from simulator.demo.hubs import mosquitto, rabbitmq
from simulator.demo.hubs.mosquitto import TwoMosquittos
from simulator.demo.hubs.place import HubPlace
from simulator.demo.hubs.rabbitmq import HOSTS, RabbitCluster, settle_on_one_computer
from simulator.demo.hubs.scaled import ScaledHub
from simulator.demo.processes import ChildProcesses
from simulator.errors import DemoError

COOP = Coop("lindenweg", "Lindenweg Energy", "Europe/Berlin", "EUR")


@pytest.fixture
def place(tmp_path: Path) -> HubPlace:
    return HubPlace(tmp_path, ChildProcesses(tmp_path, {}), tmp_path / "clock.json", 8400, 1883)


@pytest.mark.parametrize("cluster", [RabbitCluster, TwoMosquittos])
def test_the_hub_reads_its_settings_with_the_cluster(
    place: HubPlace, cluster: type[RabbitCluster | TwoMosquittos]
) -> None:
    hub = ScaledHub(place, cluster)
    place.hub_folder.mkdir()
    (place.hub_folder / "hub.toml").write_text(hub.settings(settings_text(COOP)))
    found = load_settings(place.hub_folder)
    assert found.public is not None
    assert hub.url_for_homes == f"https://{found.public.host}:{found.public.enrol_port}"
    if cluster is RabbitCluster:
        assert [host for host, _ in found.broker.nodes] == list(HOSTS)
    else:
        assert [len(site.shards) for site in found.broker.sites] == [32, 32]
        assert found.public.broker_port == found.broker.sites[0].homes_port


def test_each_node_listens_at_its_own_address_and_finds_the_others(tmp_path: Path) -> None:
    names = ["r0", "r1", "r2"]
    for host in HOSTS:
        (tmp_path / host).mkdir()
        text = configuration(tmp_path / HOSTS[0], coop="lindenweg", hosts=HOSTS, homes_port=8883, hub_port=5671)
        (tmp_path / host / "rabbitmq.conf").write_text(text)
    settle_on_one_computer(tmp_path, HOSTS, names, homes_port=8883, hub_port=5671)
    for host in HOSTS:
        lines = (tmp_path / host / "rabbitmq.conf").read_text().splitlines()
        assert f"mqtt.listeners.ssl.1 = {host}:8883" in lines
        assert f"listeners.ssl.1 = {host}:5671" in lines
        assert f"ssl_options.certfile = {tmp_path / host / 'server.pem'}" in lines
        nodes = [line.partition(" = ")[2] for line in lines if line.startswith("cluster_formation.classic")]
        assert nodes == [f"{name}@localhost" for name in names]


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        (RabbitCluster, "RabbitMQ is not here: .* --brokers mosquitto"),
        (TwoMosquittos, "mosquitto is not installed .* --brokers rabbitmq"),
    ],
)
def test_brokers_that_are_not_here_are_one_line(
    place: HubPlace, cluster: type[RabbitCluster | TwoMosquittos], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbitmq, "server_folder", lambda: None)
    monkeypatch.setattr(mosquitto, "find_mosquitto", lambda: None)
    with pytest.raises(DemoError, match=words) as caught:
        cluster(place).start()
    assert len(str(caught.value).splitlines()) == 1
    assert list(place.folder.iterdir()) == []
