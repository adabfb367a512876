"""The demonstration's options are refused in one line before anything is started."""

from pathlib import Path

import pytest

from simulator.__main__ import main


@pytest.mark.parametrize("place", ["full", "file", "file/below"])
def test_a_folder_that_cannot_be_used_is_one_line(
    tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "file").touch()
    report = str(tmp_path / "report.json")
    with pytest.raises(SystemExit) as caught:
        main(["demo", "--once", "--report", report, "--data", str(tmp_path / place)])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"commonwatt-sim: demo: --data {tmp_path / place} ")
    assert line.endswith(": give a new folder")
    assert {each.name for each in tmp_path.iterdir()} == {"file", "full"}


@pytest.mark.parametrize(("option", "value"), [("--homes", "41"), ("--days", "61"), ("--homes", "0"), ("--rate", "-1")])
def test_an_option_out_of_its_range_says_its_limit(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", option, value])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"commonwatt-sim demo: argument {option}: expected a ")
