"""`commonwatt-hub roles files` and `run --role`: what another machine is given, and what is refused in one line."""

import fcntl
import stat
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.folder.keys.signer import load_signer
from hub.folder.paths import LOCK_NAME, is_running, numbered, running_alone, running_with_others
from hub.processes.watching.asking import health_without_store
from hub.storage.errors import StoreAwayError
from protocols.errors import RequestError

PUBLIC = '\n[public]\nhost = "hub.example.org"\nenrol_port = 8443\n'
STORE = '\n[store]\nschema = "street"\naddress_file = "store-address"\n'


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A hub whose settings fit several processes; its server is nowhere."""
    folder = tmp_path / "hub"
    assert main(["init", "--data", str(folder), "--name", "S", "--coop", "street", "--tz", "Europe/Madrid"]) == 0
    settings = (folder / "hub.toml").read_text().replace('kind = "auto"', 'kind = "external"')
    (folder / "hub.toml").write_text(settings + STORE)
    (folder / "store-address").write_text("postgresql://street_hub:secret@/energy?host=/nowhere\n")
    (folder / "store-address").chmod(0o600)
    capsys.readouterr()
    return folder


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a command ends."""
    with pytest.raises(SystemExit) if arguments[-1] == "cook" else nullcontext():
        assert main(list(arguments)) != 0
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1, said
    return said


def edited(hub: Path, edit: Callable[[str], str]) -> None:
    (hub / "hub.toml").write_text(edit((hub / "hub.toml").read_text()))


def test_another_machine_gets_what_it_needs_and_no_lasting_key(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (hub / "identity.key").write_text("the lasting key")
    (hub / "authority").mkdir()
    (hub / "authority" / "root.key").write_text("the root's key")
    (hub / "authority" / "working.pem").write_text("a working certificate")
    (hub / "running.json").write_text("{}")
    copy = tmp_path / "copy"
    assert main(["roles", "files", "--data", str(hub), "--to", str(copy)]) == 0
    assert "run --data copy --role intake" in capsys.readouterr().out
    names = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert {"hub.toml", "hub.key", "salt.key", "store-address", "authority/working.pem"} <= names
    left = {"hub.sqlite", "identity.key", "authority/root.key", "running.json", "broker/client-id"}
    assert not names & left
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [copy, *copy.rglob("*")]}
    assert modes == {0o600, 0o700}
    assert load_signer(copy).identity == load_signer(hub).identity
    assert "is not empty" in refused(capsys, "roles", "files", "--data", str(hub), "--to", str(copy))


def test_a_role_needs_a_server_and_a_broker_that_runs_by_itself(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ("run", "--data", str(hub), "--role")
    assert "pages are served by --role web alone" in refused(capsys, *run, "intake", "--web-port", "0")
    assert "no broker is started" in refused(capsys, *run, "web", "--broker-port", "0")
    assert "invalid choice: 'cook'" in refused(capsys, *run, "cook")
    edited(hub, lambda text: text.replace('kind = "external"', 'kind = "auto"'))
    assert "hub.toml has the hub start its own broker" in refused(capsys, *run, "intake")
    own = 'kind = "mosquitto"\nshards = ["0-31 here:8884", "32-63 b2.example.org:8883:8884"]'
    edited(hub, lambda text: text.replace('kind = "auto"', own) + PUBLIC)
    assert "hub.toml has the hub start its own broker" in refused(capsys, *run, "intake")
    edited(hub, lambda text: text.replace(STORE, ""))
    assert "hub.toml has no [store]" in refused(capsys, *run, "intake")
    assert "hub.toml has no [store]" in refused(capsys, "roles", "files", "--data", str(hub), "--to", str(hub / "x"))


def test_an_address_that_is_none_ends_the_start_in_one_line(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (hub / "store-address").write_text("mysql://street_hub:secret@localhost/energy\n")
    said = refused(capsys, "run", "--data", str(hub), "--role", "worker")
    assert "is not postgresql://" in said
    assert "secret" not in said


def test_a_whole_hub_and_processes_with_roles_keep_out_of_each_others_folder(hub: Path) -> None:
    with running_with_others(hub), running_with_others(hub):
        assert is_running(hub)
        with pytest.raises(RequestError, match="with --role: stop them first"), running_alone(hub):
            pass
    assert not is_running(hub)
    with running_alone(hub):
        assert is_running(hub)
        with pytest.raises(RequestError, match="a whole hub is running"), running_with_others(hub):
            pass
    with (hub / LOCK_NAME).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(RequestError, match="already running"), running_alone(hub):
            pass


def test_a_second_web_on_one_folder_is_refused_before_it_fights_for_ports(
    hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_with_others(hub), numbered(hub, "web"):
        said = refused(capsys, "run", "--data", str(hub), "--role", "web")
    assert "a process with --role web runs on this folder" in said
    assert "roles files" in said


def test_where_web_is_gone_and_others_run_the_status_names_web(hub: Path) -> None:
    gone = StoreAwayError("the server is away")
    with running_with_others(hub):
        (part,) = health_without_store(hub, gone, now_s=1.0).parts
    assert (part.name, part.is_serving) == ("web", False)
    with running_alone(hub):
        (part,) = health_without_store(hub, gone, now_s=1.0).parts
    assert part.name == "hub"


def test_processes_of_one_role_have_the_smallest_free_numbers_and_no_copy_carries_them(
    hub: Path, tmp_path: Path
) -> None:
    with numbered(hub, "intake") as first:
        with numbered(hub, "intake") as second, numbered(hub, "web") as other_role:
            assert (first, second, other_role) == (1, 2, 1)
        with numbered(hub, "intake") as again:
            assert again == 2
        assert main(["roles", "files", "--data", str(hub), "--to", str(tmp_path / "copy")]) == 0
    with numbered(hub, "intake") as successor:
        assert successor == 1
    assert not [path.name for path in (tmp_path / "copy").iterdir() if "lock" in path.name]
