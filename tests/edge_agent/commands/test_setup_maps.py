"""Set-up searches with the co-op's maps too, also where agent.toml names no device yet or is not there."""

from pathlib import Path

import pytest

from edge_agent.commands.setup import make_parts
from edge_agent.finding.search import FoundDevice, SearchPlan
from protocols.maps.model import DeviceMap
from tests.edge_agent.maps.coop.test_kept import release
from tests.protocols.maps.proof.test_lint import SOUND as MAP


@pytest.mark.parametrize(("written", "data"), [(None, "data"), ('data = "state"\n', "state"), ("nonsense", "data")])
async def test_the_coops_maps_are_searched_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str | None, data: str
) -> None:
    searched: list[str] = []

    async def search(_plan: SearchPlan, maps: list[DeviceMap], _tell: object) -> list[FoundDevice]:
        searched.extend(each.id for each in maps)
        return []

    monkeypatch.setattr("edge_agent.commands.setup.search", search)
    if written is not None:
        (tmp_path / "agent.toml").write_text(written)
    (tmp_path / data).mkdir()
    release(tmp_path / data, 1, example_meter=MAP)
    await make_parts(tmp_path / "agent.toml").find(SearchPlan((), (), None, ()), lambda _: None)
    assert "example-meter" in searched
