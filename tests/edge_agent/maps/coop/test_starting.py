"""What an agent does about the co-op's maps at its start, where something is in the way."""

from pathlib import Path

import pytest

from edge_agent.maps.coop.kept import TAKEN
from edge_agent.maps.coop.starting import keep_used_maps
from tests.edge_agent.maps.coop.test_kept import release
from tests.protocols.maps.proof.test_lint import SOUND as MAP


def test_a_family_without_a_map_is_left_to_whoever_opens_the_devices(tmp_path: Path) -> None:
    assert keep_used_maps(["nothing-known", "eastron-sdm630"], None, tmp_path) == []


def test_a_map_that_cannot_be_kept_is_told_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release(tmp_path, 1, example_meter=MAP)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_agent.maps.coop.kept.write_durably", full)
    lines = keep_used_maps(["example-meter"], None, tmp_path)
    assert lines[0].startswith("the co-op's map example-meter cannot be kept as it is")
    assert lines[1] == "the map example-meter is from the co-op's bundle 1"
    assert list((tmp_path / TAKEN).glob("*.toml")) == []
