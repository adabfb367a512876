"""`commonwatt-hub authority` and the passphrase of `init`: the root key leaves the hub, and comes back to renew."""

import io
import json
import time
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.folder.keys.signer import load_signer
from hub.folder.paths import running_alone
from hub.trust.authority_files import make_authority, read_root
from hub.trust.certificates import EARLIER_S, begins_at

INIT = ["--name", "S", "--coop", "sunny", "--tz", "Europe/Madrid"]


class Keyboard(io.TextIOWrapper):
    """Standard input with these bytes, which is no terminal."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content))


def run(hub: Path, command: str, *arguments: str) -> int:
    return main([command, *arguments, "--data", str(hub)])


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.touch(mode=0o600)
    path.write_text("five words for the safe\n", encoding="utf-8")
    return str(path)


def shown(hub: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    assert run(hub, "authority", "show", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_the_root_key_goes_to_the_safe_and_renews_from_there(
    tmp_path: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hub, safe = tmp_path / "hub", tmp_path / "safe.key"
    assert run(hub, "init", *INIT, "--passphrase-file", passphrase) == 0
    before = shown(hub, capsys)
    assert before["root_key_on_hub"] is True
    for inside in (hub / "root.key", hub / "authority" / "safe.key"):
        assert run(hub, "authority", "export", "--to", str(inside), "--remove", "--passphrase-file", passphrase) == 1
        assert "in the hub's own folder" in capsys.readouterr().err
        assert (hub / "authority" / "root.key").exists()
    assert shown(hub, capsys) == before
    export = ("authority", "export", "--to", str(safe), "--passphrase-file", passphrase)
    assert run(hub, *export, "--remove") == 0
    assert safe.stat().st_mode & 0o777 == 0o600
    assert not (hub / "authority" / "root.key").exists()
    assert run(hub, *export) == 1
    assert "not on this hub any more" in capsys.readouterr().err
    assert run(hub, "authority", "renew", "--passphrase-file", passphrase) == 1
    assert "--root-key FILE" in capsys.readouterr().err
    assert run(hub, "authority", "renew", "--root-key", str(safe), "--passphrase-file", passphrase) == 0
    after = shown(hub, capsys)
    assert after["to_do"] == []
    roots = [[row for row in each["certificates"] if row["use"] == "root"] for each in (before, after)]  # type: ignore[attr-defined]
    assert roots[0] == roots[1]
    assert after["certificates"] != before["certificates"]


def test_a_root_key_on_a_stick_without_permissions_is_exported_and_renews(
    tmp_path: Path, passphrase: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, safe = tmp_path / "hub", tmp_path / "safe.key"
    assert run(hub, "init", *INIT, "--passphrase-file", passphrase) == 0

    def write_to_stick(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        path.chmod(0o755)

    monkeypatch.setattr("hub.commands.operation.authority.write_new", write_to_stick)
    known = ("--passphrase-file", passphrase)
    assert run(hub, "authority", "export", "--to", str(safe), "--remove", *known) == 0
    assert not (hub / "authority" / "root.key").exists()
    assert run(hub, "authority", "renew", "--root-key", str(safe), *known) == 0
    capsys.readouterr()
    # To look at this one is an error, as in a folder of another user.
    assert run(hub, "authority", "renew", "--root-key", str(tmp_path / ("x" * 300)), *known) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_hub_without_an_authority_is_made_as_before_and_gets_one_later(
    tmp_path: Path, passphrase: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = tmp_path / "hub"
    monkeypatch.setattr("sys.stdin", Keyboard())
    assert run(hub, "init", *INIT) == 0
    assert "commonwatt-hub authority make" in capsys.readouterr().out
    assert not (hub / "authority").exists()
    assert "authority make" in str(shown(hub, capsys)["to_do"])
    for what in ("export", "renew"):
        assert run(hub, "authority", what, *(("--to", str(tmp_path / "k")) if what == "export" else ())) == 1
        assert "no certificate authority yet" in capsys.readouterr().err
    assert run(hub, "authority", "make") == 1
    assert "no terminal to ask" in capsys.readouterr().err
    assert run(hub, "authority", "make", "--passphrase-file", passphrase) == 0
    assert run(hub, "authority", "make", "--passphrase-file", passphrase) == 1
    assert "has a certificate authority already" in capsys.readouterr().err
    (hub / "authority").rename(tmp_path / "authority")
    assert run(hub, "authority", "renew", "--new-root", "--passphrase-file", passphrase) == 1
    assert "authority make" in capsys.readouterr().err, "without the old root's folder nothing else can be done"
    assert run(hub, "authority", "make", "--passphrase-file", passphrase) == 0
    assert "authority renew --new-root with the identity key" in capsys.readouterr().out
    assert run(hub, "authority", "renew", "--new-root", "--passphrase-file", passphrase) == 0


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"too short\n", 0o600, "at least 12 characters"),
        (b"five words for the safe\n", 0o644, "chmod 600"),
        (b"five words\nfor the safe\n", 0o600, "on one line"),
        (b"\xff" * 20, 0o600, "as text"),
        (b"x" * 1025, 0o600, "at most 1024 bytes"),
        (None, 0o600, "cannot read the passphrase"),
    ],
)
def test_a_bad_passphrase_file_is_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, content: bytes | None, mode: int, words: str
) -> None:
    path = tmp_path / "passphrase"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    assert run(tmp_path / "hub", "init", *INIT, "--passphrase-file", str(path)) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert words in said[0]
    assert not (tmp_path / "hub").exists()


def test_a_wrong_passphrase_exports_nothing(
    tmp_path: Path, passphrase: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, safe = tmp_path / "hub", tmp_path / "safe.key"
    assert run(hub, "init", *INIT, "--passphrase-file", passphrase) == 0
    monkeypatch.setattr("sys.stdin", Keyboard(b"other words for the safe\n"))
    assert run(hub, "authority", "export", "--to", str(safe), "--remove", "--passphrase-file", "-") == 1
    assert "the passphrase is wrong" in capsys.readouterr().err
    assert not safe.exists()
    assert (hub / "authority" / "root.key").exists()
    assert run(hub, "authority", "show", "--to", str(safe)) == 1
    assert "--to belongs to export" in capsys.readouterr().err


def test_a_hub_of_one_key_gets_a_hub_key_by_renewing_but_not_after_a_theft(
    tmp_path: Path, passphrase: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = tmp_path / "hub"
    monkeypatch.setattr("sys.stdin", Keyboard())
    assert run(hub, "init", *INIT) == 0
    one = shown(hub, capsys)["hub_key"]
    assert isinstance(one, dict)
    assert one["identity"] == one["public_key"]
    make_authority(hub, coop="sunny", passphrase=b"five words for the safe", now_s=int(time.time()))
    known = ("--passphrase-file", passphrase)
    assert run(hub, "authority", "renew", "--stolen", *known) == 1
    assert "make a new hub and invite every home" in capsys.readouterr().err
    assert shown(hub, capsys)["hub_key"] == one
    assert run(hub, "authority", "renew", *known) == 0
    after = shown(hub, capsys)["hub_key"]
    assert isinstance(after, dict)
    assert (after["identity"], after["number"]) == (one["identity"], 1)


def test_a_renewal_after_a_theft_says_what_homes_refuse_and_what_a_stolen_server_needs(
    tmp_path: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hub, known = tmp_path / "hub", ("--passphrase-file", passphrase)
    refused, way = "homes refuse what the hub's earlier keys sign", f"authority renew --new-root --data {hub}"
    assert run(hub, "init", *INIT, *known) == 0
    for words, is_refused, has_way in (((), False, False), (("--stolen",), True, True)):
        capsys.readouterr()
        assert run(hub, "authority", "renew", *words, *known) == 0
        out = capsys.readouterr().out
        assert (refused in out, way in out) == (is_refused, has_way)


def test_a_new_root_needs_the_identity_key_alone_and_a_hub_that_rests(
    tmp_path: Path, passphrase: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, safe, known = tmp_path / "hub", tmp_path / "safe.key", ("--passphrase-file", passphrase)
    assert run(hub, "init", *INIT, *known) == 0
    old = read_root(hub)
    (hub / "authority" / "root.key").unlink()
    before = shown(hub, capsys)
    with running_alone(hub):
        assert run(hub, "authority", "renew", "--new-root", *known) == 1
    assert "stop the hub first" in capsys.readouterr().err
    assert run(hub, "authority", "renew", *known) == 1
    assert "no root key (ECDSA P-256) in this file" in capsys.readouterr().err
    with monkeypatch.context() as fast:
        # A fast computer does all of it in one second, and homes must take the new root still.
        same_s = begins_at(old) + EARLIER_S
        fast.setattr("hub.commands.operation.authority.time.time", lambda: same_s)
        assert run(hub, "authority", "renew", "--new-root", *known) == 0
    after = shown(hub, capsys)
    assert after["certificates"] != before["certificates"]
    assert begins_at(read_root(hub)) > begins_at(old), "homes take a later root only"
    assert after["root_key_on_hub"] is after["identity_key_on_hub"] is True
    assert run(hub, "authority", "export", "--to", str(safe), "--remove", *known) == 0
    assert run(hub, "authority", "renew", "--root-key", str(safe), *known) == 0
    assert run(hub, "authority", "show", "--new-root") == 1


def test_a_root_that_was_made_while_the_clock_was_ahead_is_made_anew_as_the_warning_says(
    tmp_path: Path, passphrase: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, known = tmp_path / "hub", ("--passphrase-file", passphrase)
    with monkeypatch.context() as ahead:
        later_s = time.time() + 400 * 86_400
        ahead.setattr("hub.commands.operation.init.time.time", lambda: later_s)
        assert run(hub, "init", *INIT, *known) == 0
    identity = load_signer(hub).identity
    advice = "move its folder authority elsewhere, make a new one with commonwatt-hub authority make"
    assert advice in str(shown(hub, capsys)["to_do"])
    assert run(hub, "authority", "renew", "--new-root", *known) == 1
    assert advice in capsys.readouterr().err
    assert not (hub / "authority.next").exists(), "it would come into the place of what is moved away"
    (hub / "authority").rename(tmp_path / "elsewhere")
    assert run(hub, "authority", "make", *known) == 0
    assert identity.hex() in capsys.readouterr().out, "homes and members know the hub by it still"
    assert load_signer(hub).identity == identity
    assert "not valid yet" not in str(shown(hub, capsys)["to_do"])
