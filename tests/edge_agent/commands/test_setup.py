"""`commonwatt-agent setup` when the person stops it while it works: one line, and the shell's usual status."""

from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.commands import scan, setup


def interrupted(*_given: object, **_named: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("module", "arguments", "words"),
    [
        (setup, ["setup"], "agent.toml` goes on where you stopped"),
        (scan, ["scan", "--connect", "192.0.2.1"], "stopped; nothing was changed"),
    ],
)
def test_ctrl_c_in_a_search_says_what_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    *,
    module: object,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.setattr(module, "search" if module is scan else "set_up", interrupted)
    assert main([*arguments, "--config", str(tmp_path / "agent.toml")]) == 130
    assert words in capsys.readouterr().err
