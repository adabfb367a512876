"""Set-up's page on the home's network, from another computer of it: the PIN, the cookie, foreign names and forms.

Both computers are network namespaces, so that the page sees a real address of the network.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from edge_agent.page_settings import PORT
from tests.journeys.namespaces import PI4, Place, home_network, why_not

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = f"http://{PI4}:{PORT}"
END_MAX_S = 60


class Phone:
    """A browser without JavaScript: it keeps its cookie and sends the forms it was shown."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.cookie = ""
        self.seen = ""

    def ask(self, path: str, body: str | None = None, **headers: str) -> tuple[int, dict[str, str]]:
        """One request; what came is `seen`."""
        sent = {**({"Cookie": self.cookie} if self.cookie else {}), **headers}
        asked = {"path": path, "headers": json.dumps(sent), **({} if body is None else {"body": body})}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self.seen = answer["text"]
        return answer["status"], answer["headers"]

    def form(self, **fields: str) -> str:
        """The fields with what the form shown carries."""
        hidden = dict(re.findall(r'<input type="hidden" name="(token|number)" value="([^"]+)">', self.seen))
        return urlencode({**hidden, **fields})

    def answer(self, **fields: str) -> None:
        """Answer the question that is shown, and look at the next one."""
        assert self.ask("/setup", self.form(**fields), Origin=ORIGIN)[0] == 303
        for _ in range(100):
            self.ask("/setup")
            if 'name="number"' in self.seen:
                return
        raise AssertionError(self.seen)


@contextmanager
def setup_page(pi: Place, config: Path) -> Iterator[str]:
    """`setup --page` on every address of the Pi; gives the PIN it showed."""
    words = ("-m", "edge_agent", "setup", "--page", f"0.0.0.0:{PORT}", "--config", str(config))
    with subprocess.Popen(
        pi.command(sys.executable, *words), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline().startswith("Open this page in a browser: ")
            pin = process.stdout.readline().partition("Its PIN is ")[2].partition(",")[0]
            while "the page is at" not in (line := process.stderr.readline()):
                assert line, "it ended"
            yield pin
        finally:
            process.terminate()
            _, log = process.communicate(timeout=END_MAX_S)
        assert "Traceback" not in log


@contextmanager
def phone_at(phone: Place) -> Iterator[Phone]:
    command = phone.command(sys.executable, "-m", "tests.journeys.page_visitor", PI4, str(PORT))
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Phone(process)


@pytest.mark.skipif(why_not(("ip", "unshare")) is not None, reason=str(why_not(("ip", "unshare"))))
def test_from_the_phone_in_the_home_network(tmp_path: Path) -> None:
    config = tmp_path / "home" / "agent.toml"
    config.parent.mkdir()
    with home_network(tmp_path) as (pi, phone), setup_page(pi, config) as pin, phone_at(phone) as someone:
        assert someone.ask("/setup")[1]["Location"] == "/sign-in", "nobody looks without the PIN"
        assert someone.ask("/setup", "answer=y")[0] == 403
        assert someone.ask("/setup", Host="evil.example")[0] == 421, "a name that leads here from elsewhere"
        someone.ask("/sign-in")
        shown = someone.seen
        assert someone.ask("/sign-in", someone.form(pin="0000 0000"), Origin=ORIGIN)[0] == 403
        someone.seen = shown
        assert someone.ask("/sign-in", someone.form(pin=pin), Origin="http://evil.example")[0] == 403
        someone.seen = shown
        status, headers = someone.ask("/sign-in", someone.form(pin=pin), Origin=ORIGIN)
        assert status == 303
        cookie, _, rules = headers["Set-Cookie"].partition(";")
        assert "HttpOnly" in rules
        assert "SameSite=Strict" in rules
        someone.seen = shown
        assert someone.ask("/sign-in", someone.form(pin=pin), Origin=ORIGIN)[0] == 403, "it opens one browser"
        someone.cookie = cookie

        someone.ask("/setup")
        assert "Makes written on your inverter" in someone.seen
        assert someone.ask("/setup", someone.form(answer="x"), Origin="http://evil.example")[0] == 403
        someone.ask("/setup")
        someone.answer(answer="Esatron")
        assert "did you mean Eastron?" in someone.seen
        someone.answer(answer="n")
        someone.answer(answer="")
        while "Another address" not in someone.seen:
            assert "Search the network 192.168.77.0/24" in someone.seen or "Ask devices on" in someone.seen
            someone.answer(answer="n")
        someone.answer(answer="/etc/passwd, sml:///dev/mem, tls+tcp://192.168.77.9?certificate=/etc/shadow")
        assert "/etc/passwd: not a serial port of this computer" in someone.seen
        assert "sml:///dev/mem: not a serial port of this computer" in someone.seen
        assert "names a file of this computer" in someone.seen
    assert not config.exists()
