"""`commonwatt-agent map` as a household and a map's writer use it, on files and on a device that answers."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.maps.files import INSTALLED
from tests.edge_agent.devices.test_readout import float_words
from tests.edge_agent.maps.coop.test_kept import release
from tests.edge_agent.maps.evcc.template_text import HYBRID, SUNSPEC
from tests.edge_agent.modbus_stand import Stand
from tests.protocols.maps.map_text import MAP
from tests.protocols.maps.proof.test_lint import SOUND

SDM = INSTALLED / "eastron-sdm630.toml"


@contextmanager
def answering(stand: Stand) -> Iterator[str]:
    """A device on a loop of its own, so that the command may have its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(stand.start(), loop).result(10).port
    yield f"tcp://127.0.0.1:{port}"
    asyncio.run_coroutine_threadsafe(stand.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], list[str]]:
    status = main(list(arguments))
    out, err = capsys.readouterr()
    return status, out.splitlines(), err.splitlines()


def test_check_names_every_fault_of_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.toml").write_text(MAP.replace("scale = 0.01", "scale = 0").replace("version = 1", "version = 0"))
    (tmp_path / "two.toml").write_text("x = [")
    status, out, err = said(capsys, "map", "check", *(str(tmp_path / name) for name in ("one.toml", "two.toml", "no")))
    assert status == 1
    assert out[0] == "one.toml: version: expected a whole number 1..9999, found 0"
    assert sum("scale: expected a number other than 0" in line for line in out) == 2
    assert sum(line.startswith("two.toml: not valid TOML") for line in out) == 1
    assert any(line.endswith("no: cannot be read: No such file or directory") for line in out)
    assert err == [f"commonwatt-agent: {len(out)} findings; put them right and check again"]


def test_check_finds_the_vectors_beside_a_map_and_holds_it_to_its_quality(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = said(capsys, "map", "check", str(SDM))
    assert (status, out) == (
        0, ["eastron-sdm630.toml: good: eastron-sdm630: silver, 30 points, 5 roles, checked with eastron-sdm630.json"],
    )  # fmt: skip
    alone = tmp_path / "eastron-sdm630.toml"
    alone.write_text(SDM.read_text())
    status, out, _ = said(capsys, "map", "check", str(alone))
    assert (status, len(out)) == (1, 1)
    assert "quality: silver: no vectors found, expected eastron-sdm630.json beside it" in out[0]
    folder = SDM.parents[1] / "vectors"
    assert said(capsys, "map", "check", str(alone), "--vectors", str(folder))[0] == 0
    wrong = tmp_path / "eastron-sdm630.json"
    wrong.write_text((folder / "eastron-sdm630.json").read_text().replace('"address": 72', '"address": 73'))
    status, out, _ = said(capsys, "map", "check", str(alone))
    assert status == 1
    assert "eastron-sdm630.json: settled: grid: import: address: the map has 72, the vectors have 73" in out
    status, out, _ = said(capsys, "map", "check", str(alone), "--vectors", str(tmp_path / "none.json"))
    assert status == 1
    assert "no vectors found, expected" in out[0]


def test_check_wants_the_file_to_have_the_maps_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.toml"
    other.write_text(SDM.read_text().replace('quality = "silver"', 'quality = "bronze"'))
    status, out, _ = said(capsys, "map", "check", str(other))
    assert (status, out) == (1, ["other.toml: id: expected 'other' like the file's name, found 'eastron-sdm630'"])


def test_list_and_show_tell_quality_and_own_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "example-meter.toml").write_text(MAP)
    status, out, _ = said(capsys, "map", "list", "--maps", str(tmp_path))
    assert status == 0
    assert any(line.startswith("example-meter (own)") and " bronze " in line for line in out)
    assert out[-2].startswith("silver: two sources agree")
    _, out, _ = said(capsys, "map", "list", "--maps", str(tmp_path), "--json")
    records = {each["id"]: each for each in json.loads("\n".join(out))}
    assert (records["example-meter"]["own"], records["eastron-sdm630"]["quality"]) == (True, "silver")
    assert records["shelly-pro3em"]["metering"]["phases"] == "separate"
    _, out, _ = said(capsys, "map", "show", "shelly-pro3em")
    assert (
        "phases: separate: counts each phase by itself: import and export can rise at the same time"
        in out[next(at for at, line in enumerate(out) if line.startswith("phases:"))]
    )
    _, out, _ = said(capsys, "map", "show", "shelly-pro3em", "--json")
    assert json.loads("\n".join(out))["sources"]
    config = tmp_path / "agent.toml"
    config.write_text(
        '[[device]]\nname = "meter"\nmap = "shelly-pro3em"\nrole = "grid"\nconnect = "tcp://pi"\nmax_power_w = 9000\n'
        "factor = 40\n"
    )
    _, out, _ = said(capsys, "map", "show", "shelly-pro3em", "--config", str(config))
    assert out[-1] == "meter: all its values are multiplied by 40 (factor in agent.toml)"
    _, out, _ = said(capsys, "map", "show", "shelly-pro3em", "--config", str(config), "--json")
    assert json.loads("\n".join(out))["factors"] == {"meter": "40"}
    status, out, err = said(capsys, "map", "show", "nobody")
    assert (status, out) == (1, [])
    assert err[0].startswith("commonwatt-agent: no family 'nobody': `commonwatt-agent map list` shows all ")


