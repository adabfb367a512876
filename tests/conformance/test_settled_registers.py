"""The registers that money rests on, written down a second time for every family: agent and simulator read the same map
files, so a wrong address in one of them would agree with itself everywhere else.
"""

from protocols.maps.model import DeviceMap
from protocols.maps.proof.vectors import find_disagreements, load_vectors
from tests.one_rule import held_by_each
from tests.protocols.maps.shipped import FAMILIES, MAPS, shipped_maps

VECTORS = MAPS.parent / "vectors"


@held_by_each(shipped_maps)
def test_every_map_agrees_with_its_vectors_and_earns_its_quality(device_map: DeviceMap) -> None:
    written = VECTORS / f"{device_map.id}.json"
    assert written.is_file(), f"there is no firmware_configs/vectors/{written.name}"
    found = load_vectors(written.read_text(encoding="utf-8"), name=written.name)
    assert list(find_disagreements(device_map, found)) == []


def test_no_vectors_are_left_without_their_map() -> None:
    assert {path.stem for path in VECTORS.glob("*.json")} == set(FAMILIES)
