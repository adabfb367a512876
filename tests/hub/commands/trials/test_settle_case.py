"""`settle` as its user meets it: JSON on standard output, status 2 on refusal, and never a traceback."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from hub.commands.trials.settle_case import run_settle_command

CASES = json.loads((Path(__file__).parents[3] / "examples" / "settlement_cases.json").read_text())["cases"]


def run(case: Path | str, previous: Path | None = None, *, as_json: bool = False) -> tuple[int, Any, str]:
    out, err = io.StringIO(), io.StringIO()
    status = run_settle_command(
        str(case), None if previous is None else str(previous), as_json=as_json, out=out, err=err
    )
    return status, json.loads(out.getvalue()), err.getvalue()


def write(folder: Path, name: str, document: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def find(name: str) -> dict[str, Any]:
    return next(case for case in CASES if case["id"] == name)


def test_settles_a_case(tmp_path: Path) -> None:
    assert run(write(tmp_path, "case.json", find("M01"))) == (0, find("M01")["expect"], "")


def test_compact_output_is_one_line(tmp_path: Path) -> None:
    out = io.StringIO()
    path = write(tmp_path, "case.json", find("M01"))
    assert run_settle_command(str(path), None, as_json=True, out=out, err=io.StringIO()) == 0
    assert out.getvalue().count("\n") == 1
    assert " " not in out.getvalue()


def test_its_own_output_is_an_earlier_result(tmp_path: Path) -> None:
    _, earlier, _ = run(write(tmp_path, "old.json", find("N01")))
    status, answer, _ = run(write(tmp_path, "new.json", find("N11")), write(tmp_path, "result.json", earlier))
    assert status == 0
    assert answer["delta"] == find("N11")["expect_delta"]


def test_refusal_says_code_and_detail(tmp_path: Path) -> None:
    status, answer, words = run(write(tmp_path, "case.json", find("X24")))
    assert status == 2
    assert set(answer) == {"error", "detail"}
    assert answer["error"] == "tiers_members"
    assert words.count("\n") == 1
    assert "case.json': not settled (tiers_members)" in words


def test_a_refusal_names_the_file_it_is_about(tmp_path: Path) -> None:
    good = write(tmp_path, "case.json", find("M01"))
    (tmp_path / "earlier.json").write_text("{")
    _, _, words = run(good, tmp_path / "earlier.json")
    assert "earlier.json': not settled (malformed): not JSON" in words
    _, _, words = run(good, write(tmp_path, "case2.json", find("M01")))
    assert "money is missing in the earlier result" in words


@pytest.mark.parametrize("content", [b"", b"not json", b"\x7fELF\x00\xff", b"[" * 300_000, b'{"a":1e999}'])
def test_a_file_that_is_no_case(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(content)
    status, answer, _ = run(path)
    assert status == 2
    assert answer["error"] == "malformed"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    good = write(tmp_path, "case.json", find("M01"))
    for status, answer, _ in (run(tmp_path / "none.json"), run(tmp_path), run("\0"), run(good, tmp_path / "none.json")):
        assert status == 2
        assert answer["error"] == "malformed"
        assert answer["detail"].startswith("cannot read")


def test_an_endless_file_is_read_to_the_limit_only() -> None:
    status, answer, _ = run("/dev/zero")
    assert status == 2
    assert "larger than" in answer["detail"]
