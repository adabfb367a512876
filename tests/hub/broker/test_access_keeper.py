"""Rules that the broker may not have read are given to it again; the broker here is an invented one."""

import asyncio
from pathlib import Path

import pytest

from hub.broker import access_keeper
from hub.broker.access_keeper import AccessKeeper
from hub.broker.access_rules import KnownAgents
from hub.broker.connection import BrokerAddress


class Broker:
    """Counts how often it was asked to read its rules; `takes` is whether it does."""

    def __init__(self, rules: Path) -> None:
        self.ready, self.homes_rules, self.reloads, self.takes = asyncio.Event(), rules, 0, True
        self.address = BrokerAddress("127.0.0.1", 1, "hub", "x")

    def reload(self) -> None:
        self.reloads += 1


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker(tmp_path / "access")
    monkeypatch.setattr(access_keeper, "is_allowed_to_write", lambda *_: made.takes)
    return made


async def test_rules_written_before_the_broker_was_ready_are_loaded_once_it_is(broker: Broker) -> None:
    keeper, agents = AccessKeeper(broker, coop="c"), KnownAgents(frozenset({"a-x"}))
    await keeper.update(agents)
    assert "a-x" in broker.homes_rules.read_text()
    assert broker.reloads == 0
    broker.ready.set()
    for _ in range(2):
        await keeper.update(agents)
        assert broker.reloads == 1
    broker.ready.clear()
    await keeper.update(agents)
    broker.ready.set()
    await keeper.update(agents)
    assert broker.reloads == 2, "a broker that was started again may have read older rules"


async def test_rules_that_the_broker_did_not_take_are_tried_again(broker: Broker) -> None:
    keeper, agents = AccessKeeper(broker, coop="c"), KnownAgents(frozenset({"a-x"}))
    broker.ready.set()
    broker.takes = False
    await keeper.update(agents)
    broker.takes = True
    await keeper.update(agents)
    await keeper.update(agents)
    assert broker.reloads == 2
