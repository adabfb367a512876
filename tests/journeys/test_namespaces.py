"""Hub and homes as in a real neighbourhood: each in a network of its own, with TLS, behind NAT or with IPv6 only."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import CertificateSigningRequestBuilder, Name

from edge_agent.outbox.opening import FILE_NAME
from edge_agent.outbox.view import read_overview
from hub.broker.check.topics import listening_filters
from hub.trust.authority_files import load_authority
from protocols.enrolment.invitation_text import InvitationText, write_invitation
from tests.journeys.namespaces import Place, neighbourhood, why_not
from tests.journeys.wire_capture import frames_of

ROOT = Path(__file__).resolve().parents[2]
COOP, NAME, HOST = "sunnystreetcoop", "Sunny Street Energy", "hub.example"
SLOTS = 20
AGENT_TOML = """
[hub]
url = "https://hub.example:8443"
coop = "sunnystreetcoop"
[poll]
interval_s = 10
[[device]]
name = "maincabinetmeter"
map = "eastron-sdm630"
role = "grid"
connect = "tcp://127.0.0.1:5020"
max_power_w = 15000
"""


class Street:
    """The running neighbourhood: programs that are ended with it, and what each home was given."""

    def __init__(self, folder: Path, places: Mapping[str, Place], stack: ExitStack) -> None:
        self.folder, self.places = folder, places
        self.hub = folder / "hub"
        self.given: dict[str, str] = {}
        self._stack = stack
        self._running: dict[tuple[str, str], subprocess.Popen[str]] = {}

    def start(self, role: str, *module: str) -> subprocess.Popen[str]:
        """A program of ours in this place, with its output in a file of its own."""
        log = (self.folder / f"{role}-{module[0]}.log").open("a")
        program = subprocess.Popen(
            self.places[role].command(sys.executable, "-m", *module),
            cwd=ROOT, stdout=subprocess.PIPE if module[0].startswith("tests") else log, stderr=log, text=True,
        )  # fmt: skip
        self._stack.callback(_end, program)
        self._running[role, module[0]] = program
        return program

    def stop(self, role: str, program: str) -> None:
        """End a program of this place."""
        _end(self._running[role, program])

    def call(self, role: str, *module: str, text: str = "") -> str:
        """What a command of ours says in this place."""
        told = subprocess.run(
            self.places[role].command(sys.executable, "-m", *module),
            cwd=ROOT, input=text, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert told.returncode == 0, (module, told.stdout[-500:], told.stderr[-2000:])
        return told.stdout

    def log(self, role: str, program: str) -> str:
        return (self.folder / f"{role}-{program}.log").read_text()

    def home(self, role: str) -> Path:
        return self.folder / role

    def agent(self, role: str) -> str:
        """The id of a home's agent."""
        found = json.loads((self.home(role) / "data" / "enrolment.json").read_text())
        return str(json.loads(found["document"])["agent"] if "document" in found else found["agent"])

    def waiting(self, role: str) -> tuple[int, int]:
        """How many messages a home has made, and how many of them have no receipt yet."""
        found = read_overview(self.home(role) / "data", limit=1)
        return found.messages, found.waiting


@contextmanager
def street(folder: Path, *, behind_nat: list[str], six_only: list[str]) -> Iterator[Street]:
    """A hub that serves homes elsewhere, and these homes invited; nothing of the homes runs yet."""
    with ExitStack() as stack:
        places = stack.enter_context(neighbourhood(folder, behind_nat=behind_nat, six_only=six_only))
        made = Street(folder, places, stack)
        capture = made.start("net", "tests.journeys.wire_capture", str(folder / "frames"))
        assert capture.stdout is not None
        assert capture.stdout.readline() == "capturing\n"
        (folder / "passphrase").touch(0o600)
        (folder / "passphrase").write_text("correct horse battery staple\n")
        init = [
            "--name",
            NAME,
            "--coop",
            COOP,
            "--tz",
            "Europe/Madrid",
            "--passphrase-file",
            str(folder / "passphrase"),
        ]
        made.call("hub", "hub", "init", "--data", str(made.hub), *init)
        settings = made.hub / "hub.toml"
        settings.write_text(settings.read_text() + f'\n[public]\nhost = "{HOST}"\n')
        rules = made.call("hub", "hub", "broker", "firewall", "--data", str(made.hub))
        subprocess.run(places["hub"].command("nft", "-f", "-"), input=rules, text=True, check=True, timeout=60)
        homes = [*behind_nat, *six_only]
        lines = [
            f"Resident {role},{role}@example.org,House {role},,{'yes' if role == homes[0] else ''}" for role in homes
        ]
        listed = "\n".join(["name,email,home,since,board", *lines, ""])
        told = json.loads(
            made.call("hub", "hub", "invite", "--data", str(made.hub), "--list", "-", "--json", text=listed)
        )
        for role, each in zip(homes, told, strict=True):
            made.given[role] = each["token"]
        made.start("hub", "hub", "run", "--data", str(made.hub))
        until("the hub serves", lambda: "pages on" in made.log("hub", "hub"))
        yield made