def test_list_goes_on_past_a_broken_map_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.toml").write_text("x = [")
    status, out, err = said(capsys, "map", "list", "--maps", str(tmp_path))
    assert status == 1
    assert any(line.startswith("eastron-sdm630 ") for line in out)
    assert [line.split(":")[1] for line in err] == [" broken.toml"]


def test_try_shows_values_ranges_words_and_what_recognises_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    stand = Stand(float_words(a0=229.5, a52=-1830.25, a70=50, a72=4096.5, a2=9000.0))
    with answering(stand) as address:
        status, out, err = said(capsys, "map", "try", str(SDM), "--connect", address)
        rows = {line.split()[0]: line.split() for line in out}
        assert (status, err) == (0, [])
        assert rows["active_power"][:4] == ["active_power", "-1830.25", "W", "in"]
        assert rows["active_power"][-2:] == ["C4E4", "C800"]
        assert rows["voltage_l2"][1:5] == ["9000", "V", "BEYOND", "0..500"]
        assert "identify: rule 1 of 1 matches" in out
        assert any(line.startswith("as grid: import 4096500 Wh") for line in out)
        stand.words[4, 70] = 0
        _, out, _ = said(capsys, "map", "try", str(SDM), "--connect", address)
        assert "identify: rule 1 of 1 does not match" in out
        status, out, err = said(capsys, "map", "try", str(SDM), "--connect", address, "--variant", "old")
        assert (status, out) == (1, [])
        assert err[0].endswith("eastron-sdm630: variant: expected none, this family has no variants, found 'old'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--connect", "nowhere"), "--connect: expected 'tcp://host:port'"),
        (("--connect", "tcp://127.0.0.1:1", "--unit", "300"), "--unit: expected 0 to 255, found 300"),
        (("--connect", "tcp://127.0.0.1:1"), "device 'try' at tcp://127.0.0.1:1, unit 1: "),
    ],
)
def test_a_device_that_cannot_be_tried_is_one_line(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = said(capsys, "map", "try", str(SDM), *arguments)
    assert (status, out, len(err)) == (1, [], 1)
    assert message in err[0]


def test_a_template_of_evcc_becomes_a_draft_that_names_its_gaps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template, other = tmp_path / "example.yaml", tmp_path / "other.yaml"
    template.write_text(HYBRID)
    other.write_text(SUNSPEC)
    status, out, _ = said(capsys, "map", "from-evcc", str(template))
    assert (status, 'id = "example-hybrid"' in out) == (0, True)
    status, out, _ = said(capsys, "map", "from-evcc", str(template), "--out", str(tmp_path))
    assert status == 0
    assert "example-hybrid.toml: a draft with " in out[0]
    status, out, _ = said(capsys, "map", "check", str(tmp_path / "example-hybrid.toml"))
    assert (status, [line.split(": ")[1] for line in out]) == (1, ["identify"])
    status, _, err = said(capsys, "map", "from-evcc", str(template), "--out", str(tmp_path))
    assert (status, len(err)) == (1, 1)
    assert err[0].endswith("example-hybrid.toml: is there already: move it away first")
    status, _, err = said(capsys, "map", "from-evcc", str(template), "--out", str(tmp_path / "none"))
    assert (status, "cannot be written: No such file or directory" in err[0]) == (1, True)
    status, _, err = said(capsys, "map", "from-evcc", str(other))
    assert (status, len(err)) == (1, 1)
    assert "reads no Modbus register by its address: it reads SunSpec models" in err[0]


HOME = '[[device]]\nname="m"\nmap="example-meter"\nrole="grid"\nconnect="tcp://127.0.0.1:502"\nmax_power_w=9000\n'


def test_list_show_and_take_say_where_each_map_comes_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('data = "data"\nmaps = "own"\n' + HOME)
    for name in ("data", "own"):
        (tmp_path / name).mkdir()
    changed = SDM.read_text(encoding="utf-8").replace('vendor = "Eastron"', 'vendor = "Released"')
    release(tmp_path / "data", 4, example_meter=SOUND, eastron_sdm630=changed)
    status, out, _ = said(capsys, "map", "list", "--config", str(config))
    assert status == 0
    assert any(line.startswith("example-meter (the co-op's bundle 4)") for line in out)
    assert out[-1] == "the co-op's bundle 4: eastron-sdm630, example-meter"
    _, out, _ = said(capsys, "map", "show", "example-meter", "--config", str(config))
    assert "from the co-op's bundle 4: " in out[1]
    assert "released by the co-op's board in bundle 4: as the grid's meter it counts for settlement" in out
    _, out, _ = said(capsys, "map", "show", "eastron-sdm630", "--config", str(config))
    assert "from the package: eastron-sdm630.toml" in out[1]
    assert not any("released by" in line for line in out), "the installed text is another one"
    status, out, _ = said(capsys, "map", "take", "eastron-sdm630", "--config", str(config))
    assert (status, out) == (
        0, ["eastron-sdm630: the map of the co-op's bundle 4 is used from the agent's next start on"]
    )  # fmt: skip
    _, out, _ = said(capsys, "map", "show", "eastron-sdm630", "--config", str(config), "--json")
    found = json.loads("\n".join(out))
    assert (found["vendor"], found["origin"], found["bundle"], found["released"]) == ("Released", "co-op", 4, True)
    assert said(capsys, "map", "take", "eastron-sdm630", "--undo", "--config", str(config))[0] == 0
    _, _, err = said(capsys, "map", "take", "eastron-sdm630", "--undo", "--config", str(config))
    assert err == ["commonwatt-agent: the map 'eastron-sdm630' of the co-op was not taken: nothing to undo"]


def test_list_without_a_good_agent_toml_shows_the_package(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said(capsys, "map", "list")[2] == []
    _, _, err = said(capsys, "map", "take", "eastron-sdm630")
    assert err == ["commonwatt-agent: no agent.toml here: name the home's with --config"]
    (tmp_path / "agent.toml").write_text("nonsense = 1\n")
    status, out, err = said(capsys, "map", "list")
    assert status == 0
    assert len(out) > 100
    assert err[0].endswith("your own maps and the co-op's are left out")
    assert said(capsys, "map", "list", "--config", "agent.toml")[0] == 1, "named, it has to be right"
