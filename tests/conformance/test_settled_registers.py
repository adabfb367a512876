"""The registers that money rests on, written down a second time for every family: agent and simulator read the same map
files, so a wrong address in one of them would agree with itself everywhere else.
"""

from pathlib import Path

import pytest

from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap
from protocols.maps.proof.vectors import find_disagreements, load_vectors

CONFIGS = Path(__file__).parents[2] / "firmware_configs"
MAPS = sorted((CONFIGS / "devices").glob("*.toml"))


def shipped(path: Path) -> DeviceMap:
    return load_map(path.read_text(encoding="utf-8"), name=path.name)


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_every_map_agrees_with_its_vectors_and_earns_its_quality(path: Path) -> None:
    written = CONFIGS / "vectors" / f"{path.stem}.json"
    assert written.is_file(), f"{path.name} has no firmware_configs/vectors/{written.name}"
    found = load_vectors(written.read_text(encoding="utf-8"), name=written.name)
    assert list(find_disagreements(shipped(path), found)) == []


def test_no_vectors_are_left_without_their_map() -> None:
    assert {path.stem for path in (CONFIGS / "vectors").glob("*.json")} == {path.stem for path in MAPS}
