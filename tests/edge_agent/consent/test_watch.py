"""A consent file that changes beside a running agent: higher versions come into force, nothing else does."""

import logging
import os
from pathlib import Path

import pytest

from edge_agent.consent.watch import ConsentWatch
from edge_agent.outbox.messages import OutboxError
from protocols.consent.rules import ConsentSet, default_consent
from protocols.consent.text import consent_toml
from protocols.errors import SettingsError

FIRST = default_consent("h01")
SECOND = default_consent("h01", version=2)


class Chain:
    """What a consent is put into; it refuses lower versions, and everything while it is full."""

    def __init__(self) -> None:
        self.put: list[int] = []
        self.is_full = False

    async def take(self, wanted: ConsentSet) -> ConsentSet:
        if self.is_full:
            raise OutboxError("the outbox is full")
        if wanted.version < 2:
            raise SettingsError("version: expected a higher number")
        self.put.append(wanted.version)
        return wanted


def write(path: Path, text: str) -> None:
    beside = path.with_suffix(".part")
    beside.write_text(text)
    beside.replace(path)


@pytest.fixture
def chain() -> Chain:
    return Chain()


async def test_a_higher_version_comes_into_force_once(tmp_path: Path, chain: Chain) -> None:
    path = tmp_path / "consent.toml"
    write(path, consent_toml(FIRST))
    watch = ConsentWatch(path, "h01", chain.take)
    assert await watch.look(FIRST) == FIRST
    assert chain.put == [], "the file has not changed since the agent began"
    write(path, consent_toml(SECOND))
    assert await watch.look(FIRST) == SECOND
    assert await watch.look(SECOND) == SECOND
    assert chain.put == [2]


async def test_a_version_given_between_the_agents_first_look_and_the_watch_is_not_missed(
    tmp_path: Path, chain: Chain
) -> None:
    path = tmp_path / "consent.toml"
    write(path, consent_toml(SECOND))
    watch = ConsentWatch(path, "h01", chain.take)
    assert await watch.look(FIRST) == SECOND
    assert chain.put == [2]


async def test_a_file_that_appears_is_taken_up_and_one_that_goes_changes_nothing(tmp_path: Path, chain: Chain) -> None:
    path = tmp_path / "consent.toml"
    watch = ConsentWatch(path, "h01", chain.take)
    assert await watch.look(FIRST) == FIRST
    write(path, consent_toml(SECOND))
    assert await watch.look(FIRST) == SECOND
    path.unlink()
    assert await watch.look(SECOND) == SECOND


@pytest.mark.parametrize(
    "text",
    [
        "home = 3\n",
        consent_toml(FIRST) + 'off = ["device.health"]\n',
        consent_toml(default_consent("other", version=9)),
        "\xff",
    ],
)
async def test_what_cannot_be_used_is_told_once_and_changes_nothing(
    tmp_path: Path, chain: Chain, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path = tmp_path / "consent.toml"
    watch = ConsentWatch(path, "h01", chain.take)
    path.write_bytes(text.encode("latin-1"))
    with caplog.at_level(logging.ERROR):
        assert await watch.look(FIRST) == FIRST
        assert await watch.look(FIRST) == FIRST
    assert len(caplog.records) == 1
    assert "version 1 stays in force" in caplog.text
    write(path, consent_toml(SECOND))
    assert await watch.look(FIRST) == SECOND


async def test_while_it_cannot_be_stored_it_is_tried_again(tmp_path: Path, chain: Chain) -> None:
    path = tmp_path / "consent.toml"
    watch = ConsentWatch(path, "h01", chain.take)
    write(path, consent_toml(SECOND))
    chain.is_full = True
    assert await watch.look(FIRST) == FIRST
    chain.is_full = False
    assert await watch.look(FIRST) == SECOND


async def test_a_file_of_the_same_size_and_time_but_another_place_is_seen(tmp_path: Path, chain: Chain) -> None:
    path = tmp_path / "consent.toml"
    write(path, consent_toml(FIRST))
    watch = ConsentWatch(path, "h01", chain.take)
    before = path.stat()
    write(path, consent_toml(SECOND))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert await watch.look(FIRST) == SECOND
