"""testssl.sh, where it is installed, finds nothing wrong with the ports that homes reach over TLS.

Whatever it finds from severity LOW on is here, by name and with the reason why it is so, or the test fails.
"""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hub.broker.mosquitto_files import find_mosquitto
from hub.folder.elsewhere.broker_settings import LOOPBACK
from hub.folder.settings import load_settings
from hub.trust.authority_files import root_file
from tests.benchmarks.attacks.running_hub import prepare, running

TESTSSL = shutil.which("testssl") or shutil.which("testssl.sh")
SEVERE = ("LOW", "MEDIUM", "HIGH", "CRITICAL", "WARN")
ALLOWED = {
    "engine_problem": "about the scanner's own OpenSSL, not about the server",
    "broker optimal_proto": "the scanner has no certificate, so the broker ends its connection",
    "cert_revocation": "no list of revoked certificates: agents trust one root, and the hub itself keeps the key",
    "enrolment HSTS": "the members' pages of the same name may be served in the clear in a local network",
}

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(TESTSSL is None, reason="testssl.sh is not installed here"),
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed here"),
]


@pytest.mark.timeout(1800)
def test_nothing_is_found_at_the_ports_of_homes(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    asyncio.run(prepare(folder, [], broker="mosquitto"))
    public = load_settings(folder).public
    assert public is not None
    with running(folder):
        found = {
            name: scan(port, root_file(folder), tmp_path / f"{name}.json")
            for name, port in (("broker", public.broker_port), ("enrolment", public.enrol_port))
        }
    for name, findings in found.items():
        assert findings["TLS1_3"] == ("OK", "offered with final"), name
        for older in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2"):
            assert findings[older][1] == "not offered", (name, older)
    bad = {
        f"{name} {each}": finding
        for name, findings in found.items()
        for each, finding in findings.items()
        if finding[0] in SEVERE and not {each, f"{name} {each}"} & ALLOWED.keys()
    }
    assert bad == {}


def scan(port: int, root: Path, report: Path) -> dict[str, tuple[str, str]]:
    """What testssl.sh says of a port: by its name of a check, how severe it is and what it found."""
    assert TESTSSL is not None
    options = ["--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", LOOPBACK]
    options += ["--openssl-timeout", "20", "--connect-timeout", "20", "--add-ca", str(root), "--jsonfile", str(report)]
    command = [TESTSSL, *options, f"{LOOPBACK}:{port}"]
    # Its exit code counts findings of its own choice: what it writes is judged instead.
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=800, check=False)
    return {row["id"]: (row["severity"], row["finding"]) for row in json.loads(report.read_text())}