def move_in(street: Street, role: str, *, wh_a_slot: int) -> None:
    """A home's meter, its agent enrolled with the invitation, running, and its recording of the last hours sent."""
    home = street.home(role)
    home.mkdir()
    street.start(role, "simulator", "device", "eastron-sdm630")
    (home / "agent.toml").write_text(AGENT_TOML)
    first_s = (int(time.time()) // 900 - SLOTS) * 900
    rows = ["commonwatt-recording,1"]
    for at in range(SLOTS + 1):
        rows += [f"{first_s + at * 900},maincabinetmeter,import_wh,{5_000_000 + at * wh_a_slot}"]
        rows += [f"{first_s + at * 900},maincabinetmeter,export_wh,0"]
    (home / "recording").write_text("\n".join(rows) + "\n")
    invitation = write_invitation(InvitationText(f"https://{HOST}:8443", COOP, street.given[role]))
    config = ["--config", str(home / "agent.toml")]
    told = street.call(role, "edge_agent", "enrol", *config, text=invitation + "\n")
    assert "the hub proved that it holds the key named in the token" in told
    street.start(role, "edge_agent", "run", *config, "--history", str(home / "recording"))


def until(what: str, found: Callable[[], object], *, within_s: float = 90) -> float:
    """Wait until this is so; how long it took."""
    begun_s = time.monotonic()
    while not found():
        assert time.monotonic() - begun_s < within_s, what
        time.sleep(0.2)
    return time.monotonic() - begun_s


def all_receipted(street: Street, role: str) -> bool:
    if "recording: everything up to" not in street.log(role, "edge_agent"):
        return False
    made, waiting = street.waiting(role)
    return made >= SLOTS and waiting == 0


def check_nothing_readable(street: Street, *, canary: bytes) -> None:
    """Nothing that crossed the router tells a reading, a token or a name."""
    crossed = frames_of(street.folder / "frames")
    assert canary in crossed, "the capture sees what crosses"
    assert HOST.encode() in crossed, "the capture sees the connections with the hub"
    secrets = [COOP, NAME, "Resident ", "House ", "@example.org", "maincabinetmeter", "cw1/", "up/batch"]
    secrets += [token for given in street.given.values() for token in (given, given.replace("-", ""))]
    secrets += [street.agent(role) for role in street.given if (street.home(role) / "data").is_dir()]
    assert [each for each in secrets if each.encode() in crossed] == []
    # Every sealed message begins like this, whatever it holds.
    assert bytes.fromhex("d2844da2013820") not in crossed
    assert bytes.fromhex("d2844da20132") not in crossed


def send_canary(place: Place) -> bytes:
    canary = os.urandom(16).hex().encode()
    code = f"import socket; socket.create_connection(('{HOST}', 8443), 10).sendall(b'{canary.decode()}')"
    subprocess.run(place.command(sys.executable, "-c", code), check=True, timeout=60)
    return canary


class Listener:
    """Somebody who listens for others from a place; with a certificate and key, or without."""

    def __init__(
        self,
        street: Street,
        role: str,
        *,
        name: str,
        identity: tuple[Path, Path] | None,
        says: tuple[str, ...] = (),
    ) -> None:
        root = street.hub / "authority" / "root.pem"
        words = [name, " ".join(listening_filters(COOP)), HOST, "8883", str(root), *map(str, identity or ())]
        self._program = street.start(role, "tests.journeys.listener", *words, *says)
        begun = self._line()
        self.entered, self.answers = begun["entered"], begun["answers"]

    def ended(self) -> tuple[list[str], int]:
        """The topics of what it heard, and how often the broker ended its connection."""
        self._program.send_signal(signal.SIGTERM)
        told = self._line()
        return list(told["heard"]), int(told["losses"])

    def _line(self) -> dict[str, Any]:
        assert self._program.stdout is not None
        found: dict[str, Any] = json.loads(self._program.stdout.readline())
        return found


def _end(program: subprocess.Popen[str]) -> None:
    program.send_signal(signal.SIGTERM)
    try:
        program.wait(timeout=20)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait(timeout=20)


@pytest.fixture(autouse=True)
def _only_where_namespaces_can_be_made() -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)


def test_a_home_behind_nat_and_one_with_ipv6_only_get_receipts_and_nothing_on_the_way_is_readable(
    tmp_path: Path,
) -> None:
    with street(tmp_path, behind_nat=["home1", "stranger"], six_only=["home2"]) as made:
        stranger = Listener(made, "stranger", name="stranger", identity=None)
        move_in(made, "home1", wh_a_slot=137)
        move_in(made, "home2", wh_a_slot=211)
        for role in ("home1", "home2"):
            until(f"receipts of {role}", lambda role=role: all_receipted(made, role))  # type: ignore[misc]
            assert "the hub has signed for the first message: the link works" in made.log(role, "edge_agent")
        assert (stranger.entered, stranger.ended()[0]) == (False, [])
        canary = send_canary(made.places["home1"])
        until("the canary", lambda: canary in frames_of(tmp_path / "frames"))
        check_nothing_readable(made, canary=canary)


