"""A whole hub whose mail server is down and comes back: no mail is lost or doubled, and receipts do not wait for it."""

import asyncio
import json
import os
import signal
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hub.__main__ import main
from hub.folder.clock import open_clock
from hub.folder.keys.hub_key import load_key
from hub.folder.opening import open_hub
from hub.folder.paths import KEY_NAME
from protocols.timeline import Timeline
from simulator.demo.processes import tree_of
from tests.benchmarks.attacks.running_hub import HonestHome, line_of, prepare, running
from tests.hub.notices.catch_all import CatchAll, catching_aside
from tests.hub.processes.waiting import wait_for
from tests.hub.sending_home import SendingHome

RATE = 30.0
"""A minute of the hub's clock, after which mail is looked for again, takes two seconds."""

PEOPLE = "name,email,home,since,board\nAna,ana@x.org,,,yes\nBen,ben@x.org,,,\nCem,cem@x.org,,,\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Board:
    """What the board does on the hub's computer while the hub runs."""

    def __init__(self, folder: Path, clock: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._clock, self._capsys = folder, clock, capsys

    def call(self, *words: str) -> Any:
        self._capsys.readouterr()
        assert main([words[0], "--data", str(self._folder), "--clock", str(self._clock), *words[1:], "--json"]) == 0
        return json.loads(self._capsys.readouterr().out)

    def queue(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("mail", "queue", "--all")
        return found

    def last_mail_job(self) -> int:
        async def ask() -> int:
            _, _, store = await open_hub(self._folder, clock=open_clock(self._clock), takes_rule=False)
            try:
                return max(job.last_run_at or 0 for job in await store.jobs() if job.name == "mail")
            finally:
                await store.close()

        return asyncio.run(ask())


def test_with_its_mail_server_down_a_hub_loses_doubles_and_delays_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sender, clock, port = tmp_path / "hub", SendingHome("h01"), tmp_path / "clock", free_port()
    asyncio.run(prepare(folder, [sender]))
    with (folder / "hub.toml").open("a") as file:
        file.write(f'\n[mail]\nserver = "127.0.0.1"\nport = {port}\nsecurity = "none"\nfrom = "hub@x.org"\n')
    now_s = time.time()
    clock.write_text(Timeline(now_s, now_s, RATE, None).text())
    people, board = tmp_path / "people.csv", Board(folder, clock, capsys)
    people.write_text(PEOPLE)
    with running(folder, "--clock", str(clock)) as where:
        key = load_key(folder / KEY_NAME).public_key()
        home = HonestHome(sender, line=line_of(folder, where, sender), hub_key=key)
        try:
            home.begin()
            made = board.call("invite", "--list", str(people), "--mail")
            board.call("members", "edit", "--member", "m03", "--email", "benjamin@x.org", "--by", "m02")
            refused = wait_for(lambda: [row for row in board.queue() if "Connection refused" in row["why"]])
            assert {row["state"] for row in refused} == {"waiting"}
            assert len(home.receipts_for(1.0)) > 0
            timetable = json.loads((folder / "running.json").read_text())["pid"]
            for pid in tree_of(int(timetable))[1:]:
                if b"timetable" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
            home.begin()
            with catching_aside(CatchAll(), port=port) as server:
                wait_for(lambda: all(row["state"] == "sent" for row in board.queue()))
                after = board.last_mail_job()
                wait_for(lambda: board.last_mail_job() > after + 60)
                assert len(home.receipts_for(1.0)) > 0
        finally:
            home.close()
    arrived = Counter(address for (address,) in server.recipients)
    assert arrived == {"ana@x.org": 1, "benjamin@x.org": 1, "ben@x.org": 1, "cem@x.org": 1}, "each mail once"
    texts = "".join(mail.get_body(("plain",)).get_content() for mail in server.mails)  # type: ignore[union-attr]
    assert {row["token"]: texts.count(row["token"]) for row in made} == {row["token"]: 1 for row in made}