@pytest.mark.campaign
@pytest.mark.timeout(900)
def test_no_certificate_hears_others_and_a_revoked_home_is_shut_out_within_a_minute(tmp_path: Path) -> None:
    homes = ["home1", "home2", "home3", "hostile", "stranger"]
    with street(tmp_path, behind_nat=homes, six_only=["home4"]) as made:
        # The hostile member and the one to be revoked are there before the others send anything.
        for number, role in enumerate(("hostile", "home3"), 1):
            move_in(made, role, wh_a_slot=100 * number)
            until(f"receipts of {role}", lambda role=role: all_receipted(made, role))  # type: ignore[misc]
        took_s = revoke(made, "home3")
        assert took_s < 60
        # They listen in place of their agents: one certificate is one session, and two would take it from each other.
        for role in ("hostile", "home3"):
            made.stop(role, "edge_agent")
        expired = expired_identity(made, "hostile")
        listeners = {
            "member": Listener(
                made,
                "hostile",
                name=made.agent("hostile"),
                identity=identity_of(made, "hostile"),
                says=message_of(made, "hostile"),
            ),
            "stranger": Listener(made, "stranger", name="stranger", identity=None),
            "expired": Listener(made, "hostile", name=made.agent("hostile"), identity=expired),
            "revoked": Listener(made, "home3", name=made.agent("home3"), identity=identity_of(made, "home3")),
        }
        assert listeners["member"].entered
        assert listeners["member"].answers == len(listening_filters(COOP)) >= 20
        assert not listeners["stranger"].entered
        assert not listeners["expired"].entered
        for number, role in enumerate(("home1", "home2", "home4"), 3):
            move_in(made, role, wh_a_slot=100 * number)
            until(f"receipts of {role}", lambda role=role: all_receipted(made, role))  # type: ignore[misc]

        def is_own(topic: str) -> bool:
            return any(f"/{made.agent(role)}/down/" in topic for role in ("hostile", "home3"))

        ended = {who: each.ended() for who, each in listeners.items()}
        # The member's listener was there all the time and does hear what it may: the receipt of what it sent again.
        assert ended["member"][1] == 0
        assert any(topic.endswith(f"/{made.agent('hostile')}/down/receipt") for topic in ended["member"][0])
        of_others = {who: [each for each in heard if not is_own(each)] for who, (heard, _) in ended.items()}
        assert of_others == {"member": [], "stranger": [], "expired": [], "revoked": []}
        canary = send_canary(made.places["home4"])
        until("the canary", lambda: canary in frames_of(tmp_path / "frames"))
        check_nothing_readable(made, canary=canary)


def identity_of(street: Street, role: str) -> tuple[Path, Path]:
    """A home's certificate and its key."""
    return street.home(role) / "data" / "tls.crt", street.home(role) / "data" / "tls.key"


def message_of(street: Street, role: str) -> tuple[str, str]:
    """A message that this home has sent: its topic, and a file with its bytes."""
    with closing(sqlite3.connect(street.home(role) / "data" / FILE_NAME)) as db:
        topic, sealed = db.execute("SELECT topic, sealed FROM message WHERE kind = 'batch' LIMIT 1").fetchone()
    file = street.folder / f"message-{role}"
    file.write_bytes(sealed)
    return str(topic), str(file)


def expired_identity(street: Street, role: str) -> tuple[Path, Path]:
    """What the co-op would have issued two months ago for this home's key."""
    key_file = identity_of(street, role)[1]
    key = load_pem_private_key(key_file.read_bytes(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey)
    request = CertificateSigningRequestBuilder().subject_name(Name([])).sign(key, SHA256())
    authority = load_authority(street.hub)
    assert authority is not None
    two_months_ago_s = int(time.time()) - 60 * 86400
    issued = authority.issue_agent(request.public_bytes(Encoding.DER), agent=street.agent(role), now_s=two_months_ago_s)
    file = street.folder / "expired.crt"
    file.write_bytes(issued)
    return file, key_file


def revoke(street: Street, role: str) -> float:
    """Shut a running home's agent out; how long until it has noticed."""
    data = ["--data", str(street.hub)]
    words = ["--agent", street.agent(role), "--by", "m01", "--reason", "the Pi was stolen"]
    begun_s = time.monotonic()
    street.call("hub", "hub", "agents", "revoke", *data, *words)
    until(
        f"{role} knows", lambda: "accepts nothing more from this agent" in street.log(role, "edge_agent"), within_s=60
    )
    return time.monotonic() - begun_s
